// Fleet, where a generation is tried by one worker before the roll to it goes on.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/fleet_bench.h"
#include "tests/unit/fleet_operator.h"

namespace slc {
namespace {

constexpr std::uint64_t kHistories = 1000;

// Two workers, 1 and 2, serve, and 3 is on trial beside 1.
void OnTrial(FleetBench& bench) {
  bench.Up(2);
  bench.Try();
  bench.Ready(3);
}

bool OldOnesServe(const FleetWorld& world, Generation old) {
  const FleetState& state = world.state();
  return std::all_of(state.slots.begin(), state.slots.end(), [&](const auto& slot) {
    return std::any_of(state.workers.begin(), state.workers.end(), [&](const auto& entry) {
      return entry.second.slot == slot.first && entry.second.generation == old &&
             Serves(entry.second);
    });
  });
}

}  // namespace

TEST_CASE("A trial goes as far as one worker beside the old ones, and no further") {
  FleetBench bench;
  bench.Up(2);
  bench.Try();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  CHECK(TrialWorker(bench.state()) == 0);
  bench.Ready(3);
  CHECK(bench.deeds().empty());
  CHECK(TrialWorker(bench.state()) == 3);
  CHECK(bench.phase() == "rolling");
  CHECK_FALSE(bench.wait().has_value());
  bench.Wait(3'600'000);
  CHECK(bench.deeds().empty());
}

TEST_CASE("A trial that is taken back becomes an ordinary roll") {
  FleetBench bench;
  SUBCASE("its worker serves") {
    OnTrial(bench);
    bench.Pass();
    CHECK(bench.deeds() == "drain 1");
  }
  SUBCASE("its worker boots") {
    bench.Up(2);
    bench.Try();
    bench.Pass();
    CHECK(bench.deeds().empty());
    bench.Ready(3);
    CHECK(bench.deeds() == "drain 1");
  }
  CHECK(TrialWorker(bench.state()) == 0);
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 4 in 2 of 2");
  bench.Ready(4);
  CHECK(bench.deeds() == "drain 2");
  bench.Exit(2);
  CHECK(bench.phase() == "running");
  CHECK(bench.state().good == 2);
}

TEST_CASE("A trial fails by whatever ends its worker, and nobody follows it") {
  FleetBench bench;
  std::string reason = "exit code 1";
  SUBCASE("it ends while it boots") {
    bench.Up(2);
    bench.Try();
    bench.Exit(3);
  }
  SUBCASE("it is not ready in time") {
    bench.Up(2);
    bench.Try();
    bench.Wait(5000);
    CHECK(bench.deeds() == "give up 3, kill 3");
    bench.Exit(3);
    reason = "not ready within 5.0 s; if it never listens on a port, start it with --ready alive";
  }
  SUBCASE("it ends after it had served for long") {
    OnTrial(bench);
    bench.Wait(600'000);
    bench.Exit(3);
  }
  SUBCASE("it ends well, which by --restart were its end") {
    bench.Policy(2, RestartPolicy::kNever);
    OnTrial(bench);
    bench.Exit(3, true);
    reason = "exit code 0";
  }
  SUBCASE("it leaves by itself") {
    OnTrial(bench);
    bench.Leave(3);
    bench.Exit(3, true);
    reason = "left by itself";
  }
  SUBCASE("it breaks the protocol") {
    OnTrial(bench);
    bench.Break(3);
    CHECK(bench.deeds() == "give up 3, kill 3");
    bench.Exit(3);
    reason = "broke the protocol";
  }
  SUBCASE("it hangs") {
    OnTrial(bench);
    bench.Hang(3, 0);
    CHECK(bench.deeds() == "hung 3, stop 3");
    bench.Exit(3);
    reason = "hung";
  }
  SUBCASE("its channel ends") {
    OnTrial(bench);
    bench.Disconnect(3);
    bench.Wait(1000);
    CHECK(bench.deeds() == "give up 3, kill 3");
    bench.Exit(3);
    reason = "closed its channel to the master (process.disconnect) but did not exit";
  }
  CHECK(bench.phase() == "failed");
  CHECK(bench.state().failed == 2);
  REQUIRE(bench.state().failure);
  CHECK(bench.state().failure->reason == reason);
  CHECK(bench.state().failure->worker == 3);
  CHECK(bench.state().failure->generation == 2);
  bench.Wait(3'600'000);
  CHECK(bench.deeds().empty());
  CHECK(bench.state().workers.size() == 2);
  // Nor by taking it back.
  bench.Pass();
  CHECK(bench.deeds().empty());
  // A later crash of an old worker is another story.
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 4 in 2 of 1");
}

TEST_CASE("In a trial who ends is followed by one of its own generation") {
  FleetBench bench;
  OnTrial(bench);
  bench.Wait(10'000);
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 4 in 1 of 1");
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 5 in 2 of 1");
  bench.Ready(4);
  bench.Ready(5);
  CHECK(bench.deeds().empty());
  CHECK(TrialWorker(bench.state()) == 3);
  CHECK_FALSE(bench.state().failure.has_value());
  // One that crashes again at once waits as ever, beside the trial.
  bench.Exit(4);
  CHECK(bench.deeds().empty());
  REQUIRE(bench.wait());
  CHECK(*bench.wait() <= 120);
  bench.Wait(*bench.wait());
  CHECK(bench.deeds() == "spawn 6 in 1 of 1");
  // When it goes on, who boots for the slot has come too late.
  bench.Pass();
  CHECK(bench.deeds() == "stop 6");
}

TEST_CASE("A trial that is overtaken is drained beside the one whose slot it is in") {
  FleetBench bench;
  SUBCASE("by a roll back") {
    OnTrial(bench);
    bench.Roll();
    CHECK(bench.deeds() == "drain 3");
    bench.Exit(3);
    CHECK(bench.deeds() == "spawn 4 in 1 of 3");
    bench.Ready(4);
    CHECK(bench.deeds() == "drain 1");
  }
  SUBCASE("by a roll back while it boots") {
    bench.Up(2);
    bench.Try();
    bench.Roll();
    CHECK(bench.deeds() == "stop 3");
    bench.Exit(3);
    CHECK(bench.deeds() == "spawn 4 in 1 of 3");
  }
  SUBCASE("by another trial") {
    OnTrial(bench);
    bench.Try();
    CHECK(bench.deeds() == "drain 3, spawn 4 in 1 of 3");
    bench.Exit(3);
    bench.Ready(4);
    CHECK(bench.deeds().empty());
    CHECK(TrialWorker(bench.state()) == 4);
  }
  SUBCASE("by a roll back while the slot has none of its own") {
    OnTrial(bench);
    bench.Exit(1);
    CHECK(bench.deeds().empty());
    bench.Roll();
    CHECK(bench.deeds() == "spawn 4 in 1 of 3");
    bench.Ready(4);
    CHECK(bench.deeds() == "drain 3");
  }
  SUBCASE("by a roll back that fails while the slot has none of its own") {
    OnTrial(bench);
    bench.Exit(1);
    bench.Roll();
    bench.Exit(4);
    CHECK(bench.deeds() == "spawn 5 in 1 of 1");
    bench.Ready(5);
    CHECK(bench.deeds() == "drain 3");
  }
}

TEST_CASE("A rollback to the config of before replaces nobody of that") {
  FleetBench bench;
  SUBCASE("from a trial that serves") {
    OnTrial(bench);
    bench.RollBack(1);
    CHECK(bench.deeds() == "drain 3");
    CHECK(bench.phase() == "rolling");
    bench.Exit(3);
  }
  SUBCASE("from a trial that boots") {
    bench.Up(2);
    bench.Try();
    bench.RollBack(1);
    CHECK(bench.deeds() == "stop 3");
    bench.Exit(3);
  }
  SUBCASE("from a trial that has failed") {
    OnTrial(bench);
    bench.Exit(3);
    bench.RollBack(1);
  }
  SUBCASE("while the slot of the trial is empty") {
    OnTrial(bench);
    bench.Exit(1);
    bench.RollBack(1);
    CHECK(bench.deeds().empty());
    bench.Wait(120);
    CHECK(bench.deeds() == "spawn 4 in 1 of 3");
    bench.Ready(4);
    CHECK(bench.deeds() == "drain 3");
    bench.Exit(3);
  }
  SUBCASE("while the slot of the trial is empty and that boots") {
    bench.Up(2);
    bench.Try();
    bench.Exit(1);
    bench.RollBack(1);
    CHECK(bench.deeds() == "stop 3");
    bench.Exit(3);
    bench.Wait(120);
    CHECK(bench.deeds() == "spawn 4 in 1 of 3");
    bench.Ready(4);
  }
  SUBCASE("from the middle of a roll") {
    bench.Up(2);
    bench.Roll();
    bench.Ready(3);
    bench.Exit(1);
    CHECK(bench.deeds() == "spawn 4 in 2 of 2");
    bench.RollBack(1);
    CHECK(bench.deeds() == "stop 4");
    bench.Exit(4);
    CHECK(bench.deeds() == "spawn 5 in 1 of 3");
    bench.Ready(5);
    CHECK(bench.deeds() == "drain 3");
    bench.Exit(3);
  }
  CHECK(bench.phase() == "running");
  CHECK(bench.state().good == 3);
  CHECK_FALSE(bench.state().failure.has_value());
  // They are workers of that generation like any other.
  bench.Wait(10'000);
  bench.Exit(2);
  CHECK(bench.deeds().substr(bench.deeds().find(" in ")) == " in 2 of 3");
}

TEST_CASE("A rollback to the config of before leaves the state of its slots") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kNever);
  bench.Policy(3, RestartPolicy::kNever);
  bench.Up(2);
  bench.Exit(1, true);
  bench.Try();
  bench.Ready(3);
  bench.RollBack(1);
  // Nobody will take its place.
  CHECK(bench.deeds() == "drain 3");
  bench.Exit(3);
  CHECK(bench.phase() == "running");
}

TEST_CASE("How a trial stands") {
  FleetBench bench;
  bench.Up(1);
  CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kPending);
  bench.Try();
  CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kPending);
  bench.Ready(2);
  CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kServes);
  CHECK(StandOfTrial(bench.state(), 2).worker == 2);
  SUBCASE("taken back") {
    bench.Pass();
    CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kNone);
  }
  SUBCASE("overtaken") {
    bench.Roll();
    CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kNone);
  }
  SUBCASE("failed") {
    bench.Exit(2);
    const TrialStand stand = StandOfTrial(bench.state(), 2);
    CHECK(stand.step == TrialStep::kFailed);
    CHECK(stand.worker == 2);
    CHECK(stand.reason == "exit code 1");
    // It stays so whatever else is ordered of that generation.
    bench.SetSize(2);
    CHECK(StandOfTrial(bench.state(), 2).step == TrialStep::kFailed);
  }
}

TEST_CASE("A restart, a stop and size 0 end a trial like everything else") {
  FleetBench bench;
  OnTrial(bench);
  SUBCASE("restart") {
    bench.Restart();
    CHECK(bench.deeds() == "stop 1, stop 2, stop 3");
  }
  SUBCASE("stop") {
    bench.Stop(false);
    CHECK(bench.deeds() == "stop 1, stop 2, stop 3");
  }
  SUBCASE("soft stop") {
    bench.Stop(true);
    CHECK(bench.deeds() == "drain 1, drain 2, drain 3");
  }
  SUBCASE("size 0, and what comes back is the old one, and its trial") {
    bench.SetSize(0);
    CHECK(bench.deeds() == "drain 1, drain 2, drain 3");
    for (WorkerId id = 1; id <= 3; ++id) bench.Exit(id);
    CHECK(bench.phase() == "running");
    CHECK(bench.state().good == 1);
    bench.SetSize(1);
    CHECK(bench.deeds() == "spawn 4 in 1 of 2, spawn 5 in 1 of 1");
  }
}

TEST_CASE("In a trial new slots get the old generation, and lost ones lose it") {
  FleetBench bench;
  OnTrial(bench);
  bench.SetSize(3);
  CHECK(bench.deeds() == "spawn 4 in 3 of 1");
  bench.SetSize(1);
  CHECK(bench.deeds() == "drain 2, stop 4");
  CHECK(TrialWorker(bench.state()) == 3);
}

TEST_CASE("In a trial who hangs is relieved by one of its own generation") {
  FleetBench bench;
  OnTrial(bench);
  bench.Wait(10'000);
  bench.Hang(1, 0);
  CHECK(bench.deeds() == "hung 1, spawn 4 in 1 of 1");
  bench.Ready(4);
  CHECK(bench.deeds() == "stop 1");
  CHECK(TrialWorker(bench.state()) == 3);
}

TEST_CASE("In a trial who has outgrown its limit is replaced, and the one on trial after it") {
  FleetBench bench;
  OnTrial(bench);
  bench.Wait(10'000);
  bench.Outgrow(3);
  CHECK(bench.deeds() == "outgrown 3");
  bench.Outgrow(1);
  CHECK(bench.deeds() == "outgrown 1, spawn 4 in 1 of 1");
  bench.Ready(4);
  CHECK(bench.deeds() == "drain 1");
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  bench.Pass();
  CHECK(bench.deeds() == "drain 4");
  bench.Exit(4);
  bench.Ready(5);
  CHECK(bench.deeds() == "drain 2, spawn 6 in 1 of 2");
  bench.Ready(6);
  CHECK(bench.deeds() == "drain 3");
}

TEST_CASE("Who outgrew its limit soon after its start in a trial is replaced after its pause") {
  FleetBench bench;
  bench.Up(1);
  bench.Try();
  bench.Ready(2);
  bench.Outgrow(2);
  CHECK(bench.deeds() == "outgrown 2 for 10000");
  bench.Pass();
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  CHECK(bench.wait() == 10'000);
}

TEST_CASE("In a trial the spare is the old generation's, and is made anew") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(1);
  bench.Listen(1);
  bench.Ready(1);
  bench.Listen(2);
  bench.Try();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Listen(3);
  bench.Ready(3);
  CHECK(bench.deeds().empty());
  bench.Wait(10'000);
  bench.Exit(1);
  CHECK(bench.deeds() == "promote 2 to 1");
  bench.Ready(2);
  CHECK(bench.deeds() == "spawn 4 in 0 of 1");
  bench.Listen(4);
  bench.Pass();
  CHECK(bench.deeds() == "drain 2, stop 4, spawn 5 in 0 of 2");
}

TEST_CASE("A trial leaves what has ended for good as it is, until it has passed") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kOnFailure);
  bench.Up(2);
  bench.Exit(1, true);
  bench.Try();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Ready(3);
  CHECK(bench.deeds().empty());
  bench.Exit(2, true);
  CHECK(bench.phase() == "rolling");
  bench.Pass();
  CHECK(bench.deeds() == "spawn 4 in 2 of 2");
  bench.Ready(4);
  CHECK(bench.phase() == "running");
}

TEST_CASE("Beside what crash-loops a generation is tried by one worker, too") {
  FleetBench bench;
  bench.Start(2);
  bench.Exit(1);
  bench.Exit(2);
  bench.Try();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Ready(3);
  CHECK(TrialWorker(bench.state()) == 3);
  CHECK(bench.phase() == "rolling");
  bench.Pass();
  CHECK(bench.deeds() == "spawn 4 in 2 of 2");
  bench.Ready(4);
  CHECK(bench.phase() == "running");
}

TEST_CASE("A trial begins with the order of its generation, to a fleet that runs") {
  FleetBench bench;
  FleetWish wish;
  wish.run = true;
  wish.size = 2;
  wish.generation = 1;
  wish.mode = RollMode::kRolling;
  wish.order = 1;
  wish.trial = true;
  bench.Feed(WishChanged{wish});
  CHECK(bench.deeds() == "spawn 1 in 1 of 1, spawn 2 in 2 of 1");
  // The same said again is still that start.
  bench.Feed(WishChanged{wish});
  bench.Ready(1);
  bench.Ready(2);
  CHECK(bench.phase() == "running");
  wish.order = 2;
  wish.generation = 2;
  wish.trial = false;
  bench.Feed(WishChanged{wish});
  wish.trial = true;
  bench.Feed(WishChanged{wish});
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1");
  wish.order = 3;
  wish.generation = 3;
  wish.mode = RollMode::kRestart;
  bench.Feed(WishChanged{wish});
  CHECK_FALSE(IsOnTrial(bench.state()));
}

TEST_CASE("A worker on trial that was lost with its master is tried again") {
  FleetBench bench;
  bench.Up(1);
  bench.Try();
  bench.Feed(WorkerLost{2});
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Ready(3);
  CHECK(TrialWorker(bench.state()) == 3);
}

TEST_CASE("Fleet: in a trial of a good generation the old one serves in full, then all are new") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 6));
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Start(size);
    world.Run(2000);
    if (!AllServe(world, 1)) world.Wrong("did not start");
    user.Prepare(QuickPolicy(random), Behaviour{});
    world.ForgetRecords();
    user.Try();
    bool less = false;
    const auto watched = [&](auto&& until) {
      return [&, until] {
        less = less || world.ServingSlots() < size;
        return until();
      };
    };
    const bool killed = random.Chance(20);
    if (killed) {
      world.Run(random.Between(0, 100));
      world.TakeOver();
    }
    const auto tried = [&] { return TrialWorker(world.state()) != 0; };
    if (!world.RunUntil(1000, watched(tried))) world.Wrong("nothing is on trial");
    // Some may have been lost with the master.
    world.RunUntil(1000, [&] { return OldOnesServe(world, 1); });
    world.ForgetRecords();
    world.RunUntil(random.Between(0, 30'000), watched([&] {
                     if (!OldOnesServe(world, 1)) world.Wrong("an old one does not serve");
                     return false;
                   }));
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      if (!world.SpawnsIn(slot).empty()) world.Wrong("a trial went on by itself");
    }
    if (world.WorkersInSlots() != size + 1) world.Wrong("there is not one more than the size");
    const bool back = random.Chance(50);
    if (back) {
      user.Prepare(QuickPolicy(random), Behaviour{});
      user.RollBack(1);
    } else {
      user.Pass();
    }
    if (!world.RunUntil(20'000, watched([&] { return AllServe(world, back ? 3 : 2); }))) {
      world.Wrong("what followed did not come to its end");
    }
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      const std::size_t spawns = world.SpawnsIn(slot).size();
      if (spawns != (back || slot == 1 ? 0 : 1)) world.Wrong("spawned other than needed");
    }
    if (less && !killed) world.Wrong("served with less than it had");
    if (world.phase() != "running") world.Wrong("the phase is " + world.phase());
    return world.wrong();
  });
}

TEST_CASE("Fleet: a trial of a broken generation fails and costs the old one nothing") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    const auto size = static_cast<std::uint32_t>(random.Between(1, 6));
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Start(size);
    world.Run(2000);
    WorkerPolicy policy = QuickPolicy(random);
    if (random.Chance(30)) policy.restart = RestartPolicy::kNever;
    Behaviour how = BrokenBehaviour(random);
    if (random.Chance(30)) {
      how = Behaviour{};
      how.lives_to = random.Between(1, 20'000);
      how.hangs = random.Chance(30) ? 100 : 0;
      how.leaves = random.Chance(30) ? 100 : 0;
      how.ends_clean = random.Chance(30) ? 100 : 0;
    }
    user.Prepare(policy, how);
    world.ForgetRecords();
    user.Try();
    const bool failed = world.RunUntil(60'000, [&] {
      if (!OldOnesServe(world, 1)) world.Wrong("an old one does not serve");
      return world.phase() == "failed";
    });
    if (!failed) world.Wrong("the trial has not failed");
    world.Run(100'000);
    if (!AllServe(world, 1)) world.Wrong("the old ones do not serve alone");
    for (SlotNumber slot = 1; slot <= size; ++slot) {
      const std::size_t most = slot == 1 ? 1 : 0;
      if (world.SpawnsIn(slot).size() != most) world.Wrong("spawned more than the trial");
    }
    return world.wrong();
  });
}

TEST_CASE("Fleet: what happens to the old generation in a trial is mended by itself") {
  RunHistories(kHistories, [](Random& random) {
    FleetWorld world(random);
    Operator user(random, world);
    WorkerPolicy policy = QuickPolicy(random);
    user.Prepare(policy, Behaviour{});
    user.Start(static_cast<std::uint32_t>(random.Between(1, 5)));
    world.Run(2000);
    Behaviour how = AnyBehaviour(random);
    how.ends_clean = 0;
    how.lives_to = random.Between(1, 20'000);
    how.cannot_start = std::min(how.cannot_start, 50);
    world.SetBehaviour(1, how);
    // Who is to misbehave: the first ones were good.
    user.SetSize(static_cast<std::uint32_t>(random.Between(6, 8)));
    user.Prepare(QuickPolicy(random), Behaviour{});
    user.Try();
    for (int turn = 0; turn < 5; ++turn) {
      world.Run(random.Between(0, 10'000));
      if (random.Chance(20)) world.TakeOver();
      if (random.Chance(20)) user.SetSize(static_cast<std::uint32_t>(random.Between(1, 8)));
    }
    world.SetBehaviour(1, Behaviour{});
    if (!world.RunUntil(200'000, [&] {
          return OldOnesServe(world, 1) && TrialWorker(world.state()) != 0 &&
                 world.WorkersInSlots() == world.state().wish.size + 1;
        })) {
      world.Wrong("what was to go on beside the trial did not");
    }
    user.Prepare(policy, Behaviour{});
    const bool back = random.Chance(60);
    if (back && random.Chance(50)) {
      user.RollBack(1);
    } else if (back) {
      user.Roll(1);
    } else {
      user.Pass();
    }
    if (!world.RunUntil(60'000, [&] { return AllServe(world, back ? 3 : 2); })) {
      world.Wrong("the roll after the trial did not come to its end");
    }
    return world.wrong();
  });
}

}  // namespace slc
