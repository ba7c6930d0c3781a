#include "tests/unit/fleet_operator.h"

#include <algorithm>

namespace slc {

WorkerPolicy AnyPolicy(Random& random) {
  WorkerPolicy policy;
  policy.ready_timeout = random.Between(200, 3000);
  policy.drain_timeout = random.Chance(10) ? 0 : random.Between(1, 2000);
  policy.stop_timeout = random.Chance(10) ? 0 : random.Between(1, 1000);
  policy.min_uptime = random.Chance(10) ? 0 : random.Between(100, 10000);
  if (random.Chance(20)) policy.restart = RestartPolicy::kOnFailure;
  if (random.Chance(10)) policy.restart = RestartPolicy::kNever;
  if (random.Chance(15)) policy.max_restarts = static_cast<std::uint32_t>(random.Between(0, 4));
  policy.sockets_stay = random.Chance(50);
  policy.spare = random.Chance(40);
  return policy;
}

Behaviour AnyBehaviour(Random& random) {
  Behaviour how;
  how.boots_to = random.Between(20, 300);
  how.leaves_within = random.Between(0, 1500);
  how.dies_within = random.Chance(10) ? 2500 : 20;
  const auto sometimes = [&](int& chance) {
    if (random.Chance(25)) chance = static_cast<int>(random.Between(1, 100));
  };
  sometimes(how.cannot_start);
  sometimes(how.crashes_booting);
  sometimes(how.hangs_booting);
  sometimes(how.ends_clean);
  sometimes(how.disconnects);
  sometimes(how.breaks);
  sometimes(how.hangs);
  sometimes(how.moves_again);
  sometimes(how.grows);
  how.grows_to = random.Between(1, 20000);
  sometimes(how.leaves);
  sometimes(how.ignores_drain);
  sometimes(how.ignores_stop);
  if (random.Chance(50)) how.lives_to = random.Between(1, 20000);
  how.listens = random.Chance(90);
  return how;
}

Behaviour BrokenBehaviour(Random& random) {
  Behaviour how;
  switch (random.Below(5)) {
    case 0:
      how.cannot_start = 100;
      break;
    case 1:
      how.crashes_booting = 100;
      break;
    case 2:
      how.hangs_booting = 100;
      break;
    case 3:
      how.crashes_booting = 100;
      how.breaks = 100;
      break;
    default:
      how.crashes_booting = 100;
      how.disconnects = 100;
  }
  how.ends_clean = random.Chance(50) ? 100 : 0;
  how.dies_within = random.Between(0, 1500);
  return how;
}

WorkerPolicy QuickPolicy(Random& random) {
  WorkerPolicy policy;
  policy.ready_timeout = random.Between(200, 3000);
  policy.drain_timeout = random.Between(0, 500);
  policy.stop_timeout = random.Between(0, 500);
  policy.min_uptime = 10000;
  policy.spare = random.Chance(30);
  return policy;
}

bool AllServe(const FleetWorld& world, Generation generation) {
  const FleetState& state = world.state();
  if (world.WorkersInSlots() != state.wish.size || world.ServingSlots() != state.wish.size)
    return false;
  return std::all_of(state.workers.begin(), state.workers.end(), [&](const auto& entry) {
    return IsSpare(entry.second) || entry.second.generation == generation;
  });
}

std::size_t ServingOf(const FleetWorld& world, Generation generation) {
  const auto& workers = world.state().workers;
  return static_cast<std::size_t>(
      std::count_if(workers.begin(), workers.end(), [&](const auto& entry) {
        return entry.second.generation == generation && entry.second.state == WorkerState::kReady;
      }));
}

void Operator::Anything() {
  if (!wish_.run) {
    if (random_.Chance(70)) return Start(AnySize());
    return Stop(random_.Chance(50));
  }
  if (wish_.trial && random_.Chance(50)) return Pass();
  switch (random_.Below(8)) {
    case 0:
      return Stop(random_.Chance(50));
    case 1:
      return Restart();
    case 2:
      return SetSize(AnySize());
    case 3:
    case 4:
      return Try();
    default:
      return Roll(static_cast<std::uint32_t>(random_.Between(1, 3)));
  }
}

void Operator::Renew(RollMode mode, std::uint32_t parallel, bool trial) {
  if (!prepared_) Prepare(AnyPolicy(random_), AnyBehaviour(random_));
  prepared_ = false;
  wish_.run = true;
  ++wish_.generation;
  wish_.mode = mode;
  wish_.parallel = parallel;
  wish_.trial = trial;
  Send();
}

}  // namespace slc
