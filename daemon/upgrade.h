// Upgrade: replaces the versions of slcd and of all masters that run by the installed one, each in
// place: `slc upgrade`.
//
//   check     slcd and slc-master as installed say that they could run, and as what
//   keep      copies of what runs now, should the new version not hold (PreviousVersion)
//   execute   slcd gives way to its next image, as soon as nothing is half done
//   masters   that image has each master do the same (UpgradePlan), and answers who has asked
//
// Whatever fails before the execution changes nothing. A repeat of the request, by a client that
// lost slcd on the way, goes on with the masters.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/commands/clients.h"
#include "daemon/core/upgrade_plan.h"
#include "daemon/heritage.h"
#include "daemon/previous_version.h"
#include "daemon/self_check_run.h"
#include "daemon/services.h"

namespace slc {

class Upgrade {
 public:
  struct Hands {
    // Calls `then` when what is being written is on the disk: changes and lines of the log.
    std::function<void(std::function<void()> then)> once_written;
    // Returns only if it fails, and nothing has changed then.
    std::function<Error(const Command& command)> execute;
    // Children that have ended meanwhile may be reaped, see checking().
    std::function<void()> checked;
  };

  // All is owned by the caller and outlives this.
  Upgrade(uv::Loop& loop, const DaemonContext& context, Services& services, Clients& clients,
          uv::DiskThread& disk, PreviousVersion& previous, Hands hands);

  void Begin(const Command& command);
  // In the next image: goes on for the client who asked, if it is still there.
  void GoOn(const Command& command, const DaemonFacts& before);
  // We are the version before, and the upgrade was in vain: who asked for it is told.
  void NoteGivenWay();
  // Something has happened to a master.
  void OnMasters();
  void OnMaster(const UpgradeEvent& outcome);
  // A child is awaited whose status must not be taken by somebody else.
  bool checking() const { return check_ != nullptr; }

 private:
  void CheckDaemon();
  void CheckMaster(const SelfCheck& slcd);
  void After(std::function<void()> step);
  void Keep(const SelfCheck& slcd);
  void Refuse(const Error& error);
  void AwaitQuiet();
  void Execute();
  void Feed(const UpgradeEvent& event);
  void Answer();
  std::vector<SightedMaster> Sighted() const;

  uv::Loop& loop_;
  const DaemonContext& context_;
  Services& services_;
  Clients& clients_;
  uv::DiskThread& disk_;
  PreviousVersion& previous_;
  Hands hands_;
  std::optional<Command> command_;  // under way
  std::unique_ptr<SelfCheckRun> check_;
  Millis quiet_by_ = 0;
  std::optional<UpgradePlan> plan_;
  std::deque<UpgradeEvent> inbox_;
  bool feeding_ = false;
  // The last one that has ended: its request may be repeated.
  std::string done_request_;
  Reply done_reply_;
  uv::Timer timer_;
  uv::Timer quiet_timer_;
  uv::Timer check_over_;  // a check is not destroyed within its own callback
  std::function<void()> after_check_;
};

}  // namespace slc
