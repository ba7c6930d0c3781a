// SIGKILL to slcd at random moments: nobody who uses a service notices, and no change that was
// acknowledged is lost.
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/changing.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

TEST_SUITE("kill-daemon") {
  TEST_CASE("slcd is killed at random moments") {
    const int kills = Blows(300);
    Dice dice;
    World world;
    FourServices services(world);
    Changing changing(world, dice, "changing");
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    std::vector<Millis> answers;
    int revived = 0;
    LoadClient load(world, services.lanes());
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      changing.Begin();
      LetPass(dice.Between(0, 250));
      // The command may have ended, and somebody may have been quicker in bringing slcd back.
      const auto victim = world.Daemon();
      if (victim) {
        SignalProcess(OpenProcess(*victim), SIGKILL);
        WaitUntil([&] { return !IsAlive(*victim); }, 10'000, "the end of slcd");
      }
      if (i % 10 == 9 && changing.HasEnded()) {
        // Nobody asks: a master brings slcd back.
        WaitUntil([&] { return world.Views().size() == 5; }, 10'000, "slcd, started by a master");
        ++revived;
      } else {
        // Three tries at the start of slcd on two busy cores are no longer than this.
        answers.push_back(world.Must({"ctl", "ls"}).took);
      }
      const auto ran = changing.Finish();
      CHECK_MESSAGE(ran->code == 0, ran->out, ran->err);
    }
    const LoadReport report = load.Stop();
    MESSAGE(kills, " kills of slcd: answers within ", Percentile(answers, 50), " ms (median), ",
            Percentile(answers, 99), " ms (p99); brought back by a master ", revived, " times",
            Figures(report));
    CheckNoneFailed(report);
    CHECK(Percentile(answers, 99) <= 1000);
    CHECK(services.Pids() == pids);
    CHECK(services.Masters() == masters);
    services.CheckWhole();
    changing.CheckAgainstModel();
  }
}
