// What a Fleet does in situations that went wrong once, or that are easy to get wrong. Its promises
// in general are checked in fleet_history_test.cpp.
#include <doctest/doctest.h>

#include "tests/unit/fleet_bench.h"

namespace slc {

TEST_CASE("A started service fills its slots and runs once all are ready") {
  FleetBench bench;
  bench.Start(2);
  CHECK(bench.deeds() == "spawn 1 in 1 of 1, spawn 2 in 2 of 1");
  CHECK(bench.phase() == "starting");
  bench.Ready(1);
  CHECK(bench.phase() == "starting");
  bench.Ready(2);
  CHECK(bench.phase() == "running");
  CHECK(bench.state().reached == 1);
  CHECK_FALSE(bench.wait());
}

TEST_CASE("A fresh start rolls nothing: one that crashed at first and came up runs") {
  Fleet fleet(1);
  FleetWish wish;
  wish.run = true;
  wish.size = 1;
  wish.generation = 2;
  wish.order = 7;
  wish.mode = RollMode::kRolling;  // as the last order before the stop was
  fleet.On(WishChanged{wish}, 1000);
  fleet.On(WishChanged{wish}, 1000);  // told twice
  fleet.On(WorkerExited{1, false, "exit code 1"}, 1100);
  CHECK(fleet.state().failed == 0);
  fleet.On(TimePassed{}, 2000);
  REQUIRE(fleet.state().workers.count(2) == 1);
  fleet.On(WorkerReady{2}, 2100);
  CHECK(InstancePhase(fleet.state()) == std::string("running"));
  CHECK_FALSE(fleet.state().failure);
}

TEST_CASE(
    "An update of a service of which nothing serves is a restart: the newest is tried again") {
  FleetBench bench;
  bench.Start(1);
  bench.Exit(1);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 2 in 1 of 2");
  bench.Exit(2);
  CHECK(bench.state().failed == 0);
  REQUIRE(bench.state().failure);
  CHECK(bench.state().failure->generation == 2);
  bench.Wait(200);
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  // Also while the old one is being tried once more.
  bench.Roll();
  CHECK(bench.deeds() == "stop 3");
  bench.Exit(3);
  CHECK(bench.deeds() == "spawn 4 in 1 of 3");
  bench.Ready(4);
  CHECK(bench.phase() == "running");
}

TEST_CASE(
    "An update while a crashed worker of many, or one that had served, is replaced is a roll") {
  FleetBench bench;
  bench.Up(2);
  bench.Exit(1);
  bench.Roll();
  CHECK(bench.state().wish.mode == RollMode::kRolling);
  FleetBench alone;
  alone.Up(1);
  alone.Wait(20'000);
  alone.Exit(1);
  alone.Roll();
  CHECK(alone.state().wish.mode == RollMode::kRolling);
}

TEST_CASE("What a worker was refused is the reason if it does not get ready") {
  FleetBench bench;
  bench.Start(1);
  bench.Feed(WorkerHindered{1, "port 80 is in use by pid 7 (nginx)"});
  bench.Wait(5000);
  REQUIRE(bench.state().failure);
  CHECK(bench.state().failure->reason ==
        "not ready within 5.0 s: port 80 is in use by pid 7 (nginx)");
  FleetBench silent;
  silent.Start(1);
  silent.Wait(5000);
  REQUIRE(silent.state().failure);
  CHECK(silent.state().failure->reason.find("--ready alive") != std::string::npos);
}

TEST_CASE("A roll goes slot by slot: successor, ready, drain, next") {
  FleetBench bench;
  bench.Up(2);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  CHECK(bench.fleet().PredecessorOf(3) == 1);
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1");
  CHECK(bench.phase() == "rolling");
  bench.Disconnect(1);
  CHECK(bench.deeds().empty());
  bench.Exit(1, true);
  CHECK(bench.deeds() == "spawn 4 in 2 of 2");
  // A successor compares itself with one of its own generation, if there is one that serves.
  CHECK(bench.fleet().PredecessorOf(4) == 3);
  bench.Ready(4);
  bench.Exit(2, true);
  CHECK(bench.phase() == "running");
  CHECK(bench.fleet().LiveGenerations() == std::vector<Generation>{2});
  // What is done is not begun again when a worker ends, or by another size.
  bench.Wait(20'000);
  bench.Exit(3);
  CHECK(bench.phase() == "starting");
  bench.Ready(5);
  bench.SetSize(3);
  CHECK(bench.phase() == "starting");
  bench.Ready(6);
  CHECK(bench.phase() == "running");
  bench.Roll();
  CHECK(bench.phase() == "rolling");
}

TEST_CASE("A worker that breaks the protocol is killed, and replaced like one that crashed") {
  FleetBench bench;
  bench.Up(2);
  // One that has not lived long yet waits, so that a rogue cannot keep us busy.
  bench.Break(1);
  CHECK(bench.deeds() == "give up 1, kill 1");
  CHECK(bench.fleet().state().slots.at(1).last_exit == "broke the protocol");
  CHECK(bench.fleet().state().slots.at(1).failures == 1);
  bench.Break(1);
  CHECK(bench.deeds().empty());
  bench.Exit(1);
  CHECK(bench.fleet().state().slots.at(1).last_exit == "broke the protocol");
  bench.Wait(120);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  bench.Ready(3);
  // One that had lived is replaced at once.
  bench.Wait(20'000);
  bench.Break(2);
  CHECK(bench.deeds() == "give up 2, kill 2, spawn 4 in 2 of 1");
  bench.Ready(4);
  // One that was leaving has no successor to get.
  bench.Stop(true);
  bench.Break(3);
  CHECK(bench.deeds() == "kill 3");
  bench.Exit(3);
  CHECK(bench.fleet().state().slots.at(1).restarts == 1);
}

TEST_CASE("A worker that drains too long loses its connections, is stopped, and is killed") {
  FleetBench bench;
  bench.Up(1);
  bench.Stop(true);
  CHECK(bench.deeds() == "drain 1");
  bench.Wait(9999);
  CHECK(bench.deeds().empty());
  bench.Wait(1);
  CHECK(bench.deeds() == "hang up 1");
  bench.Wait(199);
  CHECK(bench.deeds().empty());
  bench.Wait(1);
  CHECK(bench.deeds() == "stop 1");
  bench.Wait(5000);
  CHECK(bench.deeds() == "kill 1 after 5000");
  bench.Wait(1000);
  CHECK(bench.deeds() == "kill 1");
  bench.Exit(1);
  CHECK(bench.phase() == "stopped");
}

TEST_CASE(
    "A worker without a channel is drained in 200 ms, or sooner if its drain timeout is shorter") {
  FleetBench bench;
  bench.Up(1);
  bench.Stop(true);
  bench.Disconnect(1);
  CHECK(bench.wait() == 200);
  Fleet impatient(1);
  WorkerPolicy policy;
  policy.drain_timeout = 50;
  impatient.SetPolicy(1, policy);
  FleetWish wish{true, true, 1, 1, RollMode::kRestart, 1, 1};
  impatient.On(WishChanged{wish}, 1000);
  impatient.On(WorkerReady{1}, 1000);
  impatient.On(WorkerDisconnected{1}, 1000);
  wish.run = false;
  ++wish.order;
  impatient.On(WishChanged{wish}, 1000);
  CHECK(impatient.deadline() == 1050);
}

TEST_CASE(
    "A roll that begins while old workers are still starting does not respawn them again and "
    "again") {
  FleetBench bench;
  bench.Start(2);
  bench.Roll();
  CHECK(bench.deeds() == "stop 1, spawn 3 in 1 of 2");
  bench.Wait(1);
  CHECK(bench.deeds().empty());
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  bench.Ready(3);
  CHECK(bench.deeds() == "stop 2, spawn 4 in 2 of 2");
  bench.Exit(2);
  bench.Ready(4);
  CHECK(bench.phase() == "running");
}

TEST_CASE(
    "A successor that ends is a failed roll, also if it ends with 0 and --restart accepts that") {
  for (const RestartPolicy restart :
       {RestartPolicy::kAlways, RestartPolicy::kOnFailure, RestartPolicy::kNever}) {
    FleetBench bench;
    bench.Policy(2, restart);
    bench.Up(2);
    bench.Roll();
    CHECK(bench.deeds() == "spawn 3 in 1 of 2");
    bench.Exit(3, true);
    CAPTURE(Name(restart));
    CHECK(bench.deeds().empty());
    CHECK(bench.phase() == "failed");
    CHECK(bench.state().failed == 2);
    REQUIRE(bench.state().failure);
    CHECK(bench.state().failure->reason == "exit code 0");
    CHECK_FALSE(bench.state().slots.at(1).finished);
  }
}

TEST_CASE("Workers that ended by --restart stay ended, and a soft restart runs them once more") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kOnFailure);
  bench.Policy(2, RestartPolicy::kOnFailure);
  bench.Up(1);
  bench.Exit(1, true);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "finished");
  bench.Roll();
  CHECK(bench.deeds() == "spawn 2 in 1 of 2");
  bench.Exit(2, true);
  CHECK(bench.phase() == "finished");
  CHECK_FALSE(bench.state().failure);
}

TEST_CASE("What an app ended with is known once all its workers have ended for good") {
  constexpr int kExitCode7 = 7 << 8;
  constexpr int kSegmentationFault = 11;
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kNever);
  bench.Up(3);
  CHECK_FALSE(FinalExitCode(bench.state()));
  bench.Feed(WorkerExited{1, true, "exit code 0", 0});
  bench.Feed(WorkerExited{3, false, "killed by SIGSEGV", kSegmentationFault});
  CHECK_FALSE(FinalExitCode(bench.state()));
  SUBCASE("the first slot that did not end well") {
    bench.Feed(WorkerExited{2, false, "exit code 7", kExitCode7});
    CHECK(FinalExitCode(bench.state()) == 7);
  }
  SUBCASE("a signal") {
    bench.Feed(WorkerExited{2, true, "exit code 0", 0});
    CHECK(FinalExitCode(bench.state()) == 139);
  }
  SUBCASE("nobody knows") {
    bench.Feed(WorkerExited{2, false, "ended, exit status unknown", {}});
    CHECK(FinalExitCode(bench.state()) == 1);
  }
  SUBCASE("it is to be stopped") {
    bench.Stop(false);
    bench.Exit(2, true);
    CHECK_FALSE(FinalExitCode(bench.state()));
  }
}

TEST_CASE("A start that failed tells its worker's status, if that has ended by itself") {
  constexpr int kExitCode7 = 7 << 8;
  FleetBench bench;
  bench.Start(1);
  SUBCASE("it crashed") {
    bench.Feed(WorkerExited{1, false, "exit code 7", kExitCode7});
    REQUIRE(bench.state().failure);
    CHECK(bench.state().failure->status == kExitCode7);
  }
  SUBCASE("it was not ready in time and is killed for it") {
    bench.Wait(5000);
    REQUIRE(bench.state().failure);
    bench.Feed(WorkerExited{1, false, "killed by SIGKILL", 9});
    CHECK_FALSE(bench.state().failure->status);
  }
}

TEST_CASE("A slot whose old worker has finished serves again once the successor is ready") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kOnFailure);
  bench.Up(1);
  bench.Roll();
  bench.Exit(1, true);
  bench.Ready(2);
  CHECK(bench.phase() == "running");
}

TEST_CASE("--restart never holds for a worker that is killed because it did not get ready") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kNever);
  bench.Start(1);
  bench.Wait(30000);
  CHECK(bench.deeds() == "give up 1, kill 1");
  bench.Exit(1);
  bench.Wait(60000);
  CHECK(bench.deeds().empty());
  CHECK(bench.state().slots.at(1).finished);
  CHECK(bench.phase() == "failed");
}

TEST_CASE("A slot that was down when a roll failed goes back to the generation that works") {
  FleetBench bench;
  bench.Up(2);
  bench.Exit(1);
  bench.Wait(30);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Exit(3);
  CHECK(bench.phase() == "failed");
  CHECK(bench.deeds() == "spawn 4 in 1 of 1");
}

TEST_CASE("A worker that is given up leaves a slot that is filled at its time, whenever it dies") {
  FleetBench bench;
  bench.Start(1);
  bench.Wait(5000);
  CHECK(bench.deeds() == "give up 1, kill 1");
  REQUIRE(bench.wait());
  CHECK(*bench.wait() <= 120);
  bench.Wait(*bench.wait());
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
}

TEST_CASE("A worker that got ready does not call back others that wait after a crash") {
  FleetBench bench;
  bench.Start(3);
  bench.Ready(1);
  bench.Exit(2);
  bench.Ready(3);
  CHECK(bench.deeds().empty());
  bench.Wait(120);
  CHECK(bench.deeds() == "spawn 4 in 2 of 1");
}

TEST_CASE("A worker that closed its channel before it was ready is not kept for ever") {
  FleetBench bench;
  bench.Start(1);
  bench.Disconnect(1);
  bench.Ready(1);
  REQUIRE(bench.wait());
  CHECK(*bench.wait() == 1000);
  bench.Wait(1000);
  CHECK(bench.deeds().substr(0, 17) == "give up 1, kill 1");
}

TEST_CASE(
    "A roll given up in the moment in which a successor got ready does not leave two in its slot") {
  FleetBench bench;
  bench.Up(2);
  bench.Roll(2);
  CHECK(bench.deeds() == "spawn 3 in 1 of 2, spawn 4 in 2 of 2");
  // The timer for worker 4 is due, but what comes first is that 3 is ready.
  FleetState state = bench.state();
  Fleet fleet(state, 1);
  WorkerPolicy policy;
  policy.ready_timeout = 5000;
  fleet.SetPolicy(1, policy);
  fleet.SetPolicy(2, policy);
  fleet.On(WorkerReady{3}, 1'000'000 + 5000);
  CHECK(fleet.state().workers.at(1).state == WorkerState::kDraining);
  CHECK(fleet.state().workers.at(2).state == WorkerState::kReady);
  CHECK(fleet.state().workers.at(3).state == WorkerState::kReady);
  CHECK(fleet.state().workers.at(4).state == WorkerState::kKilling);
}

TEST_CASE("A start that failed at first and came up after all runs") {
  FleetBench bench;
  bench.Start(2);
  bench.Ready(1);
  bench.Exit(2);
  CHECK(bench.phase() == "failed");
  bench.Wait(120);
  bench.Ready(3);
  CHECK(bench.phase() == "running");
  CHECK(bench.state().reached == 1);
  CHECK(bench.state().good == 1);
  // The order was carried out; a later crash is not its failure.
  bench.Exit(1);
  CHECK(bench.phase() == "backoff");
}

TEST_CASE("A larger size whose new worker fails does not give up the generation that serves") {
  FleetBench bench;
  bench.Up(1);
  bench.Roll();
  bench.Ready(2);
  bench.Exit(1, true);
  CHECK(bench.phase() == "running");
  bench.SetSize(2);
  CHECK(bench.deeds() == "spawn 3 in 2 of 2");
  bench.Exit(3);
  CHECK(bench.phase() == "failed");
  CHECK(bench.state().failed == 0);
  bench.Wait(120);
  bench.Ready(4);
  CHECK(bench.phase() == "running");
}

TEST_CASE("A failed roll keeps what it has replaced, and the next one replaces the rest") {
  FleetBench bench;
  bench.Up(3);
  bench.Roll();
  bench.Ready(4);
  bench.Exit(1, true);
  CHECK(bench.deeds() == "spawn 5 in 2 of 2");
  bench.Wait(5000);
  CHECK(bench.deeds() == "give up 5, kill 5");
  CHECK(bench.phase() == "failed");
  bench.Exit(5);
  bench.SetSize(4);
  CHECK(bench.deeds() == "spawn 6 in 4 of 1");
  bench.Ready(6);
  CHECK(bench.phase() == "running");
  bench.Roll();
  CHECK(bench.deeds() == "spawn 7 in 1 of 3");
}

TEST_CASE("A second roll overtakes the first without ever serving with less") {
  FleetBench bench;
  bench.Up(2);
  bench.Roll(2);
  CHECK(bench.deeds() == "spawn 3 in 1 of 2, spawn 4 in 2 of 2");
  bench.Roll(1);
  CHECK(bench.deeds() == "stop 3, stop 4");
  bench.Exit(3);
  CHECK(bench.deeds().empty());
  bench.Exit(4);
  CHECK(bench.deeds() == "spawn 5 in 1 of 3");
}

TEST_CASE("A hard restart waits for the old worker of a slot, and a stop cancels a roll") {
  FleetBench bench;
  bench.Up(2);
  bench.Restart();
  CHECK(bench.deeds() == "stop 1, stop 2");
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 3 in 2 of 2");
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 4 in 1 of 2");
  bench.Ready(3);
  bench.Ready(4);
  bench.Roll();
  bench.Stop(false);
  CHECK(bench.deeds() == "stop 3, stop 4, stop 5");
}

TEST_CASE("Fewer workers: those of the highest slots are drained; none: only the master stays") {
  FleetBench bench;
  bench.Up(3);
  bench.SetSize(1);
  CHECK(bench.deeds() == "drain 2, drain 3");
  CHECK(bench.phase() == "changing");
  bench.Exit(2, true);
  bench.Exit(3, true);
  CHECK(bench.phase() == "running");
  bench.SetSize(0);
  CHECK(bench.deeds() == "drain 1");
  bench.Exit(1, true);
  CHECK(bench.phase() == "running");
  bench.SetSize(2);
  CHECK(bench.deeds() == "spawn 4 in 1 of 1, spawn 5 in 2 of 1");
}

TEST_CASE("An older order that comes late changes nothing") {
  FleetBench bench;
  bench.Up(2);
  bench.SetSize(3);
  FleetWish old = bench.state().wish;
  --old.order;
  old.run = false;
  bench.Feed(WishChanged{old});
  CHECK(bench.deeds().empty());
  CHECK(bench.state().wish.run);
}

TEST_CASE("A worker lost with its master is nobody's failure") {
  FleetBench bench;
  bench.Up(1);
  bench.Feed(WorkerLost{1});
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
  CHECK(bench.state().slots.at(1).failures == 0);
  CHECK(bench.state().slots.at(1).restarts == 0);
}

TEST_CASE("One that hangs is ended when its successor serves") {
  FleetBench bench;
  bench.Up(2);
  bench.Wait(40'000);
  bench.Hang(1, 20'000);
  CHECK(bench.deeds() == "hung 1, spawn 3 in 1 of 1");
  CHECK(bench.phase() == "starting");
  CHECK(bench.state().slots.at(1).last_exit == "hung");
  CHECK(bench.state().slots.at(1).restarts == 1);
  bench.Hang(1, 30'000);
  CHECK(bench.deeds().empty());
  bench.Ready(3);
  CHECK(bench.deeds() == "stop 1");
  CHECK(bench.phase() == "changing");
  bench.Wait(5000);
  CHECK(bench.deeds() == "kill 1 after 5000");
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "running");
  CHECK(bench.state().slots.at(1).restarts == 1);
}

TEST_CASE("One that hung as soon as it was ready is replaced after a pause, as if it had crashed") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(29'000);
  bench.Hang(1, 20'000);
  CHECK(bench.deeds() == "hung 1");
  CHECK(bench.phase() == "backoff");
  CHECK(bench.state().slots.at(1).failures == 1);
  REQUIRE(bench.wait());
  bench.Wait(*bench.wait());
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
  bench.Ready(2);
  CHECK(bench.deeds() == "stop 1");
}

TEST_CASE("One that hangs makes room when its successor fails beside it") {
  FleetBench bench;
  bench.Up(2);
  bench.Wait(40'000);
  bench.Hang(2, 20'000);
  bench.Exit(3);
  CHECK(bench.deeds() == "stop 2");
  bench.Exit(2);
  CHECK(bench.state().slots.at(2).restarts == 2);
  REQUIRE(bench.wait());
  bench.Wait(*bench.wait());
  CHECK(bench.deeds() == "spawn 4 in 2 of 1");
}

TEST_CASE("One that hung and goes on serves until its successor does, and drains then") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(40'000);
  bench.Hang(1, 20'000);
  bench.Move(1);
  CHECK(bench.deeds().empty());
  CHECK(Serves(bench.state().workers.at(1)));
  // Not a second failure.
  bench.Hang(1, 20'000);
  CHECK(bench.deeds().empty());
  bench.Move(1);
  bench.Ready(2);
  CHECK(bench.deeds() == "drain 1");
  CHECK(bench.state().slots.at(1).restarts == 1);
}

TEST_CASE("One that hangs and is not to be replaced is ended") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kNever);
  bench.Up(1);
  bench.Wait(40'000);
  bench.Hang(1, 20'000);
  CHECK(bench.deeds() == "hung 1, stop 1");
  bench.Exit(1);
  CHECK(bench.phase() == "finished");
}

TEST_CASE("What hangs is stopped where others are drained") {
  FleetBench bench;
  bench.Up(3);
  bench.Wait(40'000);
  bench.Hang(1, 20'000);
  bench.Hang(3, 20'000);
  CHECK(bench.deeds() == "hung 3, spawn 5 in 3 of 1");
  bench.SetSize(2);
  CHECK(bench.deeds() == "stop 3, stop 5");
  bench.Stop(true);
  CHECK(bench.deeds() == "stop 1, drain 2, stop 4");
}

TEST_CASE("A roll replaces what hangs, and not by one of the old generation") {
  FleetBench bench;
  bench.Up(2);
  bench.Wait(40'000);
  bench.Hang(1, 20'000);
  CHECK(bench.deeds() == "hung 1, spawn 3 in 1 of 1");
  bench.Roll();
  CHECK(bench.deeds() == "stop 3, spawn 4 in 1 of 2");
  bench.Ready(4);
  CHECK(bench.deeds() == "stop 1");
  bench.Exit(3);
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 5 in 2 of 2");
}

TEST_CASE("A new generation that hangs before it has proved itself has failed") {
  FleetBench bench;
  bench.Up(2);
  bench.Roll();
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1");
  bench.Wait(3'000);
  bench.Hang(3, 1'000);
  REQUIRE(bench.state().failure);
  CHECK(bench.state().failure->reason == "hung");
}

TEST_CASE("A worker that had lived for its minimum is replaced at once, one that had not waits") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(10'000);
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
  bench.Ready(2);
  bench.Wait(9'999);
  bench.Exit(2);
  CHECK(bench.deeds().empty());
  REQUIRE(bench.wait());
  CHECK(*bench.wait() >= 80);
  CHECK(*bench.wait() <= 120);
  CHECK(bench.phase() == "backoff");
}

TEST_CASE("Failures are forgiven after a minute of health") {
  FleetBench bench;
  bench.Up(1);
  bench.Exit(1);
  bench.Wait(120);
  bench.Ready(2);
  CHECK(bench.state().slots.at(1).failures == 1);
  bench.Wait(60'000);
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  CHECK(bench.state().slots.at(1).failures == 0);
}

TEST_CASE("A slot for which the system has no process is tried again within a second") {
  Fleet fleet(1);
  fleet.SetPolicy(1, WorkerPolicy{});
  FleetWish wish;
  wish.run = true;
  wish.size = 1;
  wish.generation = 1;
  wish.order = 1;
  Millis now = 1000;
  auto actions = fleet.On(WishChanged{wish}, now);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(actions.size() == 1);
    WorkerExited unborn{std::get<SpawnWorker>(actions[0]).worker, false,
                        "create a process: EAGAIN"};
    unborn.unborn = true;
    CHECK(fleet.On(unborn, now).empty());
    REQUIRE(fleet.deadline());
    CHECK(*fleet.deadline() <= now + 1000);
    now = *fleet.deadline();
    actions = fleet.On(TimePassed{}, now);
  }
}

TEST_CASE("Many workers are spawned a few at a time") {
  FleetBench bench;
  bench.Start(10);
  CHECK(bench.deeds() ==
        "spawn 1 in 1 of 1, spawn 2 in 2 of 1, spawn 3 in 3 of 1, spawn 4 in 4 of 1");
  CHECK(bench.wait() == 1);
  // Whatever happens meanwhile: not more at this moment.
  bench.Feed(TimePassed{});
  CHECK(bench.deeds().empty());
  bench.Wait(1);
  CHECK(bench.deeds() ==
        "spawn 5 in 5 of 1, spawn 6 in 6 of 1, spawn 7 in 7 of 1, spawn 8 in 8 of 1");
  bench.Wait(1);
  CHECK(bench.deeds() == "spawn 9 in 9 of 1, spawn 10 in 10 of 1");
  CHECK(bench.wait() != 1);
}

TEST_CASE("Who has outgrown its limit is drained once its successor is ready") {
  FleetBench bench;
  bench.Up(2);
  bench.Wait(20'000);
  bench.Outgrow(1);
  CHECK(bench.deeds() == "outgrown 1, spawn 3 in 1 of 1");
  CHECK(bench.phase() == "changing");
  bench.Outgrow(2);  // one after another
  CHECK(bench.deeds() == "outgrown 2");
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1");
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 4 in 2 of 1");
  bench.Ready(4);
  CHECK(bench.deeds() == "drain 2");
  bench.Exit(2, true);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "running");
  CHECK_FALSE(bench.wait());
  CHECK(bench.state().slots.at(1).restarts == 0);
}

TEST_CASE(
    "A successor of who has outgrown its limit may fail: the old one goes on, and it is tried "
    "later") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(20'000);
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1, spawn 2 in 1 of 1");
  bench.Exit(2);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "running");
  CHECK_FALSE(bench.state().failure);
  CHECK(bench.state().slots.at(1).failures == 0);
  CHECK(bench.state().slots.at(1).last_exit == "exit code 1");
  CHECK(bench.wait() == 10'000);
  bench.Wait(10'000);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  bench.Wait(5000);
  CHECK(bench.deeds() == "give up 3, kill 3");
  bench.Exit(3);
  CHECK(bench.wait() == 20'000);
}

TEST_CASE("Who outgrows its limit soon after its start is replaced after a pause that doubles") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(2000);
  bench.Outgrow(1);
  CHECK(bench.deeds() == "outgrown 1 for 10000");
  bench.Wait(10'000);
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
  bench.Ready(2);
  bench.Exit(1);
  bench.Outgrow(2);
  CHECK(bench.deeds() == "outgrown 2 for 20000");
  bench.Wait(20'000);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  bench.Ready(3);
  bench.Exit(2);
  // It was well for a minute: what was before is forgotten.
  bench.Wait(60'000);
  bench.Outgrow(3);
  CHECK(bench.deeds() == "outgrown 3, spawn 4 in 1 of 1");
  bench.Ready(4);
  bench.Exit(3);
  bench.Outgrow(4);
  CHECK(bench.deeds() == "outgrown 4 for 10000");
  CHECK(ReplaceDelay(100) == 600'000);
}

TEST_CASE("Who uses less again before its successor begins is not replaced") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(2000);
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1 for 10000");
  bench.Outgrow(1, "");
  CHECK(bench.deeds().empty());
  CHECK_FALSE(bench.wait());
  bench.Wait(20'000);
  CHECK(bench.deeds().empty());
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1, spawn 2 in 1 of 1");
  bench.Outgrow(1, "");  // too late
  bench.Ready(2);
  CHECK(bench.deeds() == "drain 1");
}

TEST_CASE("Who has outgrown its limit and ends leaves its slot to the successor that is starting") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(20'000);
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1, spawn 2 in 1 of 1");
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  bench.Exit(2);  // now it is a failure as any
  CHECK(bench.state().slots.at(1).failures == 1);
  bench.Wait(200);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
}

TEST_CASE("A roll overtakes the replacement of who has outgrown its limit") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(20'000);
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1, spawn 2 in 1 of 1");
  bench.Roll();
  CHECK(bench.deeds() == "stop 2");
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1");
  bench.Exit(1);
  CHECK(bench.phase() == "running");
}

TEST_CASE("Nothing takes the place of who has outgrown its limit and ended for good") {
  FleetBench bench;
  bench.Policy(1, RestartPolicy::kOnFailure);
  bench.Up(1);
  bench.Wait(20'000);
  bench.Outgrow(1);
  REQUIRE(bench.deeds() == "outgrown 1, spawn 2 in 1 of 1");
  bench.Exit(1, true);
  CHECK(bench.deeds() == "stop 2");
  bench.Exit(2);
  CHECK(bench.phase() == "finished");
}

TEST_CASE("A slot whose workers fail more often than --max-restarts allows is given up") {
  FleetBench bench;
  bench.MaxRestarts(1, 1);
  bench.MaxRestarts(2, 0);
  bench.Up(2);
  bench.Exit(1);
  bench.Wait(200);
  REQUIRE(bench.deeds() == "spawn 3 in 1 of 1");
  bench.Ready(3);
  bench.Wait(5000);
  bench.Exit(3);
  CHECK(bench.deeds() == "give up slot 1");
  CHECK(bench.phase() == "failed");
  REQUIRE(bench.state().failure);
  CHECK(bench.state().failure->reason == "slot 1 was given up after 1 restart: exit code 1");
  CHECK_FALSE(FinalExitCode(bench.state()));
  // One that had lived long enough is no failure, and ends the row.
  bench.Wait(10'000);
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 4 in 2 of 1");
  bench.Restart();
  CHECK(bench.phase() == "starting");
  bench.Exit(4);
  bench.Ready(5);
  bench.Ready(6);
  CHECK(bench.phase() == "running");
  bench.Exit(5);
  CHECK(bench.deeds() == "give up slot 1");
  bench.Exit(6);
  CHECK(FinalExitCode(bench.state()) == 1);
  CHECK(bench.state().failure->reason ==
        "slot 2 was not restarted (--max-restarts 0): exit code 1");
}

TEST_CASE("A worker that leaves by itself is no crash, and is followed when it has ended") {
  FleetBench bench;
  bench.Up(2);
  bench.Wait(20'000);
  bench.Leave(1);
  CHECK(bench.deeds().empty());
  CHECK(bench.state().workers.at(1).state == WorkerState::kDraining);
  CHECK(bench.phase() == "starting");
  bench.Leave(1);
  bench.Wait(500);
  CHECK(bench.deeds().empty());
  bench.Exit(1, true);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  CHECK(bench.state().slots.at(1).failures == 0);
  CHECK(bench.state().slots.at(1).restarts == 1);
  CHECK(bench.state().slots.at(1).last_exit == "left by itself, exit code 0");
  CHECK_FALSE(bench.state().failure);
}

TEST_CASE("Where the sockets stay, who leaves by itself is followed at once") {
  FleetBench bench;
  bench.SocketsStay(1);
  bench.Up(2);
  bench.Wait(20'000);
  bench.Leave(1);
  CHECK(bench.deeds() == "spawn 3 in 1 of 1");
  bench.Ready(3);
  CHECK(bench.phase() == "changing");
  bench.Exit(1);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "running");
  CHECK(bench.state().slots.at(1).restarts == 1);
  CHECK(bench.state().slots.at(1).failures == 0);
}

TEST_CASE("Who leaves soon after it was ready has failed, and its successor waits") {
  FleetBench bench;
  bench.SocketsStay(1);
  bench.Up(1);
  bench.Wait(50);
  bench.Leave(1);
  CHECK(bench.deeds().empty());
  CHECK(bench.state().slots.at(1).failures == 1);
  bench.Exit(1, true);
  bench.Wait(130);
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
  // Before it is ready it has not begun to serve.
  bench.Leave(2);
  CHECK(bench.state().workers.at(2).state == WorkerState::kStarting);
}

TEST_CASE("Who leaves by itself, and by --restart is not started again, is not") {
  for (const bool stay : {false, true}) {
    for (const RestartPolicy restart : {RestartPolicy::kOnFailure, RestartPolicy::kNever}) {
      FleetBench bench;
      WorkerPolicy policy;
      policy.sockets_stay = stay;
      policy.restart = restart;
      bench.Policy(1, policy);
      bench.Up(1);
      bench.Wait(20'000);
      bench.Leave(1);
      CHECK(bench.deeds().empty());
      bench.Exit(1, true);
      CHECK(bench.deeds().empty());
      CHECK(bench.phase() == "finished");
    }
  }
}

TEST_CASE("Who says that it leaves and does not is stopped like one that was drained in vain") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(20'000);
  bench.Leave(1);
  CHECK(bench.wait() == 10'000);
  bench.Wait(10'000);
  CHECK(bench.deeds() == "hang up 1");
  bench.Wait(200);
  CHECK(bench.deeds() == "stop 1");
  bench.Wait(5000);
  CHECK(bench.deeds() == "kill 1 after 5000");
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 2 in 1 of 1");
}

TEST_CASE("Who leaves by itself while it is being replaced or stopped anyway is no failure") {
  FleetBench bench;
  bench.Up(1);
  bench.Wait(20'000);
  bench.Leave(1);
  bench.Roll();
  CHECK(bench.deeds().empty());
  bench.Exit(1);
  CHECK(bench.deeds() == "spawn 2 in 1 of 2");
  bench.Ready(2);
  CHECK(bench.phase() == "running");
  bench.Wait(20'000);
  bench.Leave(2);
  bench.Restart();
  CHECK(bench.deeds() == "stop 2");
  bench.Exit(2);
  CHECK(bench.deeds() == "spawn 3 in 1 of 3");
  CHECK_FALSE(bench.state().failure);
  bench.Ready(3);
  bench.Leave(3);
  bench.Stop(true);
  bench.Exit(3);
  CHECK(bench.phase() == "stopped");
  CHECK_FALSE(bench.state().failure);
}

TEST_CASE("Who asks for time is given it, to get ready, to drain and to stop") {
  FleetBench bench;
  bench.Start(1);
  CHECK(bench.wait() == 5000);
  bench.AskTime(1, 1000);
  CHECK(bench.wait() == 5000);
  bench.AskTime(1, 8000);
  CHECK(bench.wait() == 8000);
  // At most ten minutes at once.
  bench.AskTime(1, 1'000'000'000);
  CHECK(bench.wait() == 600'000);
  bench.Ready(1);
  bench.AskTime(1, 1000);
  CHECK_FALSE(bench.wait());
  bench.Stop(true);
  CHECK(bench.wait() == 10'000);
  bench.AskTime(1, 60'000);
  CHECK(bench.wait() == 60'000);
  bench.Wait(60'000);
  bench.Wait(200);
  CHECK(bench.deeds() == "stop 1");
  bench.AskTime(1, 20'000);
  CHECK(bench.wait() == 20'000);
  bench.Wait(20'000);
  CHECK(bench.deeds() == "kill 1 after 5000");
  bench.AskTime(1, 20'000);
  CHECK(bench.wait() == 1000);
}

}  // namespace slc
