#include "daemon/core/gateway_plan.h"

#include <algorithm>
#include <random>

#include <doctest/doctest.h>

namespace slc {
namespace {

using State = GatewayPlan::State;

// A process as the plan commands it, and the world as it may go.
struct Bench {
  void Feed(const GatewayEvent& event) {
    for (const GatewayDeed deed : plan.On(event, now)) {
      if (deed == GatewayDeed::kLaunch) {
        REQUIRE_FALSE(lives);
        ++launches;
        launching = true;
      } else {
        REQUIRE(lives);
        (deed == GatewayDeed::kKill ? kills : terminates) += 1;
      }
    }
  }
  void Launched(bool started) {
    launching = false;
    lives = started;
    Feed(GatewayLaunched{started});
  }
  void End() {
    lives = false;
    Feed(GatewayEnded{});
  }
  void Up() {
    Launched(true);
    Feed(GatewayUp{});
  }
  void PassTo(Millis time) {
    now = std::max(now, time);
    if (plan.deadline() && *plan.deadline() <= now) Feed(GatewayTick{});
  }

  GatewayPlan plan;
  Millis now = 1'000;
  bool launching = false;
  bool lives = false;
  int launches = 0;
  int terminates = 0;
  int kills = 0;
};

}  // namespace

TEST_CASE("a gateway that ends by itself is started again, later each time") {
  Bench bench;
  bench.Feed(GatewayWanted{true, false});
  Millis last = 0;
  for (int i = 0; i < 12; ++i) {
    bench.Up();
    CHECK(bench.plan.state() == State::kUp);
    bench.End();
    REQUIRE(bench.plan.deadline());
    const Millis pause = *bench.plan.deadline() - bench.now;
    CHECK(pause >= last);
    CHECK(pause <= GatewayPlan::kLongestPause);
    last = pause;
    bench.PassTo(*bench.plan.deadline());
    CHECK(bench.launching);
  }
  CHECK(last == GatewayPlan::kLongestPause);
  bench.Up();
  bench.now += GatewayPlan::kHolds;
  bench.End();
  CHECK(*bench.plan.deadline() - bench.now == GatewayPlan::kFirstPause);
}

TEST_CASE("one that does not come up, or does not end, is killed") {
  Bench bench;
  bench.Feed(GatewayWanted{true, false});
  bench.Launched(true);
  bench.PassTo(bench.now + GatewayPlan::kStartTime);
  CHECK(bench.kills == 1);
  CHECK_FALSE(bench.plan.deadline());
  bench.End();
  bench.PassTo(*bench.plan.deadline());
  bench.Up();
  bench.Feed(GatewayWanted{false, false});
  CHECK(bench.terminates == 1);
  bench.PassTo(bench.now + GatewayPlan::kPatience);
  CHECK(bench.kills == 2);
  bench.End();
  CHECK(bench.plan.state() == State::kOff);
}

TEST_CASE("wanted anew it is replaced, as it is it goes on") {
  Bench bench;
  bench.Feed(GatewayWanted{true, false});
  bench.Up();
  bench.Feed(GatewayWanted{true, false});
  CHECK(bench.terminates == 0);
  bench.Feed(GatewayWanted{true, true});
  CHECK(bench.terminates == 1);
  bench.End();
  CHECK(bench.launches == 2);
}

TEST_CASE("whatever happens, there is one process at most, and in the end what is wanted") {
  for (unsigned seed = 0; seed < 3'000; ++seed) {
    std::mt19937 dice(seed);
    Bench bench;
    bool wanted = false;
    for (int step = 0; step < 60; ++step) {
      bench.now += dice() % 3'000;
      bench.PassTo(bench.now);
      switch (dice() % 6) {
        case 0:
          wanted = dice() % 2 == 0;
          bench.Feed(GatewayWanted{wanted, dice() % 2 == 0});
          break;
        case 1:
          if (bench.launching) bench.Launched(dice() % 4 != 0);
          break;
        case 2:
          if (bench.lives) bench.Feed(GatewayUp{});
          break;
        case 3:
          if (bench.lives) bench.End();
          break;
        default:
          break;
      }
    }
    for (int i = 0; i < 20 && bench.plan.state() != (wanted ? State::kUp : State::kOff); ++i) {
      if (bench.launching) bench.Launched(true);
      if (bench.plan.state() == State::kStarting && bench.lives) bench.Feed(GatewayUp{});
      if (bench.plan.state() == State::kEnding) bench.End();
      if (bench.plan.deadline()) bench.PassTo(*bench.plan.deadline());
    }
    CAPTURE(seed);
    CHECK(bench.plan.state() == (wanted ? State::kUp : State::kOff));
    CHECK(bench.lives == wanted);
  }
}

}  // namespace slc
