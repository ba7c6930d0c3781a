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
// A slcd that comes up waits so long for the word of a master it finds.
constexpr Millis kHelloPatience = 5'000;
// 3 s of slc's own patience, 10 s of that of slcd --replace, and 1 s for both to be started.
constexpr Millis kAskedInVain = 14'000;
// A master misses the ping within 15 s and a tenth; then slcd --replace asks for 10 s.
constexpr Millis kUnasked = 27'500;

int CountDaemons(World& world) {
  int count = 0;
  for (const ProcessIdentity& each : world.Supervisors()) {
    const std::string name = ReadText("/proc/" + std::to_string(each.pid) + "/comm");
    if (StartsWith(name, "slcd") && IsAlive(each)) ++count;
  }
  return count;
}

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

  TEST_CASE("slcd killed while a master is stopped: the workers get another master") {
    const int stops = Blows(10);
    Dice dice;
    World world;
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    FourServices services(world);
    const auto pids = services.Pids();
    std::vector<Millis> replaced;
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    for (int i = 0; i < stops; ++i) {
      const App& app = services.apps()[dice.Below(services.apps().size())];
      INFO("stop ", i, ", master of ", app.name);
      LetPass(dice.Between(0, 1000));
      const auto old = IdentifyProcess(world.MasterPid(app.name));
      REQUIRE(old);
      Kill(*old, SIGSTOP);
      LetPass(dice.Between(0, 300));
      world.KillDaemon();
      const Millis start = BootNow();
      world.Must({"ctl", "ls"});
      WaitUntil([&] { return world.View(app.name).state == "running" && !IsAlive(*old); }, 30'000,
                "another master of " + app.name);
      replaced.push_back(BootNow() - start);
    }
    const LoadReport report = load.Stop();
    MESSAGE(stops, " times slcd killed and a master stopped: replaced after ",
            Percentile(replaced, 50), " ms (median), ", Percentile(replaced, 100), " ms at most",
            Figures(report));
    CheckNoneFailed(report);
    CHECK(Percentile(replaced, 100) <= kHelloPatience + kSuccessor);
    CHECK(services.Pids() == pids);
    services.CheckWhole();
  }

  TEST_CASE("a stopped slcd is replaced by the first who asks") {
    const int stops = Blows(10);
    World world;
    world.ExpectInLog("has not answered for 10 s and was killed");
    FourServices services(world);
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    std::vector<Millis> answers;
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    for (int i = 0; i < stops; ++i) {
      INFO("stop ", i);
      const auto old = world.Daemon();
      REQUIRE(old);
      Kill(*old, SIGSTOP);
      // Three who ask at once: one of them replaces it, and all are answered.
      std::vector<Running> asking;
      for (int j = 0; j < 3; ++j) asking.push_back(world.Begin({"ctl", "ls"}));
      for (Running& each : asking) {
        const Ran& ran = each.Wait();
        CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
        answers.push_back(ran.took);
      }
      CHECK(!IsAlive(*old));
      WaitUntil([&] { return CountDaemons(world) == 1; }, 5'000, "the losers' end");
    }
    const LoadReport report = load.Stop();
    MESSAGE(stops, " times slcd stopped, asked by three: answers after ", Percentile(answers, 50),
            " ms (median), ", Percentile(answers, 100), " ms at most", Figures(report));
    CheckNoneFailed(report);
    CHECK(Percentile(answers, 100) <= kAskedInVain + kSuccessor);
    CHECK(services.Pids() == pids);
    CHECK(services.Masters() == masters);
    services.CheckWhole();
  }

  TEST_CASE("a stopped slcd that nobody asks is replaced by a master") {
    World world;
    world.ExpectInLog("has not answered for 10 s and was killed");
    FourServices services(world);
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    const auto old = world.Daemon();
    REQUIRE(old);
    Kill(*old, SIGSTOP);
    const Millis took = WaitUntil(
        [&] {
          const auto daemon = world.Daemon();
          return daemon && !(*daemon == *old) && !IsAlive(*old);
        },
        kUnasked + kSuccessor, "another slcd");
    WaitUntil([&] { return CountDaemons(world) == 1; }, kUnasked, "the losers' end");
    world.Must({"ctl", "ls"});
    const LoadReport report = load.Stop();
    MESSAGE("slcd stopped, nobody asks: replaced after ", took, " ms", Figures(report));
    CheckNoneFailed(report);
    CHECK(services.Pids() == pids);
    CHECK(services.Masters() == masters);
    services.CheckWhole();
  }
}
