// DeployTransaction: one deploy of one service, or one rollback, from the first byte to "in
// service" or back. Pure: facts in, deeds out, level not edge.
//
//   uploading -> placing -> installing -> canary -> rolling -> committing -> over
//                                            \________\_________\-> rolling back -> over
//
// Until the canary nothing of the service has changed, so a failure only cleans up. From the canary
// on the new release runs beside the old one, and a failure brings the old one back, configuration
// and all. A release is whole or not at all: unlike a soft restart, a roll that fails does not stay
// half done.
//
// slcd may be killed at any point. What then counts is on the disk: the record of the deploy (a
// DeployRecord) and the wish. `Record` is asked for before what it announces is done, and the wish
// is saved by whoever carries out StartCanary, StartRoll or RollBack before a master is told. The
// last step that was recorded says which side wins:
//
//   preparing     the old one: nothing was changed
//   canary        the old one: a canary proves nothing to a slcd that did not see it
//   rolling       the master rolls on by itself; the roll is seen to its end, which decides. The
//                 old one if nothing of it is left to see: the machine was restarted, or the wish
//                 already says the old one
//   rolling back  the old one
//   committed     the new one, unless the wish says the old one: then the record's write was taken
//                 for failed, and the old one was brought back
//
// Each deploy is answered once; after a crash once more, for a client that asks again with its
// request's id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/time.h"

namespace slc::deploy {

enum class DeployStep { kPreparing, kCanary, kRolling, kRollingBack, kCommitted };

// Facts. A failure is empty where all went well.
struct UnpackEnded {  // slc-unpack, which unpacks what comes as it comes, has ended
  std::string failure;
};
struct Placed {  // answers Place
  std::string failure;
};
struct InstallEnded {  // npm has ended, or had nothing to do
  std::string failure;
};
struct Recorded {  // answers Record
  std::string failure;
};
struct CanaryReady {};
struct CanaryFailed {  // it was not ready in time, or has ended
  std::string failure;
};
struct Probed {  // answers Probe
  std::string failure;
};
struct RollEnded {  // all workers are of the new release, or not
  std::string failure;
};
struct RolledBack {     // answers RollBack: all are of the old one. Or there is none to come back
  std::string failure;  // the old wish counts all the same, but its workers do not come up
};
struct Removed {        // answers Remove
  std::string failure;  // what is left is removed at the next start
};
struct CancelDeploy {  // somebody stops or removes the service, or the sender has gone
  std::string reason;
};
struct DeployTick {};
using DeployEvent =
    std::variant<UnpackEnded, Placed, InstallEnded, Recorded, CanaryReady, CanaryFailed, Probed,
                 RollEnded, RolledBack, Removed, CancelDeploy, DeployTick>;

// Deeds, to be done in their order.
struct StartUnpack {};   // slc-unpack into the staging folder; UnpackEnded
struct Place {};         // the staging folder becomes the release's, with its record; Placed
struct StartInstall {};  // ChooseNpmStep; InstallEnded
struct EndChild {};      // kill slc-unpack or npm with all they started; UnpackEnded, InstallEnded
struct Record {          // durably; Recorded
  DeployStep step = DeployStep::kPreparing;
};
struct StartCanary {};  // save the new wish; one worker of it beside the old ones; CanaryReady, ...
struct Probe {};        // GET the health path of the canary; Probed
struct StartRoll {};    // save the new wish; all workers; RollEnded. A repeat changes nothing
struct RollBack {};     // save the old wish, raised; all workers, and no canary; RolledBack
struct Answer {         // the deployer
  bool good = false;
  std::string text;
};
struct Remove {};  // kill what is left of its processes; staging folder and new release; Removed
struct Prune {};   // mark the release proven; remove the Surplus
struct Forget {};  // the deploy's record
using DeployAction = std::variant<StartUnpack, Place, StartInstall, EndChild, Record, StartCanary,
                                  Probe, StartRoll, RollBack, Answer, Remove, Prune, Forget>;

struct DeployOptions {
  bool existing = false;  // a rollback: the release is there, and stays when it fails
  bool runs = true;       // the service does; else there is no canary, and it stays stopped
  std::string old_name;   // what people call the old release; empty: there is none
  bool health = false;    // a --health path is given
  Millis canary_time = 10'000;
  Millis upload_limit = 15 * 60'000;
  Millis install_limit = 10 * 60'000;
  Millis ready_limit = 40'000;  // of the canary: the service's --ready-timeout, and some
  Millis roll_limit = 600'000;  // the shell knows sizes and time-outs, so it says
};

// What is known when slcd finds the record of a deploy that it did not begin.
struct DeployResumed {
  DeployStep step = DeployStep::kPreparing;
  bool wish_is_new = false;  // the durable wish is of the new release
  bool same_boot = false;    // masters may have gone on
};

class DeployTransaction {
 public:
  // Of a canary's health: one probe each second, an answer within five; three failures in a row
  // count, one may be a worker that has not warmed up.
  static constexpr Millis kProbeInterval = 1000;
  static constexpr Millis kProbeLimit = 5000;
  static constexpr unsigned kMostProbeFailures = 3;

  explicit DeployTransaction(const DeployOptions& options) : options_(options) {}

  // One of both, once, before any event.
  std::vector<DeployAction> Begin(Millis now);
  std::vector<DeployAction> Resume(const DeployResumed& found, Millis now);
  std::vector<DeployAction> On(const DeployEvent& event, Millis now);

  std::optional<Millis> deadline() const;
  // "uploading", ..., "rolling back", "over".
  const char* phase() const;
  bool over() const { return phase_ == Phase::kOver; }

 private:
  enum class Phase {
    kUploading,
    kPlacing,
    kInstalling,
    kCanary,
    kRolling,
    kCommitting,
    kRollingBack,
    kCleaning,
    kOver
  };

  void Handle(const UnpackEnded& event, Millis now);
  void Handle(const Placed& event, Millis now);
  void Handle(const InstallEnded& event, Millis now);
  void Handle(const Recorded& event, Millis now);
  void Handle(const CanaryReady& event, Millis now);
  void Handle(const CanaryFailed& event, Millis now);
  void Handle(const Probed& event, Millis now);
  void Handle(const RollEnded& event, Millis now);
  void Handle(const RolledBack& event, Millis now);
  void Handle(const Removed& event, Millis now);
  void Handle(const CancelDeploy& event, Millis now);
  void Handle(const DeployTick& event, Millis now);

  void Enter(Phase phase, std::optional<Millis> limit);
  void AskRecord(DeployStep step);
  void Fail(const std::string& reason);
  void OnTime(Millis now);
  void WatchCanary(Millis now);
  void Settle();
  void Commit();
  void TellFailure();
  void CleanUp();

  DeployOptions options_;
  Phase phase_ = Phase::kUploading;
  std::optional<Millis> limit_;          // of the phase
  std::optional<DeployStep> recording_;  // asked for, not answered yet
  bool child_ = false;                   // slc-unpack or npm lives
  bool placing_ = false;
  bool child_ending_ = false;
  bool switched_ = false;  // the new release may run
  bool answered_ = false;
  std::string failure_;  // why the old one stays or comes back; empty: it has not failed
  std::string trouble_;  // what went wrong on the way back
  bool late_ = false;    // it takes too long
  bool canary_ready_ = false;
  std::optional<Millis> next_probe_;
  std::optional<Millis> probe_until_;  // one is under way
  bool healthy_ = false;               // the last probe was answered well
  unsigned probe_failures_ = 0;        // in a row
  std::vector<DeployAction> actions_;
};

}  // namespace slc::deploy
