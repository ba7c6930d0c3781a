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

std::string WhyNotOfMaster(Inspection what) {
  if (what == Inspection::kDebugStart || what == Inspection::kDebugStop) {
    return "Cannot debug the supervisor process itself.";
  }
  return std::string(Name(what)) + " is about Node.js, and the supervisor (WID 0) is none";
}

}  // namespace

std::string WhoLooks(const Command& command) {
  if (!command.request.principal.empty()) return command.request.principal;
  return "uid " + std::to_string(command.peer.uid) + " (pid " + std::to_string(command.peer.pid) +
         ")";
}

void WorkerLooks::Begin(const Command& command, const InspectWorker& body) {
  Ask(command, body, [this, command](Result<Look> look) {
    if (!look) return clients_.Refuse(command, look.error());
    Reply reply;
    reply.data = InspectionReply{look->debugger_port, look->debugger_host};
    std::vector<UniqueFd> fds;
    if (look->result) fds.push_back(std::move(look->result));
    clients_.Answer(command, reply, std::move(fds));
  });
}

void WorkerLooks::Ask(const Command& command, const InspectWorker& body, OnLook on_look) {
  const auto id = registry_.Find(body.service);
  if (!id) return on_look(id.error());
  if (body.worker == 0) {
    return on_look(Error{ErrorCode::kInvalid, WhyNotOfMaster(body.what)});
  }
  const std::uint64_t number = ++last_number_;
  Open open{std::move(on_look),
            *id,
            {number, body.worker, body.what, body.interval, WhoLooks(command), command.request.id},
            loop_.now() + kPatience,
            false};
  if (TryAsk(open)) return;
  open_[number] = std::move(open);
  ArmTimer();
}

bool WorkerLooks::TryAsk(Open& open) {
  const InstanceHandle& instance = services_.InstanceOf(open.service);
  if (!instance.foreign().empty()) {
    open.on_look(Error{ErrorCode::kProtocol, instance.foreign()});
    return true;
  }
  if (!instance.has_master()) {
    open.on_look(Error{ErrorCode::kConflict, "the service does not run"});
    return true;
  }
  if (instance.in_charge() && !instance.can_look()) {
    open.on_look(
        Error{ErrorCode::kProtocol,
              "the master is one of an earlier slc, which cannot look into its workers: slc "
              "upgrade"});
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
  if (answer.error) return open.on_look(*answer.error);
  if (fds.size() != (HasResult(open.question.what) ? 1U : 0U)) {
    return open.on_look(Error{ErrorCode::kSystem, "slcd has no descriptor left for the result"});
  }
  Look look{answer.debugger_port, answer.debugger_host, {}};
  if (!fds.empty()) look.result = std::move(fds.front());
  open.on_look(std::move(look));
}

void WorkerLooks::OnCut(ServiceId id) {
  for (auto each = open_.begin(); each != open_.end();) {
    if (each->second.service != id || !each->second.asked) {
      ++each;
      continue;
    }
    const Open open = std::move(each->second);
    each = open_.erase(each);
    open.on_look(Error{ErrorCode::kUnreachable,
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
    open.on_look(Error{ErrorCode::kTimeout, "the master " + what});
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
