// Instance: what workers that are not Node tell of themselves (see NoticeDesk).
#include <unistd.h>

#include <cstring>
#include <string>

#include "common/base/log.h"
#include "daemon/master/instance.h"

namespace slc {

// Only the main process of a worker is heard, as by systemd: what it has started speaks for itself.
void Instance::OnNotice(pid_t sender, const WorkerNotice& notice) {
  WorkerProcess* worker = nullptr;
  for (const auto& [id, each] : workers_.all()) {
    if (each->facts().process.pid == sender && each->channel() == nullptr) worker = each.get();
  }
  if (worker == nullptr) return WarnOfStranger(sender, notice);
  const WorkerId id = worker->id();
  NoteWords(*worker, notice);
  if (notice.more_time) Feed(WorkerAsksTime{id, *notice.more_time});
  if (notice.ready && worker->judge) worker->judge->SaidReady();
  if (notice.stopping) NoteLeaving(*worker);
  OnProgress();
}

void Instance::NoteLeaving(WorkerProcess& worker) {
  const WorkerId id = worker.id();
  const auto found = fleet_.state().workers.find(id);
  if (found == fleet_.state().workers.end() || found->second.state != WorkerState::kReady) return;
  log::Info("supervisor worker " + std::to_string(id) + " (pid " +
            std::to_string(worker.facts().process.pid) + ") says that it stops");
  connections_.Retire(id);
  // A successor of ours need not ask it to.
  worker.facts().drain_sent = true;
  reporter_.Notify("worker_draining", id);
  Feed(WorkerLeaves{id});
}

void Instance::NoteWords(WorkerProcess& worker, const WorkerNotice& notice) {
  WorkerFacts& facts = worker.facts();
  const bool reloading = notice.reloading || (facts.reloading && !notice.ready);
  std::string status = notice.status.value_or(facts.status);
  if (!notice.status && notice.errno_value) status = std::strerror(*notice.errno_value);
  const bool turned = reloading != facts.reloading;
  if (!turned && status == facts.status) return;
  // What it says while it starts is the best there is to tell if it does not get ready.
  if (worker.judge && !status.empty() && status != facts.status) {
    Feed(WorkerHindered{worker.id(), "it says: " + status});
  }
  facts.reloading = reloading;
  facts.status = std::move(status);
  snapshot_.NoteChange();
  // A status may change with every request: it is seen when the master looks around.
  if (turned) snapshot_.Save();
}

void Instance::WarnOfStranger(pid_t sender, const WorkerNotice& notice) {
  if (!notice.ready && !notice.stopping) return;
  // A worker leads the session of all it starts, unless they leave it.
  const pid_t leader = ::getsid(sender);
  for (const auto& [id, worker] : workers_.all()) {
    if (leader <= 0 || worker->facts().process.pid != leader || worker->stranger_told) continue;
    worker->stranger_told = true;
    log::Warn("supervisor worker " + std::to_string(id) + ": what pid " + std::to_string(sender) +
              " says by sd_notify does not count, only its main process (pid " +
              std::to_string(leader) + ") is heard");
  }
}

}  // namespace slc
