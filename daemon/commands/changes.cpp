#include "daemon/commands/changes.h"

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/generation_resolver.h"

namespace slc {

Changes::Changes(uv::Loop& loop, Registry& registry, Store& store, Recorder& recorder,
                 Services& services, Operations& operations, Clients& clients, std::string home)
    : loop_(loop),
      registry_(registry),
      store_(store),
      recorder_(recorder),
      services_(services),
      operations_(operations),
      clients_(clients),
      home_(std::move(home)),
      impatience_(loop, [this] { RefuseImpatient(); }) {}

// ---------------------------------------------------------------------------------------------
// one after another

void Changes::Change(const Command& command, const std::string& service, Propose propose) {
  auto id = registry_.Find(service);
  if (!id) return clients_.Refuse(command, id.error());
  Queue& queue = queues_[*id];
  const auto change = [this, command, service, propose] { Change(command, service, propose); };
  if (queue.saving) {
    queue.waiting.push_back({command, change});
    return;
  }
  const Wish& wish = *registry_.Get(*id);
  if (IsRepeat(command, wish)) {
    // It has had its effect and is waited for.
    operations_.Add(*id, Operation{command, wish.order, {}});
    return Settle(*id);
  }
  if (const std::string& foreign = services_.InstanceOf(*id).foreign(); !foreign.empty()) {
    return clients_.Refuse(command, Error{ErrorCode::kProtocol, foreign});
  }
  if (IsUnsettled(*id)) {
    queue.waiting.push_back({command, change});
    return AwaitSettled(command);
  }
  if (RefuseDuringDeploy(command, *id) || RefuseDuringRoll(command, *id)) return;
  auto proposal = propose(*id);
  if (!proposal) return clients_.Refuse(command, proposal.error());
  if (!proposal->changed) {
    operations_.Add(*id, Operation{command, proposal->wish.order, proposal->notes});
    return Settle(*id);
  }
  queue.saving = true;
  Carry(command, std::move(*proposal), [this, id = *id] {
    queues_[id].saving = false;
    NextChange(id);
  });
}

void Changes::RestartUnasked(ServiceId id, RollMode mode, const std::string& cause,
                             const std::string& occasion) {
  const Wish* wish = registry_.Get(id);
  if (wish == nullptr || services_.stopping()) return;
  Request request{NewRequestId(), true, RestartService{wish->spec.name, mode, 1}};
  Command command = clients_.CommandOf(kInnerClient, std::move(request));
  command.client = kNoClient;
  command.cause = cause;
  command.occasion = occasion;
  Change(command, std::to_string(id), [this, mode](ServiceId known) -> Result<Proposal> {
    const Wish& now = *registry_.Get(known);
    if (!now.run) return Error{ErrorCode::kConflict, "'" + now.spec.name + "' is to be down"};
    if (services_.InstanceOf(known).left()) {
      return Error{ErrorCode::kConflict,
                   "its master was sent SIGTERM; to start it: slc ctl start " + now.spec.name};
    }
    if (registry_.GetFallback(known) != nullptr) {
      return Error{ErrorCode::kConflict,
                   "the record of '" + now.spec.name +
                       "' was damaged, and nobody has seen to it: slc ctl status " + now.spec.name};
    }
    return registry_.ProposeRestart(known, mode, 1);
  });
}

bool Changes::IsRepeat(const Command& command, const Wish& wish) {
  return !command.request.id.empty() && wish.last_request == command.request.id;
}

bool Changes::IsUnsettled(ServiceId id) const {
  const Fallback* fallback = registry_.GetFallback(id);
  return fallback != nullptr && !fallback->settled;
}

void Changes::AwaitSettled(const Command& command) {
  Progress progress;
  progress.kind = "note";
  progress.text = "its record was damaged; waiting until its master tells what it obeys";
  clients_.Tell(command, progress);
  // Others that wait came before, and are up before.
  if (!impatience_.active()) impatience_.StartAt(command.since + kPatience);
}

void Changes::RefuseImpatient() {
  std::optional<Millis> next;
  for (auto& [id, queue] : queues_) {
    if (!IsUnsettled(id)) continue;
    std::deque<Waiting>& waiting = queue.waiting;
    while (!waiting.empty() && waiting.front().command.since + kPatience <= loop_.now()) {
      const Command command = std::move(waiting.front().command);
      waiting.pop_front();
      const std::string name = registry_.Get(id)->spec.name;
      clients_.Refuse(command,
                      Error{ErrorCode::kTimeout,
                            "service '" + name + "': its record was damaged, and its " +
                                "master has not told for " + FormatSpan(kPatience) +
                                " what it obeys; nothing was changed; try again when " +
                                "`slc ctl status " + name + "` does not say 'adopting' any more"});
    }
    if (waiting.empty()) continue;
    const Millis at = waiting.front().command.since + kPatience;
    next = next ? std::min(*next, at) : at;
  }
  if (next) impatience_.StartAt(*next);
}

bool Changes::IsRolling(ServiceId id) const {
  const Wish& wish = *registry_.Get(id);
  const auto& facts = services_.InstanceOf(id).facts();
  return wish.run && wish.mode == RollMode::kRolling && facts &&
         (facts->order < wish.order || facts->phase == "rolling");
}

bool Changes::IsChanging(ServiceId id) const {
  const auto queue = queues_.find(id);
  if (queue != queues_.end() && (queue->second.saving || !queue->second.waiting.empty())) {
    return true;
  }
  return registry_.Get(id) != nullptr && (IsUnsettled(id) || IsRolling(id));
}

bool Changes::RefuseDuringRoll(const Command& command, ServiceId id) {
  const auto* restart = std::get_if<RestartService>(&command.request.body);
  const bool rolls = (restart != nullptr && restart->mode == RollMode::kRolling) ||
                     std::holds_alternative<SetEnvironment>(command.request.body);
  if (!rolls) return false;
  if (!IsRolling(id)) return false;
  const Wish& wish = *registry_.Get(id);
  const auto& facts = services_.InstanceOf(id).facts();
  clients_.Refuse(command, Error{ErrorCode::kConflict,
                                 "a soft restart of '" + wish.spec.name + "' to generation " +
                                     std::to_string(wish.generation) + " is under way (" +
                                     std::to_string(facts->ready) +
                                     " workers ready); wait for it, or cancel it "
                                     "with stop or restart"});
  return true;
}

// What is to be down or gone ends a deploy; its size it may change at any time.
bool Changes::RefuseDuringDeploy(const Command& command, ServiceId id) {
  const RequestBody& body = command.request.body;
  if (!deployer_.refusal || std::holds_alternative<SetSize>(body)) return false;
  const auto refusal = deployer_.refusal(id);
  if (!refusal) return false;
  if (std::holds_alternative<StopService>(body) || std::holds_alternative<RemoveService>(body)) {
    deployer_.cancel(id, std::string("the service is to be ") +
                             (std::holds_alternative<StopService>(body) ? "down" : "removed"));
    return false;
  }
  clients_.Refuse(command, *refusal);
  return true;
}

void Changes::Switch(ServiceId id, Propose propose, OnSwitched done) {
  if (registry_.Get(id) == nullptr) {
    return done(Error{ErrorCode::kCancelled, "the service was removed meanwhile"});
  }
  Queue& queue = queues_[id];
  if (queue.saving) {
    Command command;
    command.since = loop_.now();
    queue.waiting.push_back({command, [this, id, propose, done] { Switch(id, propose, done); }});
    return;
  }
  const auto proposal = propose(id);
  if (!proposal) return done(proposal.error());
  if (!proposal->changed) return done(Ok());
  queue.saving = true;
  auto carriage = std::make_shared<Carriage>();
  recorder_.Do(id, Writing(*proposal, carriage),
               [this, id, proposal = *proposal, carriage, done](const Status& status) {
                 if (status) {
                   if (carriage->reserved) recorder_.Owe(id);
                   Adopt(proposal, std::move(carriage->config));
                   services_.Order(proposal.wish);
                   if (on_changed_) on_changed_(id);
                 }
                 queues_[id].saving = false;
                 done(status);
                 NextChange(id);
               });
}

void Changes::Make(const std::string& name, OnSwitched done) {
  OnceNamesAreKnown([this, name, done = std::move(done)] {
    if (registry_.Find(name)) return done(Ok());
    const auto proposal = registry_.ProposeCreate(name, kSizeCpu);
    if (!proposal) return done(proposal.error());
    creating_ = true;
    auto carriage = std::make_shared<Carriage>();
    recorder_.Do(proposal->wish.id, Writing(*proposal, carriage),
                 [this, proposal = *proposal, done](const Status& status) {
                   if (status) {
                     Adopt(proposal, UniqueFd());
                     services_.Order(proposal.wish);
                     if (on_changed_) on_changed_(proposal.wish.id);
                   }
                   creating_ = false;
                   done(status);
                   ServeCreations();
                 });
  });
}

void Changes::NextChange(ServiceId id) {
  const auto found = queues_.find(id);
  if (found == queues_.end() || found->second.saving || found->second.waiting.empty()) return;
  if (IsUnsettled(id)) return;
  const auto next = std::move(found->second.waiting.front());
  found->second.waiting.pop_front();
  next.change();
  NextChange(id);
}

void Changes::OnceNamesAreKnown(std::function<void()> action) {
  waiting_creations_.push_back(std::move(action));
  ServeCreations();
}

void Changes::ServeCreations() {
  // Who waited may find that the service exists by now, and then creates nothing that would end.
  while (!creating_ && !waiting_creations_.empty() && !services_.AnyUnrecognized()) {
    const auto next = std::move(waiting_creations_.front());
    waiting_creations_.pop_front();
    next();
  }
}

void Changes::Create(const Command& command, Result<Proposal> proposal) {
  if (!proposal) return clients_.Refuse(command, proposal.error());
  creating_ = true;
  Carry(command, std::move(*proposal), [this] {
    creating_ = false;
    ServeCreations();
  });
}

// -----------------------------------------------------------------------------------------------
// carrying out

// Calls `done` when the change is committed or refused.
void Changes::Carry(const Command& command, Proposal proposal, std::function<void()> done) {
  proposal.wish.last_request = command.request.id;
  Registry::EndFallback(proposal);
  auto carriage = std::make_shared<Carriage>();
  recorder_.Do(proposal.wish.id, Writing(proposal, carriage),
               [this, command, proposal, carriage, done = std::move(done)](const Status& status) {
                 // Of a change that was given up the disk thread may be writing it at this moment.
                 Carried(command, proposal, status ? carriage.get() : nullptr, status);
                 done();
               });
}

Recorder::Write Changes::Writing(const Proposal& proposal,
                                 const std::shared_ptr<Carriage>& carriage) {
  return [&store = store_, proposal, carriage](Recorder::Stage& stage) -> Status {
    const Wish& wish = proposal.wish;
    if (proposal.new_generation) {
      stage = "reading the app's folder";
      auto config = ResolveGeneration(wish);
      // What was once may not be there any more; its master has its config, as a rule.
      if (!config && proposal.as_before == 0) return config.error();
      // Before it is recorded: a generation that cannot be given to the master must not hold.
      if (config) {
        auto memfd = MakeMemfd("slc-config", DumpJson(ToJson(*config)));
        if (!memfd) return memfd.error().During("hand the new configuration over");
        carriage->config = UniqueFd(*memfd);
      }
    }
    stage = "recording the change";
    Status saved = store.Save(wish);
    carriage->damaged = store.HasDamagedFile(wish.id);
    if (saved || wish.run || wish.removing) return saved;
    carriage->reserved = store.SaveInReserve(wish).ok();
    return carriage->reserved ? Ok() : saved;
  };
}

void Changes::Carried(const Command& command, Proposal proposal, Carriage* carriage,
                      const Status& status) {
  const Wish& wish = proposal.wish;
  const bool stop = std::holds_alternative<StopService>(command.request.body);
  if (!status && !stop) return clients_.Refuse(command, status.error());
  if (!status || carriage->reserved) recorder_.Owe(wish.id);
  if (!status) {
    proposal.notes.push_back("this is not recorded, and tried again every second until it is: " +
                             status.error().message + "; a slcd that is started before starts '" +
                             wish.spec.name + "' again");
  }
  TellEndedFallback(proposal, status && carriage->damaged);
  Commit(command, proposal, status ? std::move(carriage->config) : UniqueFd());
}

// `damaged`: there is the damaged file.
void Changes::TellEndedFallback(Proposal& proposal, bool damaged) const {
  const Wish& wish = proposal.wish;
  const Fallback* fallback = registry_.GetFallback(wish.id);
  if (fallback == nullptr || wish.damage || wish.removing) return;
  std::string note = DescribeFallback(*fallback);
  if (damaged) {
    note += "; the damaged file is kept as " + home_ + "/services/" + Store::DamagedFile(wish.id);
  }
  proposal.notes.push_back(note);
}

void Changes::Commit(const Command& command, const Proposal& proposal, UniqueFd config) {
  const Wish& wish = proposal.wish;
  Adopt(proposal, std::move(config));
  operations_.Overtake(wish.id, command.request.body);
  if (command.request.wait || wish.removing) {
    clients_.Accept(command, wish.id, proposal.notes);
    operations_.Add(wish.id, Operation{command, wish.order, proposal.notes});
  } else {
    clients_.Answer(command, operations_.ReplyWith(wish.id, proposal.notes));
  }
  services_.Order(wish);
  if (on_changed_) on_changed_(wish.id);
  Settle(wish.id);
}

// All but telling the master, which is to come after whoever waits is known.
void Changes::Adopt(const Proposal& proposal, UniqueFd config) {
  const Wish& wish = proposal.wish;
  registry_.Commit(wish);
  if (proposal.new_generation) {
    if (config) services_.RecordGeneration(wish, config.get());
    if (proposal.as_before != 0) {
      const Status kept = services_.AddConfigOf(wish, proposal.as_before);
      if (kept) return;
      log::Info("service " + wish.spec.name +
                ": all its workers are replaced: " + kept.error().message);
    }
    if (config) services_.AddConfig(wish, std::move(config));
  }
}

void Changes::Settle(ServiceId id) {
  const Wish* wish = registry_.Get(id);
  const Quarantined* bad = registry_.GetQuarantined(id);
  const bool removing = wish != nullptr ? wish->removing : bad != nullptr && bad->removing;
  if (!removing || services_.InstanceOf(id).has_master()) {
    operations_.Settle(id);
  } else if (wish != nullptr) {
    FinishRemoval(*wish);
  } else {
    FinishRemoval(*bad);
  }
  ServeCreations();
  NextChange(id);
}

// ------------------------------------------------------------------------------------------------
// endings

void Changes::EndQuarantined(const Command& command, Quarantined bad, bool soft, bool forget) {
  if (forget) {
    bad.removing = true;
    bad.removal_request = command.request.id;
  }
  operations_.Overtake(bad.id, command.request.body);
  services_.StopQuarantined(bad.id, soft);
  registry_.Quarantine(services_.Recognize(bad));
  if (command.request.wait || forget) {
    clients_.Accept(command, bad.id, {});
    operations_.Add(bad.id, Operation{command, 0, {}});
  } else {
    clients_.Answer(command, operations_.ReplyWith(bad.id, {}));
  }
  Settle(bad.id);
}

void Changes::FinishRemoval(const Wish& wish) {
  Forget(wish.id, wish.last_request, {"its logs remain in " + home_ + "/logs/" + wish.spec.name},
         [&store = store_, id = wish.id, request = wish.last_request] {
           return store.Remove(id, request);
         });
}

void Changes::FinishRemoval(const Quarantined& bad) {
  std::vector<std::string> notes{"its damaged file remains as " + home_ + "/services/" +
                                 Store::RemovedFile(bad.id)};
  if (!bad.name.empty()) notes.push_back("its logs remain in " + home_ + "/logs/" + bad.name);
  Forget(bad.id, bad.removal_request, std::move(notes),
         [&store = store_, id = bad.id, request = bad.removal_request] {
           return store.RemoveQuarantined(id, request);
         });
}

void Changes::Forget(ServiceId id, const std::string& request, std::vector<std::string> notes,
                     std::function<Status()> remove) {
  if (!forgetting_.insert(id).second) return;
  recorder_.Do(
      id,
      [remove = std::move(remove)](Recorder::Stage& stage) {
        stage = "removing the service";
        return remove();
      },
      [this, id, request, notes = std::move(notes)](const Status& status) {
        forgetting_.erase(id);
        Reply reply;
        if (status) {
          reply.notes = notes;
        } else {
          reply.error = status.error();
          reply.error->message += "; the removal is tried again every second";
          recorder_.Owe(id);
        }
        operations_.AnswerAll(id, reply);
        if (!status) return;
        RememberRemoval(request);
        registry_.Forget(id);
        services_.Forget(id);
        if (on_changed_) on_changed_(id);
        const auto waiting = std::move(queues_[id].waiting);
        queues_.erase(id);
        for (const Waiting& each : waiting) each.change();
        ServeCreations();
      });
}

bool Changes::HasRemoved(const std::string& request) const {
  return std::find(removals_.begin(), removals_.end(), request) != removals_.end();
}

void Changes::RememberRemoval(const std::string& request) {
  constexpr std::size_t kMost = 64;  // a client repeats within seconds
  if (request.empty()) return;
  removals_.push_back(request);
  if (removals_.size() > kMost) removals_.pop_front();
}

}  // namespace slc
