// Services: slcd's hands on all services: for each the handle on its master, what that is told, and
// what clients are shown of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/notify.h"
#include "common/model/journal.h"
#include "common/model/service.h"
#include "common/model/view.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/core/registry.h"
#include "daemon/instance_handle.h"
#include "daemon/views.h"

namespace slc {

class Services {
 public:
  struct Events {
    std::function<void(ServiceId id, const link::Facts& facts)> on_facts;
    std::function<void(ServiceId id, const link::Notice& notice)> on_notice;
    std::function<void(ServiceId id, JournalRecord record)> on_record;  // of kind, pid and text
    std::function<void(ServiceId id)> on_nobody;  // slcd has started: it has no master
    std::function<void(ServiceId id, const Error& error)> on_launch_failed;  // it is tried again
    std::function<void(ServiceId id)> on_gone;  // no master any more, and none is to come
    // It is to run, and could be started or not: see TroubleOf.
    std::function<void(ServiceId id)> on_prepared;
    std::function<void(const UpgradeEvent& outcome)> on_upgraded;  // see UpgradeMaster
    std::function<void(const link::Inspected& answer, std::vector<UniqueFd> fds)> on_inspected;
    std::function<void(ServiceId id)> on_cut;        // see InstanceHandle
    std::function<void(ServiceView& view)> on_view;  // may fill in what is known elsewhere
    // A child that is no worker of ours: whoever started it wants its status.
    std::function<bool(int pid)> is_awaited;
  };

  // All but `events` is owned by the caller and outlives this.
  Services(uv::Loop& loop, const DaemonContext& context, const Registry& registry,
           uv::DiskThread& disk, Events events);

  // What systemd has kept, see FdStore: to be called before the services are taken up.
  void Inherit(std::vector<ReturnedFd> kept);
  // What another image of slcd has left, see heritage.h. To be called before the services are taken
  // up.
  void Inherit(Inheritance& inheritance, const DaemonFacts& facts);
  // The same for the next image.
  void Bequeath(Bequest& bequest, DaemonFacts& facts) const;
  // No master is being started, searched or replaced.
  bool Settled() const;
  void UpgradeMaster(ServiceId id) { ServiceOf(id).instance->UpgradeMaster(); }
  // See InstanceHandle.
  bool Inspect(ServiceId id, const link::Inspect& question) {
    return ServiceOf(id).instance->Inspect(question);
  }
  // `installed`: the id of the binary that is, see BinaryId.
  std::vector<SightedMaster> SightedMasters(const std::string& installed) const;

  // slcd has come up: adopts the living master of a wish, or starts one if it is to run.
  void TakeUp(const Wish& wish);
  // Of a quarantined one: adopts its living master, and leaves that as it is.
  void TakeUp(const Quarantined& bad);
  // Of one that was fallen back to an older wish: the same, until GoOn says what is wanted.
  void Follow(ServiceId id) { ServiceOf(id).instance->Follow(); }
  // `wish` is committed. The living master has its config, or else that is resolved.
  void GoOn(const Wish& wish);
  // The same, completed by what its living master tells.
  Quarantined Recognize(Quarantined bad);
  void StopQuarantined(ServiceId id, bool soft) { ServiceOf(id).instance->StopFollowed(soft); }
  // There is a quarantined one that has a master, and it has not told yet who it is.
  bool AnyUnrecognized() const;
  // Tells the master what is wanted. `wish` is committed. Nothing is told of a run that cannot be,
  // see WhyNotRun: what runs goes on, and the wish stays recorded.
  void Order(const Wish& wish);
  // The config of a new generation, a memfd, to be given before it is ordered.
  void AddConfig(const Wish& wish, UniqueFd config);
  // For the journal: how a new generation, whose memfd this is, differs from the newest before it
  // of which a master still has the config.
  void RecordGeneration(const Wish& wish, int config);
  void Forget(ServiceId id) { services_.erase(id); }

  // --- a generation that is tried by one worker before it is rolled, see Wish::trial.
  //
  // As its master tells; on_facts says when that has changed. A worker that served and was lost
  // with its master is tried anew: then it is pending again. Nothing if its master is of an older
  // version, which knows of no trials: it rolls at once.
  std::optional<TrialStand> StandOf(ServiceId id, Generation generation);
  // Gives the wish's generation the config that an older one has, instead of AddConfig and before
  // it is ordered: what runs of that one stays. kNotFound if that is not known any more, and
  // kInvalid if it cannot be kept: then a config has to be resolved, and everything is rolled.
  Status AddConfigOf(const Wish& wish, Generation before);

  // From now on nothing is to run, whatever the wishes say.
  void StopAll();
  bool stopping() const { return stopping_; }
  bool AnyMaster() const;
  // Its master says that workers of it serve.
  bool IsRunning(ServiceId id) const;
  void SayLeaving();
  // The run directories of masters may have been removed, see InstanceHandle.
  void Rehouse();
  void Rehouse(ServiceId id);
  // Takes the status of every child that has ended, and passes it to whom it may concern.
  void ReapChildren();

  const InstanceHandle& InstanceOf(ServiceId id) { return *ServiceOf(id).instance; }
  // Why its generation could not be resolved when slcd started, and not since; empty if all is
  // well.
  const std::string& TroubleOf(ServiceId id) { return ServiceOf(id).trouble; }
  // Why there is nothing to run the wish with: the config of its generation is missing. Empty if it
  // is there, or may still come.
  std::string WhyNotRun(const Wish& wish);
  // Of those that live.
  std::vector<MasterInfo> Masters() const;
  ServiceView ViewOf(const Wish& wish);
  ServiceView ViewOf(const Quarantined& bad);

 private:
  struct Service {
    std::unique_ptr<InstanceHandle> instance;
    bool preparing = false;  // its config is being made, which slcd had none of when it started
    std::string trouble;     // why that has failed; it is tried again by `again`
    Millis tries = 0;        // that have failed in a row
    std::unique_ptr<uv::Timer> again;  // made when it is needed: most services never are
    Millis again_at = 0;
    // Of the wish of which order; a look at all services would take twice as long with them made
    // each time.
    std::optional<std::uint64_t> described;
    std::vector<std::string> options;
    // Whose config is that of which older generation.
    Generation renumbered = 0;
    Generation same_as = 0;
  };

  Service& ServiceOf(ServiceId id);
  ViewInput ViewInputOf(const Service& service, const std::string& name) const;
  FleetWish FleetWishOf(const Wish& wish) const;
  void Prepare(const Wish& wish);
  void PrepareAgain(ServiceId id);
  bool IsNeeded(const Wish& wish);
  void Prepared(ServiceId id, Generation generation, Result<UniqueFd>& config);
  void TryLater(const Wish& wish, const std::string& trouble);
  static void EndTrying(Service& service);
  // "; next try in 4.0 s"
  std::string NextTry(const Service& service) const;

  uv::Loop& loop_;
  const DaemonContext& context_;
  const Registry& registry_;
  uv::DiskThread& disk_;
  Events events_;
  std::map<ServiceId, Service> services_;
  bool stopping_ = false;
};

}  // namespace slc
