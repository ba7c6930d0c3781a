// SIGKILL to slcd and a master in the same instant: nobody is left who holds the workers' channels.
// The service is back soon after the next slcd, with exactly as many workers, and nothing else;
// those of masters that live are not touched.
#include <algorithm>
#include <csignal>
#include <set>

#include <doctest/doctest.h>

#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

TEST_SUITE("kill-both") {
  TEST_CASE("slcd and one or all masters are killed at once") {
    const int kills = Blows(50);
    Dice dice;
    World world;
    FourServices services(world);
    // What a slcd finds of those it did not know.
    world.ExpectInLog("has taken over");
    world.ExpectInLog("replacing it");
    std::vector<Millis> returns;
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      LetPass(dice.Between(0, 200));
      const bool all = i % 2 == 0;
      const App& struck = services.apps()[dice.Below(4)];
      const auto before = services.Pids();
      std::vector<ProcessIdentity> victims;
      if (all) {
        victims = Masters(world);
      } else {
        victims.push_back(*IdentifyProcess(world.MasterPid(struck.name)));
      }
      if (const auto daemon = world.Daemon()) victims.push_back(*daemon);
      REQUIRE(victims.size() == (all ? 5 : 2));
      if (dice.Coin()) std::reverse(victims.begin(), victims.end());
      for (const ProcessIdentity& victim : victims) SignalProcess(OpenProcess(victim), SIGKILL);
      for (const ProcessIdentity& victim : victims) {
        WaitUntil([&] { return !IsAlive(victim); }, 10'000, "the end of all");
      }
      const Millis start = BootNow();
      world.Must({"ctl", "ls"});
      for (const App& app : services.apps()) world.WaitForState(app.name, "running", 30'000);
      returns.push_back(BootNow() - start);
      // Workers that are not Node do not end by themselves: they are found by their cookie.
      std::set<int> known;
      for (const auto& [name, pids] : services.Pids()) known.insert(pids.begin(), pids.end());
      CHECK(known.size() == 8);
      for (const auto& [name, pids] : services.Pids()) {
        if (!all && name != struck.name) CHECK(pids == before.at(name));
      }
      WaitUntil(
          [&] {
            std::set<int> marked;
            for (const ProcessIdentity& each : world.Workers()) marked.insert(each.pid);
            return marked == known;
          },
          5'000, "no process beside the workers");
      for (const App& app : services.apps()) {
        if (app.name != "tls") CHECK(Get(app.url()).status == 200);
      }
    }
    MESSAGE(kills, " times slcd and one or four masters: all is back after ",
            Percentile(returns, 50), " ms (median), ", Percentile(returns, 100), " ms at most");
    // Eight boots of Node and Python on two cores are half of this.
    CHECK(Percentile(returns, 100) <= 3000);
    services.CheckWhole();
  }
}
