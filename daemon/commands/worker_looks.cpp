#include "daemon/commands/worker_looks.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace slc {
namespace {

// The master waits for ten seconds.
constexpr Millis kPatience = 12'000;

std::string Whom(const Command& command) {
  if (!command.request.principal.empty()) return command.request.principal;
  return "uid " + std::to_string(command.peer.uid) + " (pid " + std::to_string(command.peer.pid) +
         ")";
}

std::string WhyNotOfMaster(Inspection what) {
  if (what == Inspection::kDebugStart || what == Inspection::kDebugStop) {
    return "Cannot debug the supervisor process itself.";
  }
  return std::string(Name(what)) + " is about Node.js, and the supervisor (WID 0) is none";
}

}  // namespace

void WorkerLooks::Begin(const Command& command, const InspectWorker& body) {
  const auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  if (body.worker == 0) {
    return clients_.Refuse(command, Error{ErrorCode::kInvalid, WhyNotOfMaster(body.what)});
  }
  const std::uint64_t number = ++last_number_;
  Open open{command,
            *id,
            {number, body.worker, body.what, body.interval, Whom(command), command.request.id},
            loop_.now() + kPatience,
            false};
  if (TryAsk(open)) return;
  open_[number] = std::move(open);
  ArmTimer();
}

bool WorkerLooks::TryAsk(Open& open) {
  const InstanceHandle& instance = services_.InstanceOf(open.service);
  if (!instance.foreign().empty()) {
    clients_.Refuse(open.command, Error{ErrorCode::kProtocol, instance.foreign()});
    return true;
  }
  if (!instance.has_master()) {
    clients_.Refuse(open.command, Error{ErrorCode::kConflict, "the service does not run"});
    return true;
  }
  if (instance.in_charge() && !instance.can_look()) {
    clients_.Refuse(open.command, Error{ErrorCode::kProtocol,
                                        "the master is one of an earlier slc, which cannot look "
                                        "into its workers: slc upgrade"});
    return true;
  }
  if (instance.in_charge() && services_.Inspect(open.service, open.question)) {
    open.asked = true;
    open.until = loop_.now() + kPatience;
  }
  return false;
}

void WorkerLooks::OnMaster(ServiceId id) {
  for (auto each = open_.begin(); each != open_.end();) {
    const bool waits = each->second.service == id && !each->second.asked;
    each = waits && TryAsk(each->second) ? open_.erase(each) : std::next(each);
  }
  ArmTimer();
}

void WorkerLooks::OnAnswer(const link::Inspected& answer, std::vector<UniqueFd> fds) {
  const auto found = open_.find(answer.number);
  if (found == open_.end()) return;
  const Open open = std::move(found->second);
  open_.erase(found);
  Reply reply;
  reply.error = answer.error;
  const bool whole = answer.error || fds.size() == (HasResult(open.question.what) ? 1U : 0U);
  if (!whole) {
    reply.error = Error{ErrorCode::kSystem, "slcd has no descriptor left for the result"};
  }
  if (reply.error) {
    fds.clear();
  } else {
    reply.data = InspectionReply{answer.debugger_port, answer.debugger_host};
  }
  clients_.Answer(open.command, reply, std::move(fds));
}

void WorkerLooks::OnCut(ServiceId id) {
  for (auto each = open_.begin(); each != open_.end();) {
    if (each->second.service != id || !each->second.asked) {
      ++each;
      continue;
    }
    const Open open = std::move(each->second);
    each = open_.erase(each);
    clients_.Refuse(open.command,
                    Error{ErrorCode::kUnreachable,
                          "the master ended, or became another, before it had answered; it may "
                          "have been done: see slc ctl status, then try again"});
  }
}

void WorkerLooks::GiveUp() {
  for (auto each = open_.begin(); each != open_.end();) {
    if (each->second.until > loop_.now()) {
      ++each;
      continue;
    }
    const Open open = std::move(each->second);
    each = open_.erase(each);
    const std::string what = open.asked ? "has not answered for " + FormatSpan(kPatience)
                                        : "is not in charge yet after " + FormatSpan(kPatience) +
                                              "; try again when slc ctl status shows it running";
    clients_.Refuse(open.command, Error{ErrorCode::kTimeout, "the master " + what});
  }
  ArmTimer();
}

void WorkerLooks::ArmTimer() {
  std::optional<Millis> next;
  for (const auto& [number, open] : open_) next = next ? std::min(*next, open.until) : open.until;
  if (next) {
    timer_.StartAt(*next);
  } else {
    timer_.Stop();
  }
}

}  // namespace slc
