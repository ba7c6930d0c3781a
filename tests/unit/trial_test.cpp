#include "daemon/core/trial.h"

#include <doctest/doctest.h>

using namespace slc;

namespace {

Trial New() {
  Trial trial;
  trial.binary = "new";
  return trial;
}

Verdict Begin(Trial& trial, const std::string& boot = "boot", bool goes_on = false) {
  return JudgeBegin(trial, "new", boot, goes_on);
}

}  // namespace

TEST_CASE("after the third death a slcd on trial gives way, and so do all later starts") {
  Trial trial = New();
  CHECK(Begin(trial, "boot", true) == Verdict::kGoOn);
  CHECK(Begin(trial) == Verdict::kGoOn);
  CHECK(Begin(trial) == Verdict::kGoOn);
  CHECK(JudgeStart(trial, "new") == Verdict::kGoOn);
  CHECK(Begin(trial) == Verdict::kGiveWay);
  CHECK(trial.failed);
  CHECK(JudgeStart(trial, "new") == Verdict::kGiveWay);
  CHECK(Begin(trial) == Verdict::kGiveWay);
  CHECK(Begin(trial, "next boot") == Verdict::kGiveWay);
}

TEST_CASE("what is no death of a slcd on trial is not counted") {
  Trial trial = New();
  for (int i = 0; i < 10; ++i) {
    // It leaves as it should.
    CHECK(Begin(trial) == Verdict::kGoOn);
    trial.begun = false;
  }
  for (int i = 0; i < 10; ++i) {
    // It goes on as the next image of itself, and others find the home taken.
    CHECK(Begin(trial, "boot", true) == Verdict::kGoOn);
    CHECK(JudgeStart(trial, "new") == Verdict::kGoOn);
  }
  // The machine goes down.
  for (int i = 0; i < 10; ++i) CHECK(Begin(trial, std::to_string(i)) == Verdict::kGoOn);
  CHECK(trial.deaths == 0);
}

TEST_CASE("a master of before may stand in for a day after it was kept") {
  constexpr Millis kHour = 3'600'000;
  CHECK(MayStandIn(1000, 1000));
  CHECK(MayStandIn(1000, 23 * kHour));
  CHECK_FALSE(MayStandIn(1000, 25 * kHour));
  CHECK_FALSE(MayStandIn(1000, 999));
}

TEST_CASE("a trial is void for another binary, be it failed or not") {
  Trial trial = New();
  CHECK(JudgeBegin(trial, "repaired", "boot", false) == Verdict::kVoid);
  trial.failed = true;
  CHECK(JudgeStart(trial, "repaired") == Verdict::kVoid);
  CHECK(JudgeBegin(trial, "repaired", "boot", false) == Verdict::kVoid);
}
