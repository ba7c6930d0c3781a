#include "daemon/master/worker_messages.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"

namespace slc {

void WorkerMessages::Read(WorkerProcess& worker, std::string_view line) {
  std::visit([&](const auto& message) { On(worker, message); }, ParseWorkerMessage(line));
}

void WorkerMessages::On(WorkerProcess& worker, const QueryServer& query) {
  note_(worker, Requested{});
  if (worker.slot() > 0) return Answer(worker, query);
  // The callback of a listen() waits for its answer, and so does whoever has come to it.
  constexpr std::size_t kMostHeldBack = ListenerDesk::kMostOfWorker;
  if (worker.held_back.size() < kMostHeldBack) worker.held_back.push_back(query);
  on_listens_(worker);
}

void WorkerMessages::Answer(WorkerProcess& worker, const QueryServer& query) {
  if (!desk_.Open(worker, query)) return on_refused_(worker);
  on_listens_(worker);
}

void WorkerMessages::LetGo(WorkerProcess& worker) {
  const std::vector<QueryServer> queries = std::exchange(worker.held_back, {});
  for (const QueryServer& query : queries) Answer(worker, query);
}

void WorkerMessages::On(WorkerProcess& worker, const AgentParked&) {
  note_(worker, Requested{});
  on_listens_(worker);
}

void WorkerMessages::On(WorkerProcess& worker, const CloseServer& close) {
  note_(worker, Requested{});
  desk_.Close(worker, close.key);
}

void WorkerMessages::On(WorkerProcess& worker, const Listening&) {
  note_(worker, Requested{});
  if (worker.judge) worker.judge->Listening(loop_.now());
  on_progress_();
}

void WorkerMessages::On(WorkerProcess& worker, const AgentListening& listening) {
  note_(worker, Requested{});
  const bool v6 = listening.address.find(':') != std::string::npos;
  const std::string shown = (v6 ? "[" + listening.address + "]" : listening.address) + ":" +
                            std::to_string(listening.port);
  // A worker that listens and closes again and again must not make the state grow.
  constexpr std::size_t kMostOwn = 64;
  auto& own = worker.facts().own_listeners;
  const bool known = std::find(own.begin(), own.end(), shown) != own.end();
  if (!known && own.size() < kMostOwn) own.push_back(shown);
  snapshot_.NoteChange();
  if (worker.judge) worker.judge->Listening(loop_.now());
  on_listens_(worker);
  on_progress_();
  snapshot_.Save();
}

void WorkerMessages::On(WorkerProcess& worker, const AppReady&) {
  if (!worker.judge) return;
  worker.judge->SaidReady();
  on_progress_();
}

void WorkerMessages::On(WorkerProcess& worker, const AgentHello& hello) {
  note_(worker, Requested{});
  worker.facts().agent_version = hello.version;
  snapshot_.NoteChange();
}

void WorkerMessages::On(WorkerProcess& worker, const ExitedAfterDisconnect& request) {
  note_(worker, AnnouncedLeave{});
  note_(worker, Requested{});
  connections_.Retire(worker.id());
  worker.channel()->Send(Acknowledge(request.seq, numbers_.Next()));
}

// Its event loop turns. Only what Node itself or the agent answers tells that: an app may send
// messages from within an endless loop.
void WorkerMessages::NoteMoved(WorkerProcess& worker, std::optional<bool> debugged) {
  worker.heartbeat.Heard(debugged);
  WorkerFacts& facts = worker.facts();
  if (facts.stuck_since == 0 && facts.excused_until == 0) return;
  facts.stuck_since = facts.excused_until = 0;
  facts.shows.clear();
  snapshot_.NoteChange();
  snapshot_.Save();
  on_moved_(worker);
}

void WorkerMessages::On(WorkerProcess& worker, const Accepted& answer) {
  NoteMoved(worker);
  worker.channel()->handles().Answered(answer.ack);
  if (!connections_.Answered(worker.id(), answer.ack, answer.accepted)) {
    note_(worker, AnsweredUnasked{});
  }
}

void WorkerMessages::On(WorkerProcess& worker, const AgentInspected& answer) {
  note_(worker, Requested{});
  // It may stop at a breakpoint before the next pong tells.
  NoteMoved(worker, answer.error ? std::nullopt : std::optional(answer.debugger_port > 0));
  inspections_.Answered(worker, answer);
}

void WorkerMessages::On(WorkerProcess& worker, const AgentStandstill& told) {
  note_(worker, Requested{});
  WorkerFacts& facts = worker.facts();
  const Millis now = loop_.now();
  if (facts.stuck_since == 0) facts.stuck_since = now;
  facts.shows = Name(told.what);
  facts.excused_until = now + Heartbeat::kLongestExcuse;
  worker.heartbeat.Excuse(facts.excused_until);
  snapshot_.NoteChange();
  snapshot_.Save();
  on_standstill_(worker);
  // Its answer is the end.
  worker.channel()->Send(AgentPing());
}

void WorkerMessages::On(WorkerProcess& worker, const AgentInspection& told) {
  note_(worker, Requested{});
  if (worker.facts().inspection == told.state) return;
  worker.facts().inspection = told.state;
  snapshot_.NoteChange();
  snapshot_.Save();
}

void WorkerMessages::On(WorkerProcess& worker, const AgentPong& pong) {
  NoteMoved(worker, pong.debugged);
  if (pong.id == 0 || pong.id != worker.asked_which) return;
  worker.asked_which = 0;
  worker.channel()->handles().Answered(pong.id);
  connections_.Heard(worker.id(), pong.id);
  if (worker.missed_since) AskWhich(worker);
}

// The answer says by its place among those to connections which of these have not arrived.
void WorkerMessages::AskWhich(WorkerProcess& worker) {
  worker.missed_since = worker.asked_which != 0;
  if (worker.missed_since || connections_.in_flight(worker.id()) == 0) return;
  const std::uint64_t number = numbers_.Next();
  if (worker.channel()->Send(AgentPing(number))) worker.asked_which = number;
}

void WorkerMessages::On(WorkerProcess& worker, const HandleNack&) {
  NoteMoved(worker);
  const bool certain = worker.channel()->handles().Missed();
  if (!connections_.Missed(worker.id(), certain)) return note_(worker, AnsweredUnasked{});
  if (EchoesPings(worker.facts().agent_version)) AskWhich(worker);
  // With each connection, perhaps: once in a while is enough to be told.
  constexpr Millis kTellAgain = 10'000;
  const Millis now = loop_.now();
  if (worker.missed_told_at && now - *worker.missed_told_at < kTellAgain) return;
  worker.missed_told_at = now;
  log::Warn("supervisor worker " + std::to_string(worker.id()) +
            " could not take a connection: it has too many files open");
}

}  // namespace slc
