// Instance, where one image of the master gives way to the next (see InPlace).
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "daemon/master/instance.h"

namespace slc {

void Instance::PauseOutput() { logs_.Pause(); }

void Instance::PauseAccepting() { connections_.Pause(); }

void Instance::ResumeAccepting() { connections_.Unpause(); }

void Instance::Resume() {
  logs_.Resume();
  ResumeAccepting();
}

bool Instance::CloseLogs() { return logs_.Close(); }

std::string Instance::HalfDone() const {
  if (!logs_.idle()) {
    const std::string trouble = logs_.trouble();
    return trouble.empty() ? "its log is not written yet, or what compresses it has not ended"
                           : "its log cannot be written: " + trouble;
  }
  for (const auto& [id, worker] : workers_.all()) {
    if (worker->channel() != nullptr && !worker->channel()->flushed()) {
      return "worker " + std::to_string(id) + " does not read what it is sent";
    }
    if (worker->channel() != nullptr && worker->channel()->inside_long_line()) {
      return "worker " + std::to_string(id) + " is in the middle of a long message";
    }
    if (worker->end) return "of worker " + std::to_string(id) + " something is left still";
  }
  return {};
}

Status Instance::Bequeath(Bequest& bequest) {
  snapshot_.NoteChange();
  snapshot_.Save();
  for (const KeptFd& kept : AllKept()) bequest.fds[kept.name] = kept.fd;
  connections_.Bequeath(bequest);
  for (const auto& [id, worker] : workers_.all()) {
    if (worker->channel() == nullptr) continue;
    Status added =
        bequest.Add("handles/" + std::to_string(id), worker->channel()->handles().Text());
    if (!added) return added;
    if (worker->channel()->partial().empty()) continue;
    added = bequest.Add("partial/" + std::to_string(id), worker->channel()->partial());
    if (!added) return added;
  }
  for (const LogPump::Beginning& line : logs_.Beginnings()) {
    Status added = bequest.Add("rest/" + std::to_string(line.worker) + "/" +
                                   (line.stream == LogStream::kOut ? "out" : "err"),
                               line.text);
    if (!added) return added;
  }
  return Ok();
}

void Instance::GoOn(const std::string& version) {
  in_place_ = true;
  TakeOver();
  if (!in_charge_) return;
  log::Info("supervisor (pid " + std::to_string(::getpid()) + ") goes on as version " +
            OwnVersion().text + ", after " + version + ": " +
            std::to_string(workers_.all().size()) + " workers");
}

// A worker that is starting is judged by what it has done so far. When exactly it did is lost,
// which may cost a second.
void Instance::JudgeOn(WorkerProcess& worker) {
  const auto found = fleet_.state().workers.find(worker.id());
  if (found == fleet_.state().workers.end() || found->second.state != WorkerState::kStarting)
    return;
  const FleetWorker& starting = found->second;
  worker.judge = std::make_unique<ReadinessJudge>(
      JudgeFor(SpawnWorker{starting.id, starting.slot, starting.generation},
               configs_.Of(fleet_.state(), starting.id)));
  for (const std::string& key : worker.facts().keys) worker.judge->Opened(key);
  if (!worker.facts().keys.empty() || !worker.facts().own_listeners.empty()) {
    worker.judge->Listening(loop_.now());
  }
}

}  // namespace slc
