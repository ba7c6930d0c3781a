// Fleet, where a generation is tried before a roll goes on (FleetWish::trial).
//
// The slots stay the old generation's meanwhile, so that everything that is done for a slot is done
// with that. The worker on trial is in the first slot and does not count there.
#include <algorithm>

#include "daemon/master/core/fleet.h"

namespace slc {

void Fleet::SettleTrial(Millis now) {
  bool any = false;
  for (auto& [id, worker] : state_.workers) {
    any = any || OnTrial(worker);
    const auto slot = state_.slots.find(worker.slot);
    if (slot == state_.slots.end() || worker.state != WorkerState::kStarting) continue;
    // A successor of an earlier roll, which this one has overtaken.
    const bool wanted = worker.generation == state_.wish.generation;
    if (!wanted && worker.generation != slot->second.generation) Terminate(worker, now);
  }
  const SlotNumber first = state_.slots.begin()->first;
  if (!any && first <= state_.wish.size && MaySpawn(now)) Spawn(first, state_.wish.generation, now);
}

// However long it had served, and by whatever policy it is started again: it was to show that the
// generation holds.
void Fleet::FailTrial(const FleetWorker& worker, const WorkerExited& end) {
  state_.failed = state_.wish.generation;
  state_.failure = FleetFailure{state_.wish.order, worker.generation, worker.id,
                                worker.slot,       end.reason,        end.status};
}

void Fleet::PassTrial() {
  if (!RollActive()) return;
  for (auto& [number, slot] : state_.slots) {
    const auto first = std::find_if(
        state_.workers.begin(), state_.workers.end(), [&, where = number](auto& entry) {
          const FleetWorker& worker = entry.second;
          return worker.slot == where && worker.generation == state_.wish.generation &&
                 Serves(worker) && IsStaying(worker) && !worker.disconnected;
        });
    const bool passed = first != state_.workers.end();
    if (passed) slot.generation = state_.wish.generation;
    // The pause before that one is replaced is its own.
    const FleetSlot before = slot;
    Forgive(slot);
    if (!passed || first->second.outgrown.empty()) continue;
    slot.in_vain = before.in_vain;
    slot.replace_at = before.replace_at;
  }
}

}  // namespace slc
