// The promises of fleet.h over random histories. What is checked at every step stands in
// fleet_world.cpp; here are the histories, and how each must end.
#include <algorithm>

#include "tests/unit/fleet_operator.h"
#include "tests/unit/fleet_world.h"

namespace slc {
namespace {

constexpr std::uint64_t kHistories = 2000;

}  // namespace

TEST_CASE("Fleet keeps its promises whatever workers and operators do, and ends where it should") {
  RunHistories(3 * kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    if (random.Chance(30)) world.SetLateness(random.Between(1, 40));
    user.Start(static_cast<std::uint32_t>(random.Between(0, 5)));
    const int turns = static_cast<int>(random.Between(1, 8));
    for (int turn = 0; turn < turns; ++turn) {
      world.Run(random.Chance(30) ? random.Between(0, 100) : random.Between(0, 8000));
      if (random.Chance(15)) world.TakeOver();
      if (random.Chance(15)) world.DisturbWithStaleEvent();
      user.Anything();
    }
    world.Run(random.Between(0, 500));
    // From here on the app is good: it must come up, in whatever state it was left.
    WorkerPolicy policy = QuickPolicy(random);
    user.Prepare(policy, Behaviour{});
    const bool runs = user.wish().run;
    if (runs && random.Chance(20)) {
      user.Try();
      world.Run(random.Between(0, 2000));
      user.Pass();
    } else if (runs && random.Chance(70)) {
      user.Roll(static_cast<std::uint32_t>(random.Between(1, 3)));
    } else {
      user.Start(user.wish().size);
    }
    const Generation good = user.wish().generation;
    constexpr Millis kLongEnough = 60'000;
    if (!world.RunUntil(kLongEnough, [&] { return AllServe(world, good); })) {
      world.Wrong("a good generation did not get everywhere");
    }
    if (world.phase() != "running") world.Wrong("all serve, but the phase is " + world.phase());
    world.Run(120'000);
    if (world.phase() != "running") world.Wrong("did not stay as it was: " + world.phase());
    user.Stop(random.Chance(50));
    // Drain, stop, kill, and for who dies late, one second more each.
    world.Run(policy.drain_timeout + policy.stop_timeout + 5000);
    if (world.phase() != "stopped") world.Wrong("did not stop in time");
    return world.wrong();
  });
}

TEST_CASE("Fleet: a roll to a good generation gets everywhere and never serves with less") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 6));
    const auto parallel = static_cast<std::uint32_t>(random.Between(1, 3));
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Start(size);
    world.Run(2000);
    if (!AllServe(world, 1)) world.Wrong("did not start");
    Behaviour how;
    how.boots_to = random.Between(20, 150);
    how.ignores_drain = random.Chance(20) ? 100 : 0;
    how.ignores_stop = random.Chance(20) ? 100 : 0;
    world.SetBehaviour(1, how);
    user.Prepare(QuickPolicy(random), how);
    world.ForgetRecords();
    user.Roll(parallel);
    const bool killed = random.Chance(20);
    // A slot takes at most: boot, drain, end of its connections, stop, kill.
    const Millis span = size * (150 + 500 + 200 + 500 + 20 + (killed ? 500 : 0)) + 10;
    bool less = false;
    Millis take_over_at = killed ? world.now() + random.Between(0, 500) : 0;
    const bool done = world.RunUntil(span, [&] {
      less = less || world.ServingSlots() < size;
      if (killed && take_over_at > 0 && world.now() >= take_over_at) {
        take_over_at = 0;
        world.TakeOver();
        // Workers that were lost with the master are no doing of the roll.
        less = false;
        return false;
      }
      if (killed && world.ServingSlots() < size) less = false;
      return AllServe(world, 2);
    });
    if (less) world.Wrong("served with less than it had");
    if (!done) world.Wrong("the roll did not end in time");
    if (world.phase() != "running") world.Wrong("the phase is " + world.phase());
    if (world.state().failure) world.Wrong("a good roll failed: " + world.state().failure->reason);
    // Each slot has at most an old worker, and a new one if it is its turn.
    if (world.most_workers() > size + std::max(1U, parallel)) world.Wrong("too many workers");
    if (world.most_starting() > parallel && !killed) world.Wrong("replaced too many at a time");
    for (SlotNumber slot = 1; slot <= size && !killed; ++slot) {
      if (world.SpawnsIn(slot).size() != 1) world.Wrong("spawned more than needed");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: a roll to a broken generation fails, and the old workers go on serving") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 6));
    WorkerPolicy policy = QuickPolicy(random);
    if (random.Chance(30)) policy.restart = RestartPolicy::kOnFailure;
    if (random.Chance(15)) policy.restart = RestartPolicy::kNever;
    user.Prepare(policy, Behaviour{});
    user.Start(size);
    world.Run(2000);
    if (!AllServe(world, 1)) world.Wrong("did not start");
    Behaviour how = BrokenBehaviour(random);
    how.good_at_first = random.Below(size);  // so many slots come up before it shows
    user.Prepare(policy, how);
    const auto parallel = static_cast<std::uint32_t>(random.Between(1, 3));
    user.Roll(parallel);
    bool less = false;
    const bool done = world.RunUntil(60'000, [&] {
      less = less || world.ServingSlots() < size;
      return world.phase() == "failed" && world.WorkersInSlots() == size;
    });
    if (!done) world.Wrong("the roll neither failed nor ended: " + world.phase());
    if (less) world.Wrong("the old ones did not go on serving");
    if (world.state().failed != 2) world.Wrong("the broken generation is still pursued");
    if (!world.state().failure || world.state().failure->reason.empty()) {
      world.Wrong("there is no reason");
    }
    if (ServingOf(world, 2) > how.good_at_first) world.Wrong("a broken worker serves");
    if (parallel == 1 && ServingOf(world, 2) != how.good_at_first) {
      world.Wrong("slots that were replaced did not stay new");
    }
    // It is not tried again by itself.
    world.ForgetRecords();
    world.Run(100'000);
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      if (!world.SpawnsIn(slot).empty()) world.Wrong("tried a broken generation again");
    }
    // The next one replaces the rest.
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Roll(1);
    if (!world.RunUntil(20'000, [&] { return AllServe(world, 3); })) {
      world.Wrong("the next roll did not repair it");
    }
    if (world.phase() != "running") world.Wrong("the phase is " + world.phase());
    return world.wrong();
  });
}

TEST_CASE("Fleet: a fresh start whose order says rolling runs once its crashes are over") {
  RunHistories(kHistories / 4, [](Random& random) {
    FleetWorld world(random);
    Behaviour crashes;
    crashes.crashes_booting = 100;
    world.AddGeneration(3, QuickPolicy(random), crashes);
    FleetWish wish;
    wish.run = true;
    wish.size = static_cast<std::uint32_t>(random.Between(1, 4));
    wish.generation = 3;
    wish.order = 9;
    wish.mode = RollMode::kRolling;
    world.Wish(wish);
    world.Run(random.Between(100, 500));
    if (random.Chance(30)) world.TakeOver();
    if (random.Chance(50)) world.Wish(wish);
    world.SetBehaviour(3, Behaviour{});
    const bool runs = world.RunUntil(90'000, [&] { return world.phase() == "running"; });
    if (!runs) world.Wrong("all is well, but it is called " + world.phase());
    if (world.state().failed != 0) world.Wrong("a generation was given up");
    return world.wrong();
  });
}

TEST_CASE("Fleet: slots that are down when a roll fails go back to what worked") {
  RunHistories(kHistories / 4, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 5));
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Start(size);
    world.Run(2000);
    // Old workers crash now and then, before and while the roll is tried.
    Behaviour crashing;
    crashing.lives_from = 1;
    crashing.lives_to = random.Between(100, 5000);
    world.SetBehaviour(1, crashing);
    user.SetSize(size + 2);
    world.Run(random.Between(0, 10000));
    user.Prepare(QuickPolicy(random), BrokenBehaviour(random));
    user.Roll(static_cast<std::uint32_t>(random.Between(1, 3)));
    if (!world.RunUntil(60'000, [&] { return world.state().failed == 2; })) {
      world.Wrong("the roll did not fail");
    }
    world.SetBehaviour(1, Behaviour{});
    if (!world.RunUntil(90'000, [&] { return AllServe(world, 1); })) {
      world.Wrong("what worked before did not come back everywhere");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: a service that crashes all the time costs at most 12 boots per slot and minute") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    Behaviour how;
    how.boots_from = random.Between(1, 100);
    how.boots_to = how.boots_from + random.Between(0, 1000);
    how.crashes_booting = static_cast<int>(random.Between(0, 100));
    how.lives_from = 1;
    how.lives_to = random.Between(1, 3000);
    how.cannot_start = random.Chance(20) ? 100 : 0;
    how.disconnects = random.Chance(20) ? 30 : 0;
    how.hangs = random.Chance(30) ? static_cast<int>(random.Between(1, 100)) : 0;
    how.moves_again = random.Chance(30) ? 50 : 0;
    WorkerPolicy policy = QuickPolicy(random);
    user.Prepare(policy, how);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 8));
    user.Start(size);
    world.Run(300'000);
    std::size_t tries = 0;
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      const std::vector<Millis>& spawns = world.SpawnsIn(slot);
      constexpr std::size_t kMost = 12;
      for (std::size_t i = kMost; i < spawns.size(); ++i) {
        if (spawns[i] - spawns[i - kMost] < 60'000) {
          world.Wrong("13 boots within a minute in slot " + std::to_string(slot));
        }
      }
      tries += spawns.size();
    }
    if (tries < 10) world.Wrong("gave up");
    // It recovers by itself.
    world.SetBehaviour(1, Behaviour{});
    if (!world.RunUntil(40'000, [&] { return AllServe(world, 1); })) {
      world.Wrong("did not recover");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: workers that hang are replaced one for one, and by then nothing else is lost") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    Behaviour how;
    how.hangs = 100;
    how.moves_again = random.Chance(50) ? static_cast<int>(random.Between(1, 100)) : 0;
    how.lives_from = 11'000;
    how.lives_to = random.Between(11'000, 40'000);
    WorkerPolicy policy = QuickPolicy(random);
    user.Prepare(policy, how);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 5));
    user.Start(size);
    world.Run(2000);
    if (!AllServe(world, 1)) world.Wrong("did not start");
    const bool killed = random.Chance(20);
    world.Run(random.Between(0, 100'000));
    if (killed) world.TakeOver();
    world.Run(random.Between(0, 60'000));
    world.SetBehaviour(1, Behaviour{});
    // All that were to hang have done so, and have been replaced.
    world.Run(60'000);
    if (!AllServe(world, 1)) world.Wrong("what hung was not replaced");
    if (world.phase() != "running") world.Wrong("the phase is " + world.phase());
    if (world.most_workers() > 3 * size) world.Wrong("too many workers");
    return world.wrong();
  });
}

TEST_CASE(
    "Fleet: workers that outgrow their limit are replaced, and nothing serves less meanwhile") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 5));
    WorkerPolicy policy = QuickPolicy(random);
    policy.min_uptime = 5000;
    Behaviour how;
    how.grows = 100;
    how.grows_from = policy.min_uptime;
    how.grows_to = how.grows_from + random.Between(0, 20'000);
    how.ignores_drain = random.Chance(20) ? 50 : 0;
    how.crashes_booting = random.Chance(30) ? 30 : 0;
    how.good_at_first = size;
    user.Prepare(policy, how);
    user.Start(size);
    world.Run(2000);
    if (!AllServe(world, 1)) world.Wrong("did not start");
    how.good_at_first = 0;
    world.SetBehaviour(1, how);
    // From now on each successor grows; the first are replaced by a roll.
    user.Prepare(policy, how);
    if (how.crashes_booting == 0) user.Roll(1);
    world.Run(20'000);
    world.ForgetRecords();
    bool less = false;
    world.RunUntil(200'000, [&] {
      less = less || world.ServingSlots() < size;
      return false;
    });
    if (less) world.Wrong("served with less than it had");
    if (world.most_workers() > size + 1) world.Wrong("replaced more than one at a time");
    std::size_t replaced = 0;
    for (SlotNumber slot = 1; slot <= size; ++slot) replaced += world.SpawnsIn(slot).size();
    if (how.crashes_booting == 0 && replaced < size) world.Wrong("replaced too few");
    return world.wrong();
  });
}

TEST_CASE("Fleet: a worker that is too large from the start is not replaced all the time") {
  RunHistories(kHistories / 20, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    Behaviour how;
    how.grows = 100;
    how.grows_to = 3000;
    user.Prepare(QuickPolicy(random), how);
    user.Start(1);
    world.Run(3000);
    world.RunUntil(1'000'000, [&] {
      if (world.ServingSlots() < 1) world.Wrong("took away who served");
      return false;
    });
    // After 10, 20, 40 ... 320, 600 s; who shrinks meanwhile is let be.
    if (world.SpawnsIn(1).size() > 8) world.Wrong("replaced too often");
    return world.wrong();
  });
}

TEST_CASE("Fleet: who fails more often in a row than --max-restarts allows is not started again") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 4));
    WorkerPolicy policy = QuickPolicy(random);
    policy.max_restarts = static_cast<std::uint32_t>(random.Between(0, 5));
    // Who cannot even be made has not failed.
    Behaviour how;
    how.crashes_booting = 100;
    how.breaks = random.Chance(50) ? 50 : 0;
    how.ends_clean = random.Chance(20) ? 50 : 0;
    user.Prepare(policy, how);
    user.Start(size);
    const bool killed = random.Chance(20);
    if (killed) {
      world.Run(random.Between(0, 2000));
      world.TakeOver();
    }
    world.Run(400'000);
    if (world.phase() != "failed") world.Wrong("is not failed, but " + world.phase());
    if (!world.state().workers.empty()) world.Wrong("something of it lives");
    if (world.fleet().deadline()) world.Wrong("waits for something");
    for (SlotNumber slot = 1; slot <= size && !killed; ++slot) {
      if (world.SpawnsIn(slot).size() != *policy.max_restarts + 1) world.Wrong("tried too often");
    }
    // Somebody asks anew.
    user.Prepare(policy, Behaviour{});
    if (random.Chance(50)) {
      user.Roll(1);
    } else {
      user.Restart();
    }
    if (!world.RunUntil(20'000, [&] { return AllServe(world, 2); }))
      world.Wrong("did not begin anew");
    if (world.phase() != "running") world.Wrong("the phase is " + world.phase());
    return world.wrong();
  });
}

TEST_CASE("Fleet: when every worker crashes while it boots, one at a time tries") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    Behaviour how = BrokenBehaviour(random);
    user.Prepare(QuickPolicy(random), how);
    const auto size = static_cast<std::uint32_t>(random.Between(2, 8));
    user.Start(size);
    world.RunUntil(30'000, [&] {
      const auto& slots = world.state().slots;
      return std::all_of(slots.begin(), slots.end(),
                         [](const auto& entry) { return entry.second.failures > 0; }) &&
             world.state().workers.empty();
    });
    world.ForgetRecords();
    world.Run(300'000);
    if (world.most_starting() > 1) world.Wrong("more than one worker tried at a time");
    // The service as a whole boots no more often than a service of one worker.
    std::vector<Millis> spawns;
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      const std::vector<Millis>& some = world.SpawnsIn(slot);
      spawns.insert(spawns.end(), some.begin(), some.end());
    }
    std::sort(spawns.begin(), spawns.end());
    if (spawns.size() < 5) world.Wrong("does not try any more");
    for (std::size_t i = 12; i < spawns.size(); ++i) {
      if (spawns[i] - spawns[i - 12] < 60'000) world.Wrong("13 boots within a minute");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: whole and with a spare, a worker that ends is followed in the same moment") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    WorkerPolicy policy = QuickPolicy(random);
    policy.spare = true;
    policy.ready_timeout = 3000;
    policy.min_uptime = 1000;
    Behaviour how;
    how.boots_from = how.boots_to = random.Between(100, 2000);
    how.lives_from = 20'000;
    how.lives_to = random.Between(20'000, 60'000);
    how.breaks = random.Chance(30) ? 50 : 0;
    user.Prepare(policy, how);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 5));
    user.Start(size);
    for (int ends = 0; ends < 10; ++ends) {
      if (!world.RunUntil(60'000, [&] {
            return world.ParkedSpare() != nullptr && world.ServingSlots() == size;
          })) {
        world.Wrong("there is no spare");
        break;
      }
      const std::size_t promoted = world.promoted();
      const WorkerId spare = world.ParkedSpare()->id;
      if (!world.RunUntil(100'000, [&] {
            return world.ServingSlots() < size || world.ParkedSpare() == nullptr;
          })) {
        world.Wrong("nothing ended");
      }
      if (world.ServingSlots() == size) continue;  // it was the spare
      if (world.promoted() != promoted + 1) world.Wrong("the spare has not taken over");
      const auto serves = [&] {
        const auto found = world.state().workers.find(spare);
        return found != world.state().workers.end() && found->second.state == WorkerState::kReady;
      };
      if (!world.RunUntil(5, serves)) world.Wrong("the spare does not serve");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: with a spare crashes cost no more boots") {
  RunHistories(kHistories / 5, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    Behaviour how;
    how.boots_from = random.Between(1, 100);
    how.boots_to = how.boots_from + random.Between(0, 1000);
    how.crashes_booting = static_cast<int>(random.Between(0, 100));
    how.lives_from = 1;
    how.lives_to = random.Between(1, 3000);
    WorkerPolicy policy = QuickPolicy(random);
    policy.spare = true;
    policy.ready_timeout = 3000;
    user.Prepare(policy, how);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 8));
    user.Start(size);
    world.Run(300'000);
    std::vector<Millis> spawns;
    for (SlotNumber slot = 0; slot <= size; ++slot) {
      const std::vector<Millis>& some = world.SpawnsIn(slot);
      spawns.insert(spawns.end(), some.begin(), some.end());
    }
    std::sort(spawns.begin(), spawns.end());
    // 12 of each slot, as without; and of the spare, which fails after 1, 3, 7, 15, 31 s.
    const std::size_t most = std::size_t{12} * size + 6;
    for (std::size_t i = most; i < spawns.size(); ++i) {
      if (spawns[i] - spawns[i - most] < 60'000) world.Wrong("too many boots within a minute");
    }
    world.SetBehaviour(1, Behaviour{});
    if (!world.RunUntil(700'000,
                        [&] { return AllServe(world, 1) && world.ParkedSpare() != nullptr; })) {
      world.Wrong("did not recover");
    }
    return world.wrong();
  });
}

TEST_CASE("A restart is delayed by 100 ms, doubled to 30 s, 20 % more or less") {
  CHECK(RestartDelay(0, 7) == 0);
  Random random(1);
  Millis whole = 100;
  for (std::uint32_t failures = 1; failures < 100; ++failures) {
    Millis least = 30'000;
    Millis most = 0;
    for (int i = 0; i < 2000; ++i) {
      const Millis delay = RestartDelay(failures, random.Next());
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    CAPTURE(failures);
    CHECK(least >= whole * 8 / 10);
    CHECK(least <= whole * 81 / 100);
    CHECK(most <= std::min<Millis>(30'000, whole * 12 / 10));
    CHECK(most >= std::min<Millis>(30'000, whole * 119 / 100));
    whole = std::min<Millis>(30'000, whole * 2);
  }
  CHECK(RestartDelay(0xffffffff, ~0ULL) <= 30'000);
}

}  // namespace slc
