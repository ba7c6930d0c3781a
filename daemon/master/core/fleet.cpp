#include "daemon/master/core/fleet.h"

#include <algorithm>
#include <set>

#include "common/base/backoff.h"

namespace slc {
namespace {

// After its channel has ended a draining worker has no connections left; most end by themselves,
// but a timer or a database pool keeps Node's loop alive, so it gets this long before the stop
// signal.
constexpr Millis kAfterDisconnect = 200;
// Between the end of its connections and the stop signal: for what is still to be written, and for
// a worker that now ends by itself.
constexpr Millis kAfterHangUp = 200;
// A worker whose channel ends unasked is given this long to end itself before it is taken for
// broken.
constexpr Millis kExitFollows = 1000;
// A worker that was ready this long has its slot's failures forgiven, and its replacements.
constexpr Millis kForgiveAfter = 60000;
// SIGKILL cannot be refused, but a process in an uninterruptible wait dies late; ask again
// meanwhile, for what it has forked.
constexpr Millis kKillAgain = 1000;
// Who needs more asks again: an operator who waits is to see that something goes on.
constexpr Millis kMostTimeAtOnce = 600'000;

// A spawn takes some 16 ms on two busy cores, in which the master does nothing else.
constexpr std::ptrdiff_t kSpawnsAtOnce = 4;

constexpr const char* kLeft = "left by itself";

// Nothing of us has asked it to end yet.
bool IsPresent(const FleetWorker& worker) { return worker.state <= WorkerState::kReady; }

}  // namespace

Millis RestartDelay(std::uint32_t failures, std::uint64_t random) {
  constexpr Millis kFirst = 100;
  constexpr Millis kLongest = 30000;
  const Millis delay = BackoffPause(kFirst, kLongest, failures);
  // Jitter keeps the slots of many services from trying in step. -20 % ... +20 %.
  const Millis jitter = static_cast<Millis>(random % 401) - 200;
  return std::min(kLongest, delay + delay * jitter / 1000);
}

Millis ReplaceDelay(std::uint32_t in_vain) {
  constexpr Millis kFirst = 10'000;
  constexpr Millis kLongest = 600'000;
  return BackoffPause(kFirst, kLongest, in_vain);
}

std::vector<FleetAction> Fleet::On(const FleetEvent& event, Millis now) {
  actions_.clear();
  std::visit([&](const auto& fact) { Record(fact, now); }, event);
  Settle(now);
  return std::move(actions_);
}

void Fleet::Record(const WishChanged& event, Millis) {
  const FleetWish before = state_.wish;
  if (event.wish.order < before.order) return;  // a late repeat of an older order
  state_.wish = event.wish;
  const bool started = event.wish.run && !before.run;
  const bool renewed = event.wish.generation != before.generation;
  const bool crashing = CrashesEverywhere() && !AnyDraining();
  if (started || renewed) {
    state_.failure.reset();
    state_.failed = 0;
  }
  // Beside a fresh start nothing older serves: there is nothing to roll, or to go back to. The
  // order said again, or with another size, is still that start.
  const bool fresh = started && state_.workers.empty();
  const bool goes_on = before.run && !renewed && before.mode == RollMode::kRestart;
  // Nor beside one that crash-loops: its trouble is what the new generation is to end, unless that
  // is only tried.
  if (fresh || goes_on || (renewed && crashing && !event.wish.trial)) {
    state_.wish.mode = RollMode::kRestart;
  }
  const bool may_try = before.run && (renewed || before.trial);
  if (!may_try || state_.wish.mode == RollMode::kRestart) state_.wish.trial = false;
  const bool same = renewed && event.wish.same_as > 0;
  if (same) Renumber(event.wish.same_as, event.wish.generation);
  // The old generation goes on beside a trial, with its failures, and what is the same goes on
  // anyway.
  if (started || (renewed && !state_.wish.trial && !same)) state_.spare = FleetSpare{};
  for (auto& [number, slot] : state_.slots) {
    const bool goes = !same || slot.generation != event.wish.generation;
    if (started || (renewed && !state_.wish.trial && goes)) Forgive(slot);
  }
  if (started) {
    for (auto& [number, slot] : state_.slots) slot.generation = event.wish.generation;
  }
  if (before.trial && !renewed && !state_.wish.trial) PassTrial();
}

void Fleet::Renumber(Generation from, Generation to) {
  for (auto& [number, slot] : state_.slots) {
    if (slot.generation == from) slot.generation = to;
  }
  for (auto& [id, worker] : state_.workers) {
    if (worker.generation == from) worker.generation = to;
  }
  if (state_.good == from) state_.good = to;
  if (state_.spare.given_up == from) state_.spare.given_up = to;
}

void Fleet::Forgive(FleetSlot& slot) {
  slot.failures = 0;
  slot.retry_at = 0;
  slot.finished = false;
  slot.given_up = false;
  slot.short_lives = 0;
  slot.in_vain = 0;
  slot.replace_at = 0;
}

void Fleet::Record(const WorkerReady& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end() || found->second.state != WorkerState::kStarting) return;
  FleetWorker& worker = found->second;
  if (IsSpare(worker)) return;
  worker.state = WorkerState::kReady;
  worker.ready_at = now;
  // Without a channel it can get no connections: its exit is still awaited.
  if (!worker.disconnected) worker.deadline = 0;
  const auto slot = state_.slots.find(worker.slot);
  if (slot == state_.slots.end() || OnTrial(worker)) return;
  slot->second.generation = worker.generation;
  slot->second.finished = false;
  slot->second.given_up = false;
}

void Fleet::Record(const WorkerHindered& event, Millis) {
  const auto found = state_.workers.find(event.worker);
  // It may try again, or do without: only if it does not get ready has this been the reason.
  if (found != state_.workers.end()) found->second.trouble = event.why;
}

void Fleet::Record(const WorkerDisconnected& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end() || found->second.disconnected) return;
  FleetWorker& worker = found->second;
  worker.disconnected = true;
  if (worker.state == WorkerState::kDraining) {
    worker.deadline = std::min(worker.deadline, now + kAfterDisconnect);
  } else if (IsPresent(worker)) {
    // Most likely it is ending, and its exit tells why. If it lives on it can get no more
    // connections.
    worker.deadline = now + kExitFollows;
  }
}

// Like one that crashed: what is left of it is killed.
void Fleet::Record(const WorkerBroke& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end() || found->second.state == WorkerState::kKilling) return;
  FleetWorker& worker = found->second;
  if (IsStaying(worker)) {
    EndedUnasked(worker, WorkerExited{worker.id, false, event.why, {}}, now);
    actions_.push_back(ReportGivenUp{worker.id});
  }
  Kill(worker, now);
}

void Fleet::Record(const WorkerOutgrew& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end()) return;
  FleetWorker& worker = found->second;
  if (!Serves(worker) || !IsStaying(worker)) return;
  const auto slot = state_.slots.find(worker.slot);
  if (slot == state_.slots.end()) return;
  if (event.why.empty()) {
    // A successor that is on its way takes over all the same.
    if (SuccessorOf(worker) == nullptr) worker.outgrown.clear();
    return;
  }
  const bool known = !worker.outgrown.empty();
  worker.outgrown = event.why;
  if (known) return;
  const Millis lived = now - worker.ready_at;
  if (lived >= kForgiveAfter) slot->second.in_vain = 0;
  slot->second.replace_at = 0;
  if (lived < PolicyOf(worker.generation).min_uptime) NoteVainReplacement(slot->second, now);
  actions_.push_back(ReportOutgrown{worker.id, std::max<Millis>(0, slot->second.replace_at - now)});
}

void Fleet::NoteVainReplacement(FleetSlot& slot, Millis now) {
  ++slot.in_vain;
  slot.replace_at = now + ReplaceDelay(slot.in_vain);
}

void Fleet::Record(const WorkerLeaves& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  // One that never got ready has failed, as its end will tell.
  if (found == state_.workers.end() || !Serves(found->second)) return;
  FleetWorker& worker = found->second;
  worker.state = WorkerState::kDraining;
  worker.leaving = true;
  worker.deadline = now + PolicyOf(worker.generation).drain_timeout;
  // One that is to be replaced anyway was judged when that was seen.
  if (worker.unfit || EndIsAwaited(worker)) return;
  EndedUnasked(worker, WorkerExited{worker.id, true, kLeft}, now);
}

void Fleet::Record(const WorkerAsksTime& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end()) return;
  FleetWorker& worker = found->second;
  if (worker.deadline == 0 || worker.state == WorkerState::kKilling) return;
  worker.deadline = std::max(worker.deadline, now + std::min(event.more, kMostTimeAtOnce));
}

void Fleet::Record(const WorkerExited& event, Millis now) {
  const auto found = state_.workers.find(event.worker);
  if (found == state_.workers.end()) return;
  const FleetWorker worker = found->second;
  state_.workers.erase(found);
  // One that was killed for not getting ready in time was judged when its time ran out.
  if (IsStaying(worker)) return EndedUnasked(worker, event, now);
  if (!EndIsAwaited(worker)) return;
  WorkerExited end = event;
  end.reason = std::string(kLeft) + ", " + event.reason;
  EndedUnasked(worker, end, now);
}

void Fleet::EndedUnasked(const FleetWorker& worker, const WorkerExited& end, Millis now,
                         Millis served_until) {
  if (IsSpare(worker)) return SpareEnded(worker, end, now);
  MakeRoom(worker, now);
  const auto entry = state_.slots.find(worker.slot);
  if (entry == state_.slots.end()) return;
  FleetSlot& slot = entry->second;
  slot.last_exit = end.reason;
  slot.last_exit_at = now;
  slot.last_status = end.status;
  ++slot.restarts;
  const WorkerPolicy& policy = PolicyOf(worker.generation);
  const Millis lived = worker.ready_at > 0 ? served_until - worker.ready_at : 0;
  const bool proved = worker.ready_at > 0 && lived >= policy.min_uptime;
  if (OnTrial(worker)) return FailTrial(worker, end);
  // The one that it was to relieve goes on, and no order hangs on it.
  if (IsReplacement(worker)) return NoteVainReplacement(slot, now);
  // A successor in a roll was to take over from one that serves: whatever --restart says, it has
  // not.
  const bool successor = worker.generation != slot.generation && IsTaken(worker.slot, worker.id);
  const bool by_policy = !successor && (policy.restart == RestartPolicy::kNever ||
                                        (policy.restart == RestartPolicy::kOnFailure && end.clean));
  if (!proved && !(by_policy && end.clean)) NoteFailure(worker, end.reason, end.status);
  if (by_policy) {
    slot.finished = true;
    if (end.clean) slot.generation = worker.generation;
    return;
  }
  // Not of the slot's own generation: one that was tried in a roll. The slot has, or gets back, the
  // old one.
  if (worker.generation != slot.generation) return;
  if (lived >= kForgiveAfter) slot.failures = 0;
  if (proved) {
    slot.short_lives = 0;
    slot.retry_at = 0;
    return;
  }
  CountFailure(slot, end.unborn, now);
  if (end.unborn) return;
  ++slot.short_lives;
  // A slot whose turn in a roll is still to come gets its successor all the same.
  const bool to_roll = RollActive() && slot.generation != state_.wish.generation;
  if (policy.max_restarts && slot.short_lives > *policy.max_restarts && !to_roll) {
    GiveUpSlot(worker, slot, *policy.max_restarts);
  }
}

void Fleet::GiveUpSlot(const FleetWorker& worker, FleetSlot& slot, std::uint32_t restarts) {
  slot.finished = true;
  slot.given_up = true;
  const std::string tries =
      restarts == 0   ? "was not restarted (--max-restarts 0)"
      : restarts == 1 ? "was given up after 1 restart"
                      : "was given up after " + std::to_string(restarts) + " restarts in a row";
  state_.failure =
      FleetFailure{state_.wish.order,
                   worker.generation,
                   worker.id,
                   worker.slot,
                   "slot " + std::to_string(worker.slot) + " " + tries + ": " + slot.last_exit,
                   slot.last_status};
  actions_.push_back(ReportSlotGivenUp{worker.slot});
}

void Fleet::CountFailure(FleetSlot& slot, bool unborn, Millis now) {
  // What the machine lacks for a moment is no fault of the app: to try costs next to nothing, and
  // the slot is to be filled soon after there is enough again.
  constexpr Millis kLongestForUnborn = 1000;
  ++slot.failures;
  Millis delay = RestartDelay(slot.failures, NextRandom());
  if (unborn) delay = std::min(delay, kLongestForUnborn);
  slot.retry_at = now + delay;
  if (AnyServing()) return;
  // Nothing of the service is up: the slots wait together, so that a service of many workers does
  // not boot more often than a service of one.
  for (auto& [number, other] : state_.slots) {
    if (other.failures == 0) continue;
    other.failures = std::max(other.failures, slot.failures);
    other.retry_at = std::max(other.retry_at, slot.retry_at);
  }
}

void Fleet::NoteFailure(const FleetWorker& worker, const std::string& reason,
                        std::optional<int> status) {
  const FleetWish& wish = state_.wish;
  // An order that was carried out has not failed; what crashes later is the restart policy's
  // business.
  if (state_.reached >= wish.order) return;
  if (state_.failure && state_.failure->order == wish.order) return;
  // In a roll only the new generation is on trial.
  if (RollActive() && worker.generation != wish.generation) return;
  state_.failure =
      FleetFailure{wish.order, worker.generation, worker.id, worker.slot, reason, status};
  // A generation that is everywhere already cannot be given up (a new slot of a larger size may
  // fail).
  if (wish.mode == RollMode::kRolling && worker.generation == wish.generation &&
      state_.good != wish.generation) {
    state_.failed = wish.generation;
  }
}

void Fleet::Settle(Millis now) {
  deadline_.reset();
  if (!state_.wish.run) {
    SettleStop(now);
  } else {
    SettleRestart(now);
  }
  // Before the slots are looked at: who is given up here leaves a slot to be filled.
  SettleEscalations(now);
  if (state_.wish.run) {
    AddSlots();
    SettleUnfit(now);
    SettleRoll(now);
    SettleReplacements(now);
    SettleSlots(now);
    SettleSpare(now);
  }
  for (const auto& [id, worker] : state_.workers) {
    if (worker.deadline > 0) Consider(worker.deadline);
  }
}

void Fleet::SettleStop(Millis now) {
  for (auto& [id, worker] : state_.workers) {
    if (worker.state == WorkerState::kStarting) {
      Terminate(worker, now);
    } else if (worker.state == WorkerState::kReady) {
      if (state_.wish.soft_stop) {
        Leave(worker, now);
      } else {
        Terminate(worker, now);
      }
    } else if (worker.state == WorkerState::kDraining && !state_.wish.soft_stop) {
      Terminate(worker, now);
    }
  }
}

void Fleet::SettleRestart(Millis now) {
  if (state_.wish.mode != RollMode::kRestart) return;
  for (auto& [number, slot] : state_.slots) slot.generation = state_.wish.generation;
  for (auto& [id, worker] : state_.workers) {
    if (worker.generation == state_.wish.generation) continue;
    if (IsPresent(worker) || worker.state == WorkerState::kDraining) Terminate(worker, now);
  }
}

void Fleet::SettleRoll(Millis now) {
  // A predecessor is drained only beside a successor that serves; also if the roll was given up in
  // the moment in which that got ready.
  for (auto& [id, worker] : state_.workers) {
    if (worker.slot <= state_.wish.size && Serves(worker) && IsRelieved(worker)) {
      Drain(worker, now);
    }
  }
  if (!RollActive()) {
    // A roll that has failed: successors that were still starting beside it are given up.
    if (state_.wish.mode == RollMode::kRolling) {
      for (auto& [id, worker] : state_.workers) {
        const auto slot = state_.slots.find(worker.slot);
        const bool successor =
            slot != state_.slots.end() && worker.generation > slot->second.generation;
        if (worker.state == WorkerState::kStarting && successor) Kill(worker, now);
      }
    }
    return;
  }
  if (OnTrial()) return SettleTrial(now);
  // Slots under replacement: a successor that starts, or a predecessor on its way out.
  std::set<SlotNumber> busy;
  for (auto& [id, worker] : state_.workers) {
    const bool wanted = worker.generation == state_.wish.generation;
    if (IsSpare(worker) || worker.slot > state_.wish.size) continue;
    if ((wanted && worker.state == WorkerState::kStarting) || (!wanted && !IsPresent(worker))) {
      busy.insert(worker.slot);
    }
    // A successor of an earlier roll, which this one has overtaken.
    const auto slot = state_.slots.find(worker.slot);
    const bool replaced =
        IsTaken(worker.slot, worker.id) ||
        (slot != state_.slots.end() && slot->second.generation == state_.wish.generation);
    if (!wanted && worker.state == WorkerState::kStarting && replaced) {
      Terminate(worker, now);
      busy.insert(worker.slot);
    }
  }
  for (auto& [number, slot] : state_.slots) {
    if (number > state_.wish.size || slot.generation == state_.wish.generation) continue;
    if (busy.size() >= std::max(1U, state_.wish.parallel)) break;
    if (busy.count(number) > 0) continue;
    if (!MaySpawn(now)) break;
    // An old worker that is still starting serves nobody: the new one simply takes its place.
    for (auto& [id, worker] : state_.workers) {
      if (worker.slot == number && worker.state == WorkerState::kStarting) Terminate(worker, now);
    }
    Spawn(number, state_.wish.generation, now);
    busy.insert(number);
  }
}

void Fleet::SettleReplacements(Millis now) {
  bool any = false;
  for (auto& [id, worker] : state_.workers) {
    any = any || !worker.outgrown.empty();
    if (worker.state != WorkerState::kStarting) continue;
    // Its predecessor has ended for good meanwhile.
    const auto slot = state_.slots.find(worker.slot);
    const bool late = slot != state_.slots.end() && slot->second.finished &&
                      slot->second.generation == worker.generation;
    if (late) Terminate(worker, now);
  }
  // A roll replaces everybody, and goes first.
  if (!any || RollPending()) return;
  for (const auto& [id, worker] : state_.workers) {
    const bool leaves = !IsStaying(worker) && !worker.outgrown.empty();
    if (worker.slot <= state_.wish.size && (leaves || IsReplacement(worker))) return;
  }
  for (const auto& [id, worker] : state_.workers) {
    if (!Serves(worker) || !IsStaying(worker) || worker.disconnected) continue;
    if (worker.outgrown.empty() || IsBeside(worker)) continue;
    const auto slot = state_.slots.find(worker.slot);
    if (worker.slot > state_.wish.size || slot == state_.slots.end()) continue;
    if (slot->second.replace_at > now) {
      Consider(slot->second.replace_at);
      continue;
    }
    if (!MaySpawn(now)) return;
    return Spawn(worker.slot, worker.generation, now);
  }
}

void Fleet::AddSlots() {
  for (SlotNumber number = 1; number <= state_.wish.size; ++number) {
    if (state_.slots.count(number) == 0) state_.slots[number].generation = GenerationForNewSlot();
  }
}

void Fleet::SettleSlots(Millis now) {
  const FleetWish& wish = state_.wish;
  for (auto& [id, worker] : state_.workers) {
    if (worker.slot <= wish.size) continue;
    if (worker.state == WorkerState::kReady) Leave(worker, now);
    if (worker.state == WorkerState::kStarting) Terminate(worker, now);
  }
  for (auto slot = state_.slots.begin(); slot != state_.slots.end();) {
    slot = slot->first > wish.size ? state_.slots.erase(slot) : std::next(slot);
  }
  std::set<SlotNumber> occupied;
  for (const auto& [id, worker] : state_.workers) {
    // In a hard restart a slot is free when its old worker is gone, so that the two do not fight
    // over what only one can have.
    const bool beside = IsBeside(worker) && !AwaitsTurn(worker.slot);
    const bool blocks = (IsStaying(worker) && !beside) || EndIsAwaited(worker) ||
                        (wish.mode == RollMode::kRestart && worker.generation != wish.generation);
    if (blocks) occupied.insert(worker.slot);
  }
  const bool probing = CrashesEverywhere();
  for (auto& [number, slot] : state_.slots) {
    if (occupied.count(number) > 0 || slot.finished) continue;
    FleetWorker* spare = SpareOf(slot.generation);
    if (spare == nullptr && slot.retry_at > now) {
      Consider(slot.retry_at);
      continue;
    }
    if (probing && AnyStarting()) continue;
    if (spare != nullptr) {
      Promote(*spare, number, now);
      continue;
    }
    if (!MaySpawn(now)) break;
    Spawn(number, slot.generation, now);
  }
  const std::string phase = InstancePhase(state_);
  if ((phase == "running" || phase == "finished") && !TrialOpen()) {
    state_.reached = wish.order;
    if (state_.failed != wish.generation) {
      state_.good = wish.generation;
      state_.failure.reset();
    }
  }
}

void Fleet::SettleEscalations(Millis now) {
  for (auto& [id, worker] : state_.workers) {
    if (worker.deadline == 0 || worker.deadline > now) continue;
    switch (worker.state) {
      case WorkerState::kStarting:
      case WorkerState::kReady: {
        // What it does instead of listening it would do each time that it is tried.
        if (IsSpare(worker) && !worker.disconnected) state_.spare.given_up = worker.generation;
        // One that is to be replaced has been judged.
        if (IsStaying(worker)) {
          EndedUnasked(worker, WorkerExited{id, false, WhyGivenUp(worker), {}, false}, now);
          actions_.push_back(ReportGivenUp{id});
        }
        Kill(worker, now);
        break;
      }
      case WorkerState::kDraining:
        if (worker.hung_up || worker.disconnected) {
          Terminate(worker, now);
        } else {
          HangUp(worker, now);
        }
        break;
      case WorkerState::kStopping:
        Kill(worker, now, PolicyOf(worker.generation).stop_timeout);
        break;
      case WorkerState::kKilling:
        Kill(worker, now);
        break;
    }
  }
}

std::string Fleet::WhyGivenUp(const FleetWorker& worker) const {
  if (worker.disconnected) {
    return "closed its channel to the master (process.disconnect) but did not exit";
  }
  const std::string span = FormatSpan(worker.deadline - worker.spawned_at);
  if (IsSpare(worker)) return "did not come to its listen() within " + span;
  const std::string late = "not ready within " + span;
  if (!worker.trouble.empty()) return late + ": " + worker.trouble;
  return late + "; if it never listens on a port, start it with --ready alive";
}

bool Fleet::MaySpawn(Millis now) {
  const auto spawned_now =
      std::count_if(state_.workers.begin(), state_.workers.end(),
                    [&](const auto& entry) { return entry.second.spawned_at == now; });
  if (spawned_now < kSpawnsAtOnce) return true;
  Consider(now + 1);
  return false;
}

void Fleet::Spawn(SlotNumber slot, Generation generation, Millis now) {
  FleetWorker worker;
  worker.id = ++state_.last_worker;
  worker.slot = slot;
  worker.generation = generation;
  worker.spawned_at = now;
  worker.deadline = now + PolicyOf(generation).ready_timeout;
  state_.workers[worker.id] = worker;
  const std::uint32_t size = state_.wish.size;
  const SlotNumber told = slot > 0 ? slot : size == 1 ? 1 : size + 1;
  actions_.push_back(SpawnWorker{worker.id, slot, generation, told});
}

void Fleet::Drain(FleetWorker& worker, Millis now) {
  worker.state = WorkerState::kDraining;
  worker.deadline = now + PolicyOf(worker.generation).drain_timeout;
  if (worker.disconnected) worker.deadline = std::min(worker.deadline, now + kAfterDisconnect);
  actions_.push_back(DrainWorker{worker.id});
}

void Fleet::HangUp(FleetWorker& worker, Millis now) {
  worker.hung_up = true;
  worker.deadline = now + kAfterHangUp;
  actions_.push_back(HangUpWorker{worker.id});
}

void Fleet::Terminate(FleetWorker& worker, Millis now) {
  worker.state = WorkerState::kStopping;
  worker.deadline = now + PolicyOf(worker.generation).stop_timeout;
  actions_.push_back(TerminateWorker{worker.id});
}

void Fleet::Kill(FleetWorker& worker, Millis now, Millis waited) {
  worker.state = WorkerState::kKilling;
  worker.deadline = now + kKillAgain;
  actions_.push_back(KillWorker{worker.id, waited});
}

void Fleet::Consider(Millis at) {
  if (!deadline_ || at < *deadline_) deadline_ = at;
}

const WorkerPolicy& Fleet::PolicyOf(Generation generation) const {
  static const WorkerPolicy kDefault;
  const auto found = policies_.find(generation);
  return found == policies_.end() ? kDefault : found->second;
}

bool Fleet::EndIsAwaited(const FleetWorker& worker) const {
  if (!worker.leaving || worker.unfit || !state_.wish.run) return false;
  const auto slot = state_.slots.find(worker.slot);
  // Who is to be replaced anyway is waited for by that.
  if (slot == state_.slots.end() || slot->second.generation != worker.generation) return false;
  const WorkerPolicy& policy = PolicyOf(worker.generation);
  return policy.restart != RestartPolicy::kAlways || !policy.sockets_stay;
}

bool Fleet::IsTaken(SlotNumber slot, WorkerId besides) const {
  return std::any_of(state_.workers.begin(), state_.workers.end(), [&](const auto& entry) {
    return entry.first != besides && entry.second.slot == slot && IsStaying(entry.second);
  });
}

bool Fleet::IsBeside(const FleetWorker& worker) const {
  const auto slot = state_.slots.find(worker.slot);
  return slot != state_.slots.end() && slot->second.generation != worker.generation &&
         (Serves(worker) || OnTrial(worker));
}

bool Fleet::IsRelieved(const FleetWorker& worker) const {
  const FleetWorker* successor = SuccessorOf(worker);
  if (successor != nullptr && Serves(*successor)) return true;
  if (!IsBeside(worker) || OnTrial(worker)) return false;
  // Of a slot that has finished nobody else is awaited.
  if (state_.slots.at(worker.slot).finished) return true;
  return std::any_of(state_.workers.begin(), state_.workers.end(), [&](const auto& entry) {
    const FleetWorker& other = entry.second;
    if (other.slot != worker.slot || !Serves(other)) return false;
    // Of several that were on trial the last one stands in for a slot that has none of its own.
    return !IsBeside(other) || (!OnTrial(other) && other.id > worker.id);
  });
}

bool Fleet::TrialOpen() const { return RollActive() && state_.wish.trial; }

bool Fleet::RollActive() const { return IsRolling(state_); }

bool Fleet::RollPending() const {
  return std::any_of(state_.slots.begin(), state_.slots.end(),
                     [this](const auto& entry) { return AwaitsTurn(entry.first); });
}

bool Fleet::AwaitsTurn(SlotNumber number) const {
  const auto slot = state_.slots.find(number);
  return RollActive() && !OnTrial() && slot != state_.slots.end() &&
         slot->second.generation != state_.wish.generation;
}

const FleetWorker* Fleet::SuccessorOf(const FleetWorker& worker) const {
  if (worker.outgrown.empty()) return nullptr;
  for (const auto& [id, other] : state_.workers) {
    if (id > worker.id && other.slot == worker.slot && other.generation == worker.generation &&
        IsStaying(other)) {
      return &other;
    }
  }
  return nullptr;
}

bool Fleet::IsReplacement(const FleetWorker& worker) const {
  return worker.state == WorkerState::kStarting &&
         std::any_of(state_.workers.begin(), state_.workers.end(), [&](const auto& entry) {
           const FleetWorker& other = entry.second;
           return other.id < worker.id && other.slot == worker.slot &&
                  other.generation == worker.generation && Serves(other) && IsStaying(other);
         });
}

Generation Fleet::GenerationForNewSlot() const {
  if (state_.failed != state_.wish.generation && !TrialOpen()) return state_.wish.generation;
  if (state_.good > 0) return state_.good;
  return state_.slots.empty() ? state_.wish.generation : state_.slots.begin()->second.generation;
}

bool Fleet::AnyServing() const {
  return std::any_of(state_.workers.begin(), state_.workers.end(),
                     [](const auto& entry) { return Serves(entry.second); });
}

bool Fleet::CrashesEverywhere() const {
  return !AnyServing() && !state_.slots.empty() &&
         std::all_of(state_.slots.begin(), state_.slots.end(),
                     [](const auto& entry) { return entry.second.failures > 0; });
}

bool Fleet::AnyDraining() const {
  return std::any_of(state_.workers.begin(), state_.workers.end(), [](const auto& entry) {
    return entry.second.state == WorkerState::kDraining;
  });
}

bool Fleet::AnyStarting() const {
  return std::any_of(state_.workers.begin(), state_.workers.end(), [](const auto& entry) {
    return entry.second.state == WorkerState::kStarting && !IsSpare(entry.second);
  });
}

std::uint64_t Fleet::NextRandom() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

std::vector<Generation> Fleet::LiveGenerations() const {
  std::set<Generation> live;
  if (state_.wish.generation > 0) live.insert(state_.wish.generation);
  if (state_.good > 0) live.insert(state_.good);
  for (const auto& [number, slot] : state_.slots) live.insert(slot.generation);
  for (const auto& [id, worker] : state_.workers) live.insert(worker.generation);
  return {live.begin(), live.end()};
}

WorkerId Fleet::PredecessorOf(WorkerId id) const {
  const auto self = state_.workers.find(id);
  if (self == state_.workers.end()) return 0;
  WorkerId best = 0;
  Generation best_generation = 0;
  for (const auto& [other, worker] : state_.workers) {
    if (other == id || worker.state != WorkerState::kReady ||
        worker.generation > self->second.generation)
      continue;
    const bool same_slot = worker.slot == self->second.slot;
    if (worker.generation > best_generation ||
        (worker.generation == best_generation && same_slot)) {
      best = other;
      best_generation = worker.generation;
    }
  }
  return best;
}

}  // namespace slc
