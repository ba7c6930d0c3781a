// SIGKILL to slcd at random moments: nobody who uses a service notices, and no change that was
// acknowledged is lost.
#include <optional>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/changing.h"
#include "tests/faults/faults.h"
#include "tests/faults/watcher.h"

using namespace slc;
using namespace slc::test;

namespace {

// Promised, from the question on: the start of slcd is part of it.
constexpr Millis kAnswer = 1'000;
// No master has brought slcd back before (2 s, less the fifth by which masters differ).
constexpr Millis kMastersWait = 1'600;

}  // namespace

TEST_SUITE("kill-daemon") {
  TEST_CASE("slcd is killed at random moments") {
    const int kills = Blows(300);
    Dice dice;
    World world;
    FourServices services(world);
    Changing changing(world, dice, "changing");
    // Killed between the launch of a master and its first word to it: that one is replaced.
    world.ExpectInLog("service changing: the master (pid");
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    std::vector<Millis> answers;
    int by_master = 0;
    int by_client = 0;
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    Watcher watcher(world, {"web", "tls", "plain", "snake"});
    const auto judge = [](const std::optional<Ran>& ran) {
      if (ran) CHECK_MESSAGE(ran->code == 0, ran->out, ran->err);
    };
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      const bool nobody_asks = i % 10 == 0;
      changing.Begin();
      LetPass(dice.Between(0, 250));
      // A command that is under way would bring slcd back.
      if (nobody_asks) judge(changing.Finish());
      world.KillDaemon();
      if (nobody_asks) {
        WaitUntil([&] { return world.Views().size() == 5; }, 10'000, "slcd, started by a master");
        ++by_master;
      } else {
        answers.push_back(world.Must({"ctl", "ls"}).took);
        by_client += answers.back() < kMastersWait ? 1 : 0;
      }
      judge(changing.Finish());
    }
    const LoadReport report = load.Stop();
    const std::string broken = watcher.Stop();
    MESSAGE(kills, " kills of slcd: answers within ", Percentile(answers, 50), " ms (median), ",
            Percentile(answers, 99), " ms (p99), ", Percentile(answers, 100),
            " ms at most; brought back by the next slc ", by_client, " times, by a master ",
            by_master, " times", Figures(report));
    CheckNoneFailed(report);
    CHECK_MESSAGE(broken.empty(), broken);
    CHECK(Percentile(answers, 100) <= kAnswer);
    CHECK(by_client > 0);
    CHECK(by_master > 0);
    CHECK(services.Pids() == pids);
    CHECK(services.Masters() == masters);
    services.CheckWhole();
    changing.CheckAgainstModel();
  }
}
