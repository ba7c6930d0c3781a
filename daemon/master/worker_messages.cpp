#include "daemon/master/worker_messages.h"

#include <algorithm>
#include <string>

#include "common/base/log.h"

namespace slc {

void WorkerMessages::Read(WorkerProcess& worker, std::string_view line) {
  std::visit([&](const auto& message) { On(worker, message); }, ParseWorkerMessage(line));
}

void WorkerMessages::On(WorkerProcess& worker, const QueryServer& query) {
  if (!desk_.Open(worker, query)) on_refused_(worker);
}

void WorkerMessages::On(WorkerProcess& worker, const CloseServer& close) {
  desk_.Close(worker, close.key);
}

void WorkerMessages::On(WorkerProcess& worker, const Listening&) {
  if (worker.judge) worker.judge->Listening(loop_.now());
  on_progress_();
}

void WorkerMessages::On(WorkerProcess& worker, const AgentListening& listening) {
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
  on_progress_();
  snapshot_.Save();
}

void WorkerMessages::On(WorkerProcess& worker, const AppReady&) {
  if (!worker.judge) return;
  worker.judge->SaidReady();
  on_progress_();
}

void WorkerMessages::On(WorkerProcess& worker, const AgentHello& hello) {
  worker.facts().agent_version = hello.version;
  snapshot_.NoteChange();
}

void WorkerMessages::On(WorkerProcess& worker, const ExitedAfterDisconnect& request) {
  connections_.Retire(worker.id());
  worker.channel()->Send(Acknowledge(request.seq, numbers_.Next()));
}

void WorkerMessages::On(WorkerProcess& worker, const Accepted& answer) {
  connections_.Answered(worker.id(), answer.ack, answer.accepted);
}

void WorkerMessages::On(WorkerProcess& worker, const HandleNack&) {
  log::Warn("supervisor worker " + std::to_string(worker.id()) +
            " could not take a connection: it has too many files open");
  connections_.Missed(worker.id());
}

}  // namespace slc
