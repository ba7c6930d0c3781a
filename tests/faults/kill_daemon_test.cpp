// SIGKILL to slcd at random moments: nobody who uses a service notices, and no change that was
// acknowledged is lost.
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

// A service that is changed all the time, and what it must be afterwards.
class Changing {
 public:
  Changing(World& world, Dice& dice) : world_(world), dice_(dice) {
    app_ = world.StartApp("plain/server.js", {"--size", "1", "--name", "changing"});
  }

  // Begins a command; slc brings it to its end whatever happens to slcd.
  Running Begin() {
    switch (dice_.Between(0, 4)) {
      case 0:
        size_ = static_cast<std::size_t>(dice_.Between(1, 3));
        return world_.Begin({"ctl", "set-size", app_.name, std::to_string(size_)});
      case 1:
        value_ = std::to_string(++writes_);
        return world_.Begin({"ctl", "env-set", app_.name, "VALUE=" + value_});
      case 2:
        runs_ = false;
        return world_.Begin({"ctl", "stop", app_.name});
      case 3:
        runs_ = true;
        return world_.Begin({"ctl", "start", app_.name});
      default:
        if (!runs_) return world_.Begin({"ctl", "ls"});
        return world_.Begin({"ctl", "soft-restart", app_.name});
    }
  }

  void CheckAgainstModel() {
    const ServiceView view = world_.WaitForState(app_.name, runs_ ? "running" : "stopped");
    CHECK(view.wanted == runs_);
    CHECK(view.size == std::to_string(size_));
    const auto value = view.environment.find("VALUE");
    CHECK((value == view.environment.end() ? "" : value->second) == value_);
    CHECK(world_.ReadyPids(app_.name).size() == (runs_ ? size_ : 0));
  }

 private:
  World& world_;
  Dice& dice_;
  App app_;
  bool runs_ = true;
  std::size_t size_ = 1;
  std::string value_;
  int writes_ = 0;
};

}  // namespace

TEST_SUITE("kill-daemon") {
  TEST_CASE("slcd is killed at random moments") {
    const int kills = Blows(300);
    Dice dice;
    World world;
    FourServices services(world);
    Changing changing(world, dice);
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    std::vector<Millis> answers;
    int revived = 0;
    LoadClient load(world, services.lanes());
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      Running change = changing.Begin();
      LetPass(dice.Between(0, 250));
      // The command may have ended, and somebody may have been quicker in bringing slcd back.
      const auto victim = world.Daemon();
      if (victim) {
        SignalProcess(OpenProcess(*victim), SIGKILL);
        WaitUntil([&] { return !IsAlive(*victim); }, 10'000, "the end of slcd");
      }
      if (i % 10 == 9 && change.HasEnded()) {
        // Nobody asks: a master brings slcd back.
        WaitUntil([&] { return world.Views().size() == 5; }, 10'000, "slcd, started by a master");
        ++revived;
      } else {
        // Three tries at the start of slcd on two busy cores are no longer than this.
        answers.push_back(world.Must({"ctl", "ls"}).took);
      }
      const Ran& ran = change.Wait();
      CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
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
