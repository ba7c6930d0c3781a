#include "daemon/master/inspections.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "common/base/fd_passing.h"

namespace slc {
namespace {

// The clock of Node's process.hrtime().
double MonotonicMillis() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::string NameOf(const WorkerProcess& worker) {
  return "worker " + std::to_string(worker.id()) + " (pid " +
         std::to_string(worker.facts().process.pid) + ")";
}

}  // namespace

std::string Inspections::Hindrance(const WorkerProcess& worker, Inspection what) const {
  const GenerationConfig& config = configs_.Of(fleet_.state(), worker.id());
  const std::string& agent = worker.facts().agent_version;
  if (!config.node) return "is not Node.js: only what runs on Node can be looked into";
  if (config.agent_position == 0) {
    return "runs with --no-agent, which leaves out what looks into it; with it: slc start --agent";
  }
  const NodeChannel* channel = worker.channel();
  if (worker.end || worker.killed) return "has ended";
  if (channel == nullptr || channel->ended()) return "is leaving: its channel is closed";
  if (agent.empty()) return "has not loaded its agent yet; try again in a moment";
  if (!CanInspect(agent, what)) {
    return "was started by another slc, whose agent (" + agent + ") is not the one of this (" +
           kAgentVersion + "); slc ctl soft-restart replaces it";
  }
  // One that shows something already is done with that soon, as a rule.
  if (worker.facts().stuck_since > 0 && worker.facts().shows.empty()) {
    return "hangs: its event loop has not turned for " +
           FormatSpan(loop_.now() - worker.facts().stuck_since);
  }
  return {};
}

void Inspections::Begin(const link::Inspect& question) {
  WorkerProcess* worker = find_(question.worker);
  if (worker == nullptr) {
    return Refuse(question.number, ErrorCode::kNotFound,
                  "there is no worker " + std::to_string(question.worker) + " any more");
  }
  if (const std::string why = Hindrance(*worker, question.what); !why.empty()) {
    return Refuse(question.number, ErrorCode::kInvalid, NameOf(*worker) + " " + why);
  }
  if (open_.size() >= kMostOpen) {
    return Refuse(question.number, ErrorCode::kConflict,
                  std::to_string(kMostOpen) + " looks wait for their workers' answers already");
  }
  const std::uint64_t id = ++last_id_;
  const AgentQuestion asked{id,
                            question.what,
                            question.interval,
                            MonotonicMillis() + static_cast<double>(kPatience - kMargin),
                            question.by,
                            question.request};
  SocketPair pair;
  if (HasResult(question.what)) {
    pair = MakeSocketPair(SOCK_STREAM);
    if (!pair.first) {
      return Refuse(question.number, ErrorCode::kSystem,
                    std::string("cannot make a socket for the result: ") + std::strerror(errno));
    }
    ::shutdown(pair.first.get(), SHUT_WR);
  }
  NodeChannel& channel = *worker->channel();
  if (!channel.Send(AgentInspect(asked), pair.second.get())) {
    return Refuse(question.number, ErrorCode::kTimeout,
                  NameOf(*worker) + " does not read what it is sent");
  }
  open_[id] =
      Open{question.number, question.worker, loop_.now() + kPatience, std::move(pair.first)};
  ArmTimer();
}

void Inspections::Answered(const WorkerProcess& worker, const AgentInspected& answer) {
  const auto found = open_.find(answer.id);
  if (found == open_.end() || found->second.worker != worker.id()) return;
  const Open open = std::move(found->second);
  open_.erase(found);
  if (answer.error) {
    return Refuse(open.number, ErrorCode::kConflict, NameOf(worker) + ": " + *answer.error);
  }
  const link::Inspected inspected{open.number, {}, answer.debugger_port, answer.debugger_host};
  if (!open.result) {
    link_.Send(inspected);
  } else if (!link_.Send(inspected, {open.result.get()})) {
    Refuse(open.number, ErrorCode::kSystem, "the master has no descriptor left for the result");
  }
}

void Inspections::Disconnected(const WorkerProcess& worker) {
  RefuseAll(worker, "leaves, and has closed its channel before it answered");
}

void Inspections::Ended(const WorkerProcess& worker) {
  RefuseAll(worker, "has ended" + (worker.end ? ": " + worker.end->how : std::string()));
}

void Inspections::RefuseAll(const WorkerProcess& worker, const std::string& why) {
  for (auto each = open_.begin(); each != open_.end();) {
    if (each->second.worker != worker.id()) {
      ++each;
      continue;
    }
    Refuse(each->second.number, ErrorCode::kConflict, NameOf(worker) + " " + why);
    each = open_.erase(each);
  }
}

void Inspections::Refuse(std::uint64_t number, ErrorCode code, const std::string& why) {
  link_.Send(link::Inspected{number, Error{code, why}, 0, {}});
}

void Inspections::GiveUp() {
  for (auto each = open_.begin(); each != open_.end();) {
    if (each->second.until > loop_.now()) {
      ++each;
      continue;
    }
    const WorkerProcess* worker = find_(each->second.worker);
    Refuse(each->second.number, ErrorCode::kTimeout,
           (worker != nullptr ? NameOf(*worker) : std::string("the worker")) +
               " has not answered for " + FormatSpan(kPatience) +
               ": its event loop does not turn; nothing was done");
    each = open_.erase(each);
  }
  ArmTimer();
}

void Inspections::ArmTimer() {
  std::optional<Millis> next;
  for (const auto& [id, open] : open_) next = next ? std::min(*next, open.until) : open.until;
  if (next) {
    timer_.StartAt(*next);
  } else {
    timer_.Stop();
  }
}

}  // namespace slc
