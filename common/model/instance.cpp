#include "common/model/instance.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace slc {

const char* Name(WorkerState state) {
  switch (state) {
    case WorkerState::kStarting:
      return "starting";
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kDraining:
      return "draining";
    case WorkerState::kStopping:
      return "stopping";
    case WorkerState::kKilling:
      return "killing";
  }
  return "starting";
}

std::optional<WorkerState> WorkerStateFromName(const std::string& name) {
  for (const WorkerState state :
       {WorkerState::kStarting, WorkerState::kReady, WorkerState::kDraining, WorkerState::kStopping,
        WorkerState::kKilling}) {
    if (name == Name(state)) return state;
  }
  return std::nullopt;
}

bool IsStaying(const FleetWorker& worker) {
  return worker.state <= WorkerState::kReady && !worker.unfit;
}

bool Serves(const FleetWorker& worker) {
  return worker.state == WorkerState::kReady && !worker.hung;
}

// A roll is under way or done, as opposed to given up.
bool IsRolling(const FleetState& state) {
  return state.wish.run && state.wish.mode == RollMode::kRolling &&
         state.wish.generation != state.failed;
}

bool IsOnTrial(const FleetState& state) {
  const auto is_old = [&](const auto& slot) {
    return slot.second.generation != state.wish.generation;
  };
  return state.wish.trial && IsRolling(state) &&
         std::any_of(state.slots.begin(), state.slots.end(), is_old);
}

bool IsOnTrial(const FleetState& state, const FleetWorker& worker) {
  return !IsSpare(worker) && worker.generation == state.wish.generation && IsOnTrial(state);
}

WorkerId TrialWorker(const FleetState& state) {
  for (const auto& [id, worker] : state.workers) {
    if (Serves(worker) && IsOnTrial(state, worker)) return id;
  }
  return 0;
}

bool AllOthersServe(const FleetState& state) {
  std::set<SlotNumber> served;
  for (const auto& [id, worker] : state.workers) {
    if (IsSpare(worker) || IsOnTrial(state, worker)) continue;
    const auto slot = state.slots.find(worker.slot);
    const bool wanted = slot != state.slots.end() && worker.slot <= state.wish.size &&
                        worker.generation == slot->second.generation && Serves(worker);
    if (!wanted) return false;
    served.insert(worker.slot);
  }
  for (SlotNumber number = 1; number <= state.wish.size; ++number) {
    const auto slot = state.slots.find(number);
    if (slot == state.slots.end()) return false;
    if (!slot->second.finished && served.count(number) == 0) return false;
  }
  return true;
}

TrialStand StandOfTrial(const FleetState& state, Generation generation) {
  if (state.wish.generation < generation) return {};
  if (state.wish.generation > generation) return {TrialStep::kNone, 0, {}};
  if (state.wish.trial && state.failed == generation) {
    const bool known = state.failure && state.failure->generation == generation;
    if (!known) return {TrialStep::kFailed, 0, "did not come up"};
    return {TrialStep::kFailed, state.failure->worker, state.failure->reason};
  }
  if (!IsOnTrial(state)) return {TrialStep::kNone, 0, {}};
  const WorkerId worker = TrialWorker(state);
  return {worker == 0 ? TrialStep::kPending : TrialStep::kServes, worker, {}};
}

namespace {

// InstancePhase of an instance that is to run, leaving aside whether its order has failed.
const char* RunningPhase(const FleetState& state) {
  const FleetWish& wish = state.wish;
  if (IsOnTrial(state)) return "rolling";
  const bool rolling = IsRolling(state);
  bool all_serve = true;
  bool waits = false;
  std::uint32_t finished = 0;
  // It is asked for after each event of a master that may have a thousand workers.
  std::set<SlotNumber> served;
  std::size_t counted = 0;
  for (const auto& [id, worker] : state.workers) {
    const auto slot = state.slots.find(worker.slot);
    if (slot == state.slots.end() || slot->first > wish.size || slot->second.finished) continue;
    const Generation wanted = rolling ? wish.generation : slot->second.generation;
    if (!Serves(worker) || worker.generation != wanted) continue;
    served.insert(worker.slot);
    ++counted;
  }
  for (SlotNumber number = 1; number <= wish.size; ++number) {
    const auto slot = state.slots.find(number);
    if (slot == state.slots.end()) {
      all_serve = false;
      continue;
    }
    if (slot->second.finished) {
      ++finished;
      continue;
    }
    const bool serves = served.count(number) > 0;
    all_serve = all_serve && serves;
    waits = waits || (!serves && slot->second.failures > 0);
  }
  if (wish.size > 0 && finished == wish.size && state.workers.empty()) return "finished";
  bool old_left = false;
  std::size_t in_slots = 0;
  for (const auto& [id, worker] : state.workers) {
    if (IsSpare(worker)) continue;
    ++in_slots;
    old_left = old_left || (rolling && worker.generation != wish.generation);
  }
  if (old_left) return "rolling";
  if (waits) return "backoff";
  // What was everywhere before is refilled, not rolled.
  if (!all_serve) return rolling && state.good != wish.generation ? "rolling" : "starting";
  return counted == in_slots ? "running" : "changing";
}

}  // namespace

const char* InstancePhase(const FleetState& state) {
  if (!state.wish.run) return state.workers.empty() ? "stopped" : "stopping";
  if (std::any_of(state.slots.begin(), state.slots.end(),
                  [](const auto& entry) { return entry.second.given_up; })) {
    return "failed";
  }
  const char* phase = RunningPhase(state);
  if (!state.failure || state.failure->order != state.wish.order) return phase;
  // What came up after all has not failed; a roll that was given up has, and who ended for good.
  const bool given_up = state.failed == state.wish.generation ||
                        std::any_of(state.slots.begin(), state.slots.end(),
                                    [](const auto& entry) { return entry.second.finished; });
  const bool all_serve =
      phase == std::string_view("running") || phase == std::string_view("changing");
  return all_serve && !given_up ? phase : "failed";
}

std::optional<int> FinalExitCode(const FleetState& state) {
  if (!state.wish.run || state.wish.size == 0 || !state.workers.empty()) return std::nullopt;
  int code = 0;
  for (SlotNumber number = 1; number <= state.wish.size; ++number) {
    const auto slot = state.slots.find(number);
    if (slot == state.slots.end() || !slot->second.finished) return std::nullopt;
    const auto& status = slot->second.last_status;
    if (code == 0) code = status ? ShellExitCode(*status) : 1;
  }
  return code;
}

std::string DescribeListener(const ListenerFacts& listener) {
  if (listener.kind == ListenerKind::kUnix) return listener.address;
  const std::string port = ":" + std::to_string(listener.bound_port);
  std::string text;
  if (listener.address.empty()) {
    // The dual-stack wildcard is shown the way people and the original write it.
    text = "0.0.0.0" + port;
  } else if (listener.address.find(':') != std::string::npos) {
    text = "[" + listener.address + "]" + port;
  } else {
    text = listener.address + port;
  }
  return listener.kind == ListenerKind::kUdp ? text + "/udp" : text;
}

}  // namespace slc
