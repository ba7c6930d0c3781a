// Upgrade: replaces the versions of slcd and of all masters that run by the installed one, each in
// place: `slc upgrade`.
//
//   before    the installed programs are checked, what runs is kept (PreviousVersion), and slcd
//             gives way to its next image, all as UpgradeStart says
//   after     that image has each master do the same (UpgradePlan), and answers who has asked
//
// Whatever fails before the execution changes nothing. A repeat of the request, by a client that
// lost slcd on the way, goes on with the masters.
#pragma once

#include <cstdint>
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
#include "daemon/core/upgrade_start.h"
#include "daemon/heritage.h"
#include "daemon/previous_version.h"
#include "daemon/self_check_run.h"
#include "daemon/services.h"

namespace slc {

class Upgrade {
 public:
  struct Hands {
    std::function<UpgradeScene()> scene;
    // What is held back to be written later is written now.
    std::function<void()> write_out;
    // Returns only if it fails, and nothing has changed then.
    std::function<Error(const Command& command)> execute;
    // Children that have ended meanwhile may be reaped, see IsAwaited().
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
  bool IsAwaited(int pid) const { return check_ && check_->pid() == pid; }

 private:
  void Feed(const StartEvent& event);
  void Do(const CheckDaemon& action);
  void Do(const CheckMaster& action);
  void Do(const KeepVersion& action);
  void Do(const WriteOut& action);
  void Do(const ExecuteDaemon& action);
  void Do(const UpgradeMasters& action);
  void Do(const RefuseUpgrade& action);
  void After(StartEvent event);
  void Follow(const ProcessUpgrade& slcd, std::string master_binary);
  void Feed(const UpgradeEvent& event);
  void Answer();

  uv::Loop& loop_;
  const DaemonContext& context_;
  Services& services_;
  Clients& clients_;
  uv::DiskThread& disk_;
  PreviousVersion& previous_;
  Hands hands_;
  std::optional<Command> command_;  // under way
  std::optional<UpgradeStart> start_;
  std::uint64_t starts_ = 0;  // which one that is
  std::unique_ptr<SelfCheckRun> check_;
  SelfCheck next_;             // what the installed slcd says
  KeptVersion kept_;           // beside it
  std::string master_binary_;  // the installed one, while there is a plan
  std::optional<UpgradePlan> plan_;
  std::deque<UpgradeEvent> inbox_;
  bool feeding_ = false;
  // The last one that has ended: its request may be repeated.
  std::string done_request_;
  Reply done_reply_;
  uv::Timer timer_;
  uv::Timer look_;
  uv::Timer check_over_;  // a check is not destroyed within its own callback
  std::optional<StartEvent> after_check_;
};

}  // namespace slc
