#include "daemon/commands/operations.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc {
namespace {

// What an operator has to know when workers with a new setting did not come up: it stays recorded.
std::string AfterFailedSetting(const SetEnvironment& setting, const ServiceView& view) {
  const bool serves =
      std::any_of(view.processes.begin(), view.processes.end(), [&](const ProcessView& process) {
        return process.worker != 0 && process.state == "ready" &&
               process.generation < view.generation;
      });
  std::vector<std::string> names;
  for (const auto& [name, value] : setting.set) names.push_back(name);
  std::string back;
  if (!names.empty()) back = "slc ctl env-unset " + view.name + " " + Join(names, " ");
  for (const auto& name : setting.unset) names.push_back(name);
  // Values are not repeated: they may be secrets.
  if (!back.empty()) back += ", or ";
  back += "slc ctl env-set " + view.name + " with the values of before";
  return "the change of " + Join(names, ", ") + " was recorded all the same" +
         (serves ? "; the workers that serve still have the old environment" : "") +
         "; fix the app and run: slc ctl soft-restart " + view.name + "; or take it back: " + back;
}

// The same of `slc start` that changed a service; `notes` say what.
std::string AfterFailedUpdate(const ServiceView& view) {
  return "the changes are recorded all the same: the next restart or boot of " + view.name +
         " uses them; fix the app, or take them back with slc start and the options of before";
}

// Then one of them is enough.
bool AskForTheSame(const StartService& one, const StartService& other) {
  return one.spec == other.spec && one.size == other.size && one.given == other.given;
}

}  // namespace

void Operations::Add(ServiceId id, Operation operation) {
  open_[id].push_back(std::move(operation));
}

std::vector<Operation> Operations::TakeAll(ServiceId id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return {};
  std::vector<Operation> all = std::move(found->second);
  open_.erase(found);
  return all;
}

void Operations::Overtake(ServiceId id, const RequestBody& by) {
  // A change of the size does not end what is under way, nor does a setting for later.
  if (std::holds_alternative<SetSize>(by)) return;
  const auto* setting = std::get_if<SetEnvironment>(&by);
  if (setting != nullptr && !setting->restart) return;
  const auto* start = std::get_if<StartService>(&by);
  const std::string later = start != nullptr ? "slc start" : VerbOf(by);
  for (Operation& older : TakeAll(id)) {
    const auto* before = std::get_if<StartService>(&older.command.request.body);
    if (start != nullptr && before != nullptr && AskForTheSame(*before, *start)) {
      older.order = registry_.Get(id)->order;
      open_[id].push_back(std::move(older));
      continue;
    }
    std::string message = "overtaken by a later '" + later + "'";
    if (start != nullptr) {
      message += ", which is starting it with other options; how that goes: slc ctl status " +
                 registry_.Get(id)->spec.name;
    }
    clients_.Refuse(older.command, Error{ErrorCode::kCancelled, message});
  }
}

void Operations::Tell(ServiceId id, const Progress& progress) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  for (const Operation& operation : found->second) clients_.Tell(operation.command, progress);
}

void Operations::FailAll(ServiceId id, const Error& error) {
  for (const Operation& operation : TakeAll(id)) Fail(id, operation, error, {});
}

void Operations::AnswerAll(ServiceId id, const Reply& reply) {
  for (const Operation& operation : TakeAll(id)) clients_.Answer(operation.command, reply);
}

void Operations::ForgetClient(ClientId client) {
  for (auto& [id, operations] : open_) {
    for (Operation& operation : operations) {
      if (operation.command.client == client) operation.command.client = kNoClient;
    }
  }
}

void Operations::Settle(ServiceId id) {
  // Taken out while they are judged: an answer may set off what leads back here.
  for (Operation& operation : TakeAll(id)) {
    if (!Conclude(id, operation)) open_[id].push_back(std::move(operation));
  }
}

// True when the operation is done with.
bool Operations::Conclude(ServiceId id, const Operation& operation) {
  const InstanceHandle& instance = services_.InstanceOf(id);
  const auto succeed = [&] {
    clients_.Answer(operation.command, ReplyWith(id, operation.notes));
    return true;
  };
  if (const Quarantined* bad = registry_.GetQuarantined(id)) {
    return bad->removing || instance.has_master() ? false : succeed();
  }
  const Wish& wish = *registry_.Get(id);
  if (wish.removing) return false;  // answered when it is forgotten
  if (!wish.run) return instance.has_master() ? false : succeed();
  const auto& facts = instance.facts();
  if (!facts || facts->order < operation.order) return ConcludeOfDown(id, wish, operation);
  if (facts->phase == "failed" || (facts->failure && facts->failure->order == wish.order)) {
    const std::string reason = facts->failure ? facts->failure->reason : "it did not come up";
    Fail(id, operation, Error{ErrorCode::kNotReady, reason}, facts->log_tail);
    return true;
  }
  if (facts->phase == "running" || facts->phase == "finished") return succeed();
  // That may go on for long, and all but the one that is tried are as they are wanted.
  if (wish.trial && std::holds_alternative<SetSize>(operation.command.request.body)) {
    const InstanceState* state = instance.ReadState();
    return state != nullptr && AllOthersServe(state->fleet) ? succeed() : false;
  }
  return false;
}

// The wish says run, and no master has obeyed it: true if none will, so that nothing is to be
// waited for.
bool Operations::ConcludeOfDown(ServiceId id, const Wish& wish, const Operation& operation) {
  std::string reason = services_.WhyNotRun(wish);
  if (reason.empty() && services_.InstanceOf(id).left()) {
    reason = "its master was sent SIGTERM; to start it: slc ctl start " + wish.spec.name;
  }
  if (reason.empty()) return false;
  const RequestBody& body = operation.command.request.body;
  if (std::holds_alternative<SetSize>(body) || std::holds_alternative<SetEnvironment>(body)) {
    std::vector<std::string> notes = operation.notes;
    notes.push_back("'" + wish.spec.name + "' is down: " + reason);
    clients_.Answer(operation.command, ReplyWith(id, std::move(notes)));
  } else {
    Fail(id, operation, Error{ErrorCode::kNotReady, reason}, {});
  }
  return true;
}

void Operations::Fail(ServiceId id, const Operation& operation, Error error,
                      std::vector<std::string> log_tail) {
  Reply reply = ReplyWith(id, operation.notes);
  const auto* setting = std::get_if<SetEnvironment>(&operation.command.request.body);
  const auto* views = std::get_if<std::vector<ServiceView>>(&reply.data);
  if (setting != nullptr && views != nullptr) {
    reply.notes.push_back(AfterFailedSetting(*setting, views->front()));
  }
  const bool update = std::holds_alternative<StartService>(operation.command.request.body) &&
                      !operation.notes.empty() && views != nullptr && views->front().generation > 1;
  if (update) reply.notes.push_back(AfterFailedUpdate(views->front()));
  reply.error = std::move(error);
  reply.log_tail = std::move(log_tail);
  clients_.Answer(operation.command, reply);
}

Reply Operations::ReplyWith(ServiceId id, std::vector<std::string> notes) {
  Reply reply;
  reply.notes = std::move(notes);
  if (const Wish* wish = registry_.Get(id)) {
    reply.data = std::vector<ServiceView>{services_.ViewOf(*wish)};
  } else if (const Quarantined* bad = registry_.GetQuarantined(id)) {
    reply.data = std::vector<ServiceView>{services_.ViewOf(*bad)};
  }
  return reply;
}

}  // namespace slc
