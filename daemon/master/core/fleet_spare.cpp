// Fleet, as far as the spare is concerned (--spare).
#include <algorithm>

#include "common/base/backoff.h"
#include "daemon/master/core/fleet.h"

namespace slc {
namespace {

// A service is whole without its spare, so that one is tried seldom where it fails each time: an
// app of which no two can run at once.
constexpr Millis kFirstPause = 1000;
constexpr Millis kLongestPause = 600000;
// One that had waited this long before it ended says nothing about the next.
constexpr Millis kForgiveAfter = 60000;

}  // namespace

void Fleet::Record(const WorkerListens& event, Millis) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end() || found->second.state > WorkerState::kReady) return;
  FleetWorker& worker = found->second;
  worker.listens = true;
  if (!IsSpare(worker)) return;
  // Without a channel its exit is still awaited.
  if (!worker.disconnected) worker.deadline = 0;
  state_.spare.trouble.clear();
}

void Fleet::SettleSpare(Millis now) {
  bool any = false;
  for (auto& [id, worker] : state_.workers) {
    if (!IsSpare(worker) || worker.state != WorkerState::kStarting) continue;
    if (IsSpareWanted(worker.generation)) {
      any = true;
    } else {
      Terminate(worker, now);
    }
  }
  const Generation generation = GenerationForNewSlot();
  if (any || !IsWhole() || !IsSpareWanted(generation)) return;
  const auto& workers = state_.workers;
  // Of an app that does not listen nothing would be held back: the spare would do its work a second
  // time.
  const bool listens = std::any_of(workers.begin(), workers.end(), [&](const auto& entry) {
    return entry.second.listens && entry.second.generation == generation;
  });
  if (!listens) return;
  Millis earliest = state_.spare.retry_at;
  for (const auto& [number, slot] : state_.slots) earliest = std::max(earliest, slot.retry_at);
  if (earliest > now) return Consider(earliest);
  if (MaySpawn(now)) Spawn(0, generation, now);
}

bool Fleet::IsSpareWanted(Generation generation) const {
  if (!PolicyOf(generation).spare || state_.spare.given_up == generation) return false;
  return std::any_of(state_.slots.begin(), state_.slots.end(), [&](const auto& entry) {
    return entry.second.generation == generation && !entry.second.finished;
  });
}

bool Fleet::IsWhole() const {
  const bool rolling = RollActive() && !OnTrial();
  return std::all_of(state_.slots.begin(), state_.slots.end(), [&](const auto& entry) {
    const FleetSlot& slot = entry.second;
    if (rolling && slot.generation != state_.wish.generation) return false;
    if (slot.finished) return true;
    return std::any_of(state_.workers.begin(), state_.workers.end(),
                       [&, number = entry.first](const auto& other) {
                         return other.second.slot == number && Serves(other.second) &&
                                IsStaying(other.second) && !OnTrial(other.second);
                       });
  });
}

FleetWorker* Fleet::SpareOf(Generation generation) {
  for (auto& [id, worker] : state_.workers) {
    if (IsSpare(worker) && worker.state == WorkerState::kStarting && !worker.disconnected &&
        worker.generation == generation) {
      return &worker;
    }
  }
  return nullptr;
}

// One that still boots has a start over a new one.
void Fleet::Promote(FleetWorker& spare, SlotNumber slot, Millis now) {
  spare.slot = slot;
  spare.spawned_at = now;
  if (spare.listens) spare.deadline = now + PolicyOf(spare.generation).ready_timeout;
  state_.spare.failures = 0;
  actions_.push_back(PromoteSpare{spare.id, slot});
}

void Fleet::SpareEnded(const FleetWorker& spare, const WorkerExited& end, Millis now) {
  FleetSpare& all = state_.spare;
  if (spare.listens && now - spare.spawned_at >= kForgiveAfter) all.failures = 0;
  ++all.failures;
  all.retry_at = now + BackoffPause(kFirstPause, kLongestPause, all.failures);
  all.trouble = end.reason;
}

}  // namespace slc
