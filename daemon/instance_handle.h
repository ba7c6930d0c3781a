// InstanceHandle: slcd's hands on one service's master: launches it, links to it, keeps its
// descriptors, fences it. The shell around InstancePlan.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/process.h"
#include "common/base/unique_fd.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/model/journal.h"
#include "common/model/service.h"
#include "common/model/view.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/inheritance.h"
#include "common/wire/packet_socket.h"
#include "common/wire/snapshot_format.h"
#include "daemon/core/instance_plan.h"
#include "daemon/core/lodging.h"
#include "daemon/core/master_upgrade.h"
#include "daemon/core/upgrade_plan.h"
#include "daemon/daemon_context.h"
#include "daemon/heritage.h"
#include "daemon/keeper.h"
#include "daemon/missing_descriptors.h"
#include "daemon/run_directory.h"

namespace slc {

class InstanceHandle {
 public:
  struct Events {
    std::function<void(const link::Facts& facts)> on_facts;
    std::function<void(const link::Notice& notice)> on_notice;
    std::function<void(JournalRecord record)> on_record;  // something for the journal
    std::function<void()> on_nobody;                      // Search or Follow has found no master
    std::function<void(const Error& error)> on_launch_failed;  // it is tried again
    std::function<void()>
        on_reaped;                  // the master's zombie is gone; others may have hidden behind it
    std::function<void()> on_gone;  // no master any more, and none is to come
    // What the master says of a worker it was asked to look into.
    std::function<void(const link::Inspected& answer, std::vector<UniqueFd> fds)> on_inspected;
    // The link to the master is another, or gone: what it was asked will not be answered.
    std::function<void()> on_cut;
    // What came of UpgradeMaster().
    std::function<void(const UpgradeEvent& outcome)> on_upgraded;
  };

  InstanceHandle(uv::Loop& loop, const DaemonContext& context, uv::DiskThread& disk, ServiceId id,
                 std::string name, Events events);
  ~InstanceHandle();
  InstanceHandle(const InstanceHandle&) = delete;
  InstanceHandle& operator=(const InstanceHandle&) = delete;

  // What systemd has kept of it: to be called before Search or Follow.
  void InheritKept(const std::string& name, UniqueFd fd) { keeper_.Inherit(name, std::move(fd)); }
  // slcd has come up: adopts a living master, or clears away what a dead one left. There counts as
  // one until the outcome is known.
  void Search(const FleetWish& wish);
  // What is to be true.
  void SetWish(const FleetWish& wish);
  // The config of a generation, which its master may not have: to be given before it is wanted.
  void AddConfig(Generation generation, UniqueFd memfd);
  // It can be given to a master, or has come from one.
  bool has_config(Generation generation) const;
  // Instead of Search, if it is not known what is wanted of the service: adopts a living master and
  // leaves it as it is; nothing is started. SetWish ends that.
  void Follow();
  // Of one that is followed: stops what runs of it.
  void StopFollowed(bool soft);
  // What the followed master was told last; nothing if there is none, or it has not answered yet.
  std::optional<FleetWish> followed() const;
  // The service's name; of one that is followed, as its master says.
  const std::string& name() const { return name_; }
  void Rename(const std::string& name) { name_ = name; }
  // Another image of slcd has held this master: to be called before Search or Follow.
  void Inherit(InstanceHeritage heritage);
  // What the next image of slcd needs.
  void Bequeath(Bequest& bequest, DaemonFacts& facts) const;
  // No master is being started, searched or replaced.
  bool settled() const { return in_charge() || !has_master(); }
  // Has the master go on as the installed version, in place.
  void UpgradeMaster();

  // Asks the master to look into a worker. False: it cannot be told.
  bool can_look() const { return hello_.looks; }
  bool Inspect(const link::Inspect& question) { return link_ && link_->Send(question); }

  // Where the run directory of a living master, its lock or its socket in there has been removed no
  // slcd after us would find it, and one would take its workers for leftovers: a successor takes
  // over, and makes them anew.
  void Rehouse();
  // The master may hang up without being taken for dead: we leave.
  void SayLeaving(bool revive);
  // One of our adopted children has ended.
  bool TellExit(const ProcessIdentity& process, int status);

  bool has_master() const { return plan_.state() != InstancePlan::State::kAbsent || launching_; }
  bool in_charge() const { return plan_.state() == InstancePlan::State::kInCharge; }
  bool adopting() const;
  // Why nothing can be told to the master that lives, and what to do; empty if all is well.
  const std::string& foreign() const { return foreign_; }
  // Ended by a SIGTERM to its master, though it is to run: see InstancePlan.
  bool left() const { return plan_.left() && !has_master(); }
  const std::optional<link::Facts>& facts() const { return facts_; }
  // The newest facts of the master, from its snapshot; null if there is no master. They stay until
  // the next call.
  const InstanceState* ReadState() const;
  // The living master understands FleetWish::trial.
  bool knows_trials() const { return in_charge() && hello_.trials; }
  // Nothing if the generation has left no trace.
  std::optional<GenerationConfig> ReadConfig(Generation generation) const;
  const std::optional<ProcessIdentity>& master() const { return master_; }
  // What the living master has said of itself; nothing if there is none.
  std::optional<MasterInfo> about_master() const;
  // How long the master has not been heard though it was asked; 0 if all is well.
  Millis silent_for() const;

 private:
  void Feed(const PlanEvent& event);
  void Tick();
  void Do(const LaunchMaster& action);
  void Do(const FenceMaster& action);
  void Do(const TakeDescriptors& action);
  void SendOrBreakOff(const link::Packet& packet, const std::vector<int>& fds);
  void Do(const SendOrder& action);
  void Do(const PingMaster& action);
  void Do(const CleanUp& action);
  void Look();
  // The master that is about to be launched, or was found, is to be found by others, too.
  void WatchLodging(bool found);
  void SaveConfig();
  void Watch(ProcessIdentity identity, UniqueFd pidfd);
  void UseLink(UniqueFd socket);
  void Record(const char* kind, const std::string& text) const;
  void LaunchFailed(const Error& error);
  void HandOver();
  void OnPacket(link::Packet packet, std::vector<UniqueFd> fds);
  void OnLinkClosed();
  void OnMasterEnded();
  void Cut();
  void Keep(const link::Store& store, std::vector<UniqueFd> fds);
  void SayMissing();
  void Sweep();
  bool GoOnWithInherited();
  void Tell(const std::optional<UpgradeEvent>& outcome);
  void OnForeign();
  std::string Cookie() const;

  uv::Loop& loop_;
  const DaemonContext& context_;
  ServiceId id_;
  std::string name_;
  Events events_;
  InstancePlan plan_;
  RunDirectory directory_;
  Keeper keeper_;
  MissingDescriptors missing_;
  MasterUpgrade upgrade_;
  std::map<Generation, UniqueFd> new_configs_;  // not known to have arrived
  FleetWish wish_;
  bool follows_ = false;
  std::optional<bool> stop_followed_;  // whether softly
  std::optional<link::Facts> facts_;
  // What the snapshot meant at the last look, and by what it is known not to have changed.
  struct LastLook {
    std::uint64_t kept = 0;  // Keeper::changes()
    SnapshotMark mark;
    InstanceState state;
  };
  mutable std::optional<LastLook> looked_;
  std::optional<ProcessIdentity> master_;
  link::MasterHello hello_;  // of that one; its version is empty until it has come
  UniqueFd pidfd_;
  bool adopt_ = false;  // the launched master is to take over
  bool launching_ = false;
  Epoch master_epoch_ = 0;
  std::uint64_t launches_ = 0;
  std::uint64_t pings_ = 0;
  std::optional<Millis> trouble_since_;  // whether there is a master cannot be told
  std::string search_trouble_;           // as it was logged
  Millis asked_at_ = 0;                  // of the unanswered ping
  UniqueFd inherited_link_;
  std::optional<ProcessIdentity> inherited_master_;
  unsigned inherited_hellos_ = 0;  // that it owes the last image
  Lodging lodging_;
  const char* lost_ = nullptr;  // of the master that is replaced by Rehouse(), see Lodging
  std::string foreign_;
  std::deque<PlanEvent> inbox_;
  bool feeding_ = false;
  uv::Timer timer_;
  uv::Timer look_again_;
  uv::Timer order_again_;
  uv::Timer sweep_;  // destroys a link outside its own callback
  std::unique_ptr<PacketSocket> link_;
  std::unique_ptr<PacketSocket> old_link_;
  std::unique_ptr<uv::Poll> end_poll_;
};

}  // namespace slc
