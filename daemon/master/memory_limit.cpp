#include "daemon/master/memory_limit.h"

#include <algorithm>

#include "common/base/process.h"

namespace slc {

void MemoryLimit::Review() {
  if (!AnyLimited()) return timer_.Stop();
  if (!timer_.active()) timer_.StartAt(watch_.NextAfter(loop_.now()));
}

bool MemoryLimit::AnyLimited() const {
  const auto& workers = fleet_.state().workers;
  return std::any_of(workers.begin(), workers.end(), [this](const auto& entry) {
    return entry.second.state == WorkerState::kReady &&
           configs_.Of(fleet_.state(), entry.first).limits.max_memory > 0;
  });
}

void MemoryLimit::Look() {
  std::vector<MemoryWatch::Reading> readings;
  for (const auto& [id, worker] : fleet_.state().workers) {
    const std::uint64_t limit = configs_.Of(fleet_.state(), id).limits.max_memory;
    const WorkerProcess* process = workers_.Find(id);
    if (limit == 0 || worker.state != WorkerState::kReady || process == nullptr) continue;
    const auto usage = ReadUsage(process->facts().process.pid);
    if (usage) readings.push_back({id, usage->resident, limit});
  }
  const auto findings = watch_.Look(readings);
  timer_.StartAt(watch_.NextAfter(loop_.now()));
  for (const auto& [worker, why] : findings) on_finding_(worker, why);
}

}  // namespace slc
