// SIGSTOP: a master or slcd that hangs. Established connections go on; new ones wait in the
// kernel's queue until the stalled process has been fenced and a successor is in charge.
#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

// slcd asks every 10 s and waits 2 s; a second for the successor's start on two busy cores.
constexpr Millis kSeenWithin = 12'000;
constexpr Millis kSuccessor = 1'000;

}  // namespace

TEST_SUITE("stall") {
  TEST_CASE("a stopped master is replaced, and no request fails") {
    const int stops = Blows(10);
    Dice dice;
    World world;
    FourServices services(world);
    const auto pids = services.Pids();
    std::vector<Millis> replaced;
    // Clients wait 30 s.
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    for (int i = 0; i < stops; ++i) {
      const App& app = services.apps()[dice.Below(services.apps().size())];
      INFO("stop ", i, ", master of ", app.name);
      LetPass(dice.Between(0, 1000));
      const auto old = IdentifyProcess(world.MasterPid(app.name));
      REQUIRE(old);
      world.ExpectInLog("has taken over");
      world.ExpectInLog("is gone or does not answer; replacing it");
      Kill(*old, SIGSTOP);
      replaced.push_back(AwaitSuccessor(world, app.name, *old));
    }
    const LoadReport report = load.Stop();
    MESSAGE(stops, " masters stopped: replaced after ", Percentile(replaced, 50), " ms (median), ",
            Percentile(replaced, 100), " ms at most", Figures(report));
    CheckNoneFailed(report);
    CHECK(Percentile(replaced, 100) <= kSeenWithin + kSuccessor);
    CHECK(services.Pids() == pids);
    services.CheckWhole();
  }

  TEST_CASE("a stopped slcd costs no request") {
    World world;
    FourServices services(world);
    const auto pids = services.Pids();
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGSTOP);
    // The blow itself: as long as masters may have to do without slcd.
    LetPass(Long() ? 30'000 : 5'000);
    Kill(*daemon, SIGCONT);
    world.Must({"ctl", "ls"});
    const LoadReport report = load.Stop();
    MESSAGE("slcd stopped", Figures(report));
    CheckNoneFailed(report);
    CHECK(services.Pids() == pids);
    services.CheckWhole();
  }
}
