// SIGKILL to workers: only requests in flight on that worker fail, and its slot is filled at once.
#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

TEST_SUITE("kill-worker") {
  TEST_CASE("workers that have lived are killed") {
    const int kills = Blows(500);
    constexpr int kSize = 4;
    // So many requests are outstanding at a time, on all workers together.
    constexpr int kBusy = 4;
    Dice dice;
    World world;
    world.ExpectInLog("accidental end");
    // Each must have lived its --min-uptime when it is killed; 300 ms instead of 10 s make 500
    // kills bearable.
    const App app = world.StartApp("express4", {"--size", std::to_string(kSize), "--min-uptime",
                                                "300ms", "--drain-linger", "400ms"});
    std::vector<Millis> boots;
    for (int i = 0; i < 5; ++i) {
      Running plain = world.BeginProgram({world.NodePath(20), "-e", "0"});
      boots.push_back(plain.Wait().took);
    }
    std::vector<Millis> refills;
    LoadClient load(
        world, {"name=busy,connections=" + std::to_string(kBusy) + ",url=" + app.url("/slow?ms=20"),
                "name=close,mode=close,connections=4,rate=80,url=" + app.url()});
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      std::vector<ProcessView> old;
      WaitUntil(
          [&] {
            old.clear();
            const ServiceView view = world.View(app.name);
            for (const ProcessView& each : view.processes) {
              if (each.worker != 0 && each.state == "ready" && each.uptime > 700) {
                old.push_back(each);
              }
            }
            return old.size() == kSize;
          },
          20'000, "four workers that have lived");
      const ProcessView victim = old[dice.Below(old.size())];
      Kill(*IdentifyProcess(victim.pid));
      const Millis start = BootNow();
      WaitUntil(
          [&] {
            const auto pids = world.ReadyPids(app.name);
            return pids.size() == kSize && std::count(pids.begin(), pids.end(), victim.pid) == 0;
          },
          20'000, "the slot's next worker");
      refills.push_back(BootNow() - start);
    }
    const LoadReport report = load.Stop();
    INFO(report.text);
    const LaneReport& busy = report.lane("busy");
    const LaneReport& close = report.lane("close");
    MESSAGE(kills, " kills of workers: slot filled after ", Percentile(refills, 50),
            " ms (median), ", Percentile(refills, 99), " ms (p99); node -e 0 takes ",
            Percentile(boots, 50), " ms; failed ", busy.failed, " kept and ", close.failed, " of ",
            close.attempted, Figures(report));
    // Those that were being answered: each connection has one, and the victim had its share.
    CHECK(busy.failed <= static_cast<std::int64_t>(kills) * kBusy);
    CHECK(busy.failures.at("refused") == 0);
    CHECK(close.failures.at("refused") == 0);
    // An answer to / takes some ms of the 12 between two: few of a kill's moments meet one.
    CHECK(close.failed <= kills);
    CHECK(busy.ok > 0);
    CHECK(close.ok > 0);
  }
}
