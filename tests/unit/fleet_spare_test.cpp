// What a Fleet does with a spare. Its promises in general are checked in fleet_history_test.cpp.
#include <doctest/doctest.h>

#include "tests/unit/fleet_bench.h"

namespace slc {
namespace {

// A service of `size` workers that all serve, and its spare, which waits: the worker after them.
void UpWithSpare(FleetBench& bench, std::uint32_t size) {
  bench.WantSpares();
  bench.Start(size);
  for (WorkerId id = 1; id <= size; ++id) {
    bench.Listen(id);
    bench.Ready(id);
  }
  bench.Listen(size + 1);
}

}  // namespace

TEST_CASE("A spare is spawned once every slot serves, and waits for as long as it takes") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(2);
  CHECK(bench.deeds() == "spawn 1 in 1 of 1, spawn 2 in 2 of 1");
  bench.Listen(1);
  bench.Ready(1);
  CHECK(bench.deeds().empty());
  bench.Listen(2);
  bench.Ready(2);
  CHECK(bench.deeds() == "spawn 3 in 0 of 1");
  CHECK(bench.phase() == "running");
  CHECK(bench.state().reached == 1);
  CHECK(bench.wait() == 5000);
  bench.Listen(3);
  CHECK(bench.deeds().empty());
  CHECK_FALSE(bench.wait().has_value());
  bench.Ready(3);
  CHECK(bench.state().workers.at(3).state == WorkerState::kStarting);
}

TEST_CASE(
    "Who dies is followed by the spare in the same moment, and that by a new one once it serves") {
  FleetBench bench;
  UpWithSpare(bench, 2);
  bench.Wait(60'000);
  bench.Exit(2);
  CHECK(bench.deeds() == "promote 3 to 2");
  CHECK(bench.phase() == "starting");
  CHECK(bench.wait() == 5000);
  bench.Ready(3);
  CHECK(bench.deeds() == "spawn 4 in 0 of 1");
  CHECK(bench.phase() == "running");
}

TEST_CASE(
    "A spare takes over at once where another worker would be held back, the next one waits") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  bench.Exit(1);
  CHECK(bench.deeds() == "promote 2 to 1");
  bench.Ready(2);
  CHECK(bench.deeds().empty());
  REQUIRE(bench.wait());
  CHECK(*bench.wait() >= 80);
  CHECK(*bench.wait() <= 120);
  bench.Wait(*bench.wait());
  CHECK(bench.deeds() == "spawn 3 in 0 of 1");
  // It still boots: a start over a new one.
  bench.Exit(2);
  CHECK(bench.deeds() == "promote 3 to 1");
  bench.Exit(3);
  CHECK(bench.deeds().empty());
  CHECK(*bench.wait() >= 320);
}

TEST_CASE("What a spare is told as its slot is the only one, or none that a worker has") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  CHECK(bench.told() == 1);
  FleetBench two;
  UpWithSpare(two, 2);
  CHECK(two.told() == 3);
}

TEST_CASE("An app that does not listen gets no spare") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(1);
  bench.Ready(1);
  CHECK(bench.deeds().empty());
  bench.Listen(1);
  CHECK(bench.deeds() == "spawn 2 in 0 of 1");
}

TEST_CASE("A spare that does not come to its listen() is the last of its generation") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(1);
  bench.Listen(1);
  bench.Ready(1);
  bench.Wait(5000);
  CHECK(bench.deeds() == "give up 2, kill 2");
  CHECK(bench.state().spare.trouble == "did not come to its listen() within 5.0 s");
  bench.Exit(2);
  bench.Wait(3'600'000);
  CHECK(bench.deeds().empty());
  CHECK(bench.phase() == "running");
  CHECK(bench.state().slots.at(1).restarts == 0);
  bench.Restart();
  bench.Exit(1);
  bench.Listen(3);
  bench.Ready(3);
  CHECK(bench.deeds() == "spawn 4 in 0 of 2");
}

TEST_CASE("A spare that crashes is tried again, less and less often, and nothing else is touched") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(1);
  bench.Listen(1);
  bench.Ready(1);
  WorkerId spare = 2;
  for (const Millis pause : {1000, 2000, 4000}) {
    bench.Exit(spare);
    CHECK(bench.wait() == pause);
    CHECK(bench.state().spare.trouble == "exit code 1");
    bench.Wait(pause);
    ++spare;
    CHECK(bench.deeds() == "spawn " + std::to_string(spare) + " in 0 of 1");
  }
  CHECK(bench.phase() == "running");
  CHECK_FALSE(bench.state().failure.has_value());
  bench.Listen(spare);
  CHECK(bench.state().spare.trouble.empty());
  bench.Wait(60'000);
  bench.Exit(spare);
  CHECK(bench.wait() == 1000);
}

TEST_CASE("In a roll the spare of the old generation stays for as long as it may be needed") {
  FleetBench bench;
  UpWithSpare(bench, 2);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 4 in 1 of 2");
  bench.Exit(2);
  CHECK(bench.deeds() == "promote 3 to 2");
  bench.Listen(4);
  bench.Ready(4);
  CHECK(bench.deeds() == "drain 1");
  bench.Exit(1);
  CHECK(bench.deeds() == "stop 3, spawn 5 in 2 of 2");
  bench.Exit(3);
  bench.Listen(5);
  bench.Ready(5);
  CHECK(bench.phase() == "running");
  CHECK(*bench.wait() <= 120);  // slot 2 has crashed a moment ago
}

TEST_CASE("Beside the last successor of a roll the old spare leaves and a new one comes") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 3 in 1 of 2");
  bench.Listen(3);
  bench.Ready(3);
  CHECK(bench.deeds() == "drain 1, stop 2, spawn 4 in 0 of 2");
  CHECK(bench.phase() == "rolling");
  bench.Exit(1);
  CHECK(bench.phase() == "running");
}

TEST_CASE("An old spare that is slow to leave holds up no roll") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  bench.Roll();
  bench.Listen(3);
  bench.Ready(3);
  bench.Exit(1);
  CHECK(bench.state().workers.at(2).state == WorkerState::kStopping);
  bench.Roll();
  CHECK(bench.deeds() == "spawn 5 in 1 of 3");
}

TEST_CASE("What takes a slot while it boots has no more time for it than before") {
  FleetBench bench;
  bench.WantSpares();
  bench.Start(1);
  bench.Listen(1);
  bench.Ready(1);
  bench.Wait(3000);
  bench.Exit(1);
  CHECK(bench.deeds() == "promote 2 to 1");
  CHECK(bench.wait() == 2000);
}

TEST_CASE("Restart, stop and size 0 end the spare") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  SUBCASE("restart") {
    bench.Restart();
    CHECK(bench.deeds() == "stop 1, stop 2");
  }
  SUBCASE("stop") {
    bench.Stop(false);
    CHECK(bench.deeds() == "stop 1, stop 2");
    bench.Exit(1);
    CHECK(bench.phase() == "stopping");
    bench.Exit(2);
    CHECK(bench.phase() == "stopped");
  }
  SUBCASE("soft stop") {
    bench.Stop(true);
    CHECK(bench.deeds() == "drain 1, stop 2");
  }
  SUBCASE("size 0") {
    bench.SetSize(0);
    CHECK(bench.deeds() == "drain 1, stop 2");
  }
}

TEST_CASE("A larger size takes the spare first") {
  FleetBench bench;
  UpWithSpare(bench, 1);
  bench.SetSize(3);
  CHECK(bench.deeds() == "promote 2 to 2, spawn 3 in 3 of 1");
}

}  // namespace slc
