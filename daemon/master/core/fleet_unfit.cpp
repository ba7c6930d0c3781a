// Fleet, where workers are replaced that live but do not serve any more.
#include <algorithm>

#include "daemon/master/core/fleet.h"

namespace slc {

void Fleet::Record(const WorkerHung& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end()) return;
  FleetWorker& worker = found->second;
  if (worker.state != WorkerState::kReady || worker.hung) return;
  worker.hung = true;
  // It had hung before, and its successor is on its way.
  if (worker.unfit) return;
  worker.unfit = true;
  EndedUnasked(worker, WorkerExited{worker.id, false, event.why, {}}, now, event.since);
  actions_.push_back(ReportHung{worker.id});
}

void Fleet::Record(const WorkerMoved& event, Millis) {
  const auto found = state_.workers.find(event.worker);
  if (found != state_.workers.end()) found->second.hung = false;
}

void Fleet::SettleUnfit(Millis now) {
  for (auto& [id, worker] : state_.workers) {
    if (!worker.unfit || worker.state != WorkerState::kReady) continue;
    const auto succeeds = [&, &old = worker](const auto& entry) {
      return entry.second.slot == old.slot && Serves(entry.second) && IsStaying(entry.second) &&
             !OnTrial(entry.second);
    };
    const auto slot = state_.slots.find(worker.slot);
    const bool alone = slot != state_.slots.end() && slot->second.finished;
    const auto& workers = state_.workers;
    if (alone || std::any_of(workers.begin(), workers.end(), succeeds)) Leave(worker, now);
  }
}

void Fleet::MakeRoom(const FleetWorker& failed, Millis now) {
  for (auto& [id, worker] : state_.workers) {
    const bool hangs = worker.state == WorkerState::kReady && worker.hung;
    if (hangs && worker.slot == failed.slot && id != failed.id) Terminate(worker, now);
  }
}

void Fleet::Leave(FleetWorker& worker, Millis now) {
  if (worker.hung) {
    Terminate(worker, now);
  } else {
    Drain(worker, now);
  }
}

}  // namespace slc
