// Changes: what commands make of the wishes.
//
// A change goes: propose (pure) -> resolve and record on the disk thread -> commit -> order to the
// master -> answer when the master's facts say it has happened. Changes of one service are taken
// one after another, and so are the creations of services.
//
// Of a service that has fallen back a change waits until its master has told what it obeys; after
// kPatience it is refused.
//
// What cannot be recorded is refused and changes nothing, but for a stop: that is carried out all
// the same, in the reserve if that can be, and recorded when the disk is well again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/commands/clients.h"
#include "daemon/commands/operations.h"
#include "daemon/core/registry.h"
#include "daemon/recorder.h"
#include "daemon/services.h"
#include "daemon/store.h"

namespace slc {

class Changes {
 public:
  // A silent master has been replaced before, if that can be; and shorter than a person's patience.
  static constexpr Millis kPatience = 10'000;

  using Propose = std::function<Result<Proposal>(ServiceId id)>;

  // All is owned by the caller and outlives this. `home`: its path, to be named.
  Changes(uv::Loop& loop, Registry& registry, Store& store, Recorder& recorder, Services& services,
          Operations& operations, Clients& clients, std::string home);

  // Changes a known service, given by name or id.
  void Change(const Command& command, const std::string& service, Propose propose);
  // slcd restarts it by itself, see Command::cause. Refused like a client's; what is to be down, or
  // waits for a person, is left alone.
  void RestartUnasked(ServiceId id, RollMode mode, const std::string& cause,
                      const std::string& occasion);
  // A step of a deploy: proposed, recorded, and ordered of the master. `done` gets why not; else
  // what was committed is in force, and nothing is waited for.
  using OnSwitched = std::function<void(const Status& status)>;
  void Switch(ServiceId id, Propose propose, OnSwitched done);
  // A service of that name, without an app, is made unless there is one.
  void Make(const std::string& name, OnSwitched done);
  // Whoever deploys: may refuse a change of the service (what is in its way), and hears of those
  // that end the deploy.
  struct Deployer {
    std::function<std::optional<Error>(ServiceId id)> refusal;
    std::function<void(ServiceId id, const std::string& reason)> cancel;
  };
  void SetDeployer(Deployer deployer) { deployer_ = std::move(deployer); }
  // A change of it is on its way, or a soft restart under way.
  bool IsChanging(ServiceId id) const;
  // `on_changed`: the wish of a service has become another, or is gone.
  void SetObserver(std::function<void(ServiceId id)> on_changed) {
    on_changed_ = std::move(on_changed);
  }
  // Runs `action` now, or when the service that is being created is durable and the masters of
  // quarantined ones have told who they are: only then is the next id safe, and known which names
  // are taken.
  void OnceNamesAreKnown(std::function<void()> action);
  // Carries out the proposal of a service that has no wish yet, within OnceNamesAreKnown.
  void Create(const Command& command, Result<Proposal> proposal);
  // Stops what runs of a quarantined service; `forget`: and removes it then.
  void EndQuarantined(const Command& command, Quarantined bad, bool soft, bool forget);

  // Facts have changed: answers what has happened, forgets what was to be removed and has ended.
  void Settle(ServiceId id);

  // The client lost the answer to the request that made this wish, and asks again. Known of the
  // last change of a service only: an older request that is repeated is taken for a new one.
  static bool IsRepeat(const Command& command, const Wish& wish);
  // The same of a removal.
  bool HasRemoved(const std::string& request) const;
  void RememberRemoval(const std::string& request);

 private:
  // What the disk thread brings back of a change.
  struct Carriage {
    UniqueFd config;        // of the new generation, a memfd
    bool reserved = false;  // it is in the reserve, not in its file
    bool damaged = false;   // there is Store::DamagedFile
  };
  struct Waiting {
    Command command;
    std::function<void()> change;
  };
  struct Queue {
    bool saving = false;          // a change is on its way to the disk
    std::deque<Waiting> waiting;  // changes that came meanwhile
  };

  // Its record was damaged, and it is not known yet what its master obeys: a change waits for that.
  bool IsUnsettled(ServiceId id) const;
  void AwaitSettled(const Command& command);
  void RefuseImpatient();
  bool IsRolling(ServiceId id) const;
  bool RefuseDuringRoll(const Command& command, ServiceId id);
  bool RefuseDuringDeploy(const Command& command, ServiceId id);
  Recorder::Write Writing(const Proposal& proposal, const std::shared_ptr<Carriage>& carriage);
  void Adopt(const Proposal& proposal, UniqueFd config);
  void Carry(const Command& command, Proposal proposal, std::function<void()> done);
  // `carriage`: null if nothing was brought back, or not yet.
  void Carried(const Command& command, Proposal proposal, Carriage* carriage, const Status& status);
  void TellEndedFallback(Proposal& proposal, bool damaged) const;
  void Commit(const Command& command, const Proposal& proposal, UniqueFd config);
  void NextChange(ServiceId id);
  void ServeCreations();
  void FinishRemoval(const Wish& wish);
  void FinishRemoval(const Quarantined& bad);
  void Forget(ServiceId id, const std::string& request, std::vector<std::string> notes,
              std::function<Status()> remove);

  uv::Loop& loop_;
  Registry& registry_;
  Store& store_;
  Recorder& recorder_;
  Services& services_;
  Operations& operations_;
  Clients& clients_;
  std::string home_;
  std::map<ServiceId, Queue> queues_;
  std::set<ServiceId> forgetting_;  // their files are being removed
  bool creating_ = false;
  std::deque<std::function<void()>> waiting_creations_;
  std::deque<std::string> removals_;  // requests by which services were removed
  uv::Timer impatience_;
  std::function<void(ServiceId id)> on_changed_;
  Deployer deployer_;
};

}  // namespace slc
