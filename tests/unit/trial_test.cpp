#include "daemon/core/trial.h"

#include <doctest/doctest.h>

using namespace slc;

namespace {

Trial New() {
  Trial trial;
  trial.binary = "new";
  return trial;
}

}  // namespace

TEST_CASE("the third start within ten seconds gives way, and all after it") {
  Trial trial = New();
  CHECK(JudgeStart(trial, "new", "boot", 1000) == Verdict::kGoOn);
  CHECK(JudgeStart(trial, "new", "boot", 5000) == Verdict::kGoOn);
  CHECK(JudgeStart(trial, "new", "boot", 10'999) == Verdict::kGiveWay);
  CHECK(trial.failed);
  CHECK(JudgeStart(trial, "new", "boot", 99'999) == Verdict::kGiveWay);
  CHECK(JudgeStart(trial, "new", "next boot", 1) == Verdict::kGiveWay);
}

TEST_CASE("starts that lie apart do not give way") {
  Trial trial = New();
  for (Millis now = 0; now < 100'000; now += 5000) {
    CHECK(JudgeStart(trial, "new", "boot", now) == Verdict::kGoOn);
  }
}

TEST_CASE("another boot counts anew") {
  Trial trial = New();
  CHECK(JudgeStart(trial, "new", "one", 1000) == Verdict::kGoOn);
  CHECK(JudgeStart(trial, "new", "one", 1001) == Verdict::kGoOn);
  CHECK(JudgeStart(trial, "new", "two", 1002) == Verdict::kGoOn);
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
  CHECK(JudgeStart(trial, "repaired", "boot", 1000) == Verdict::kVoid);
  trial.failed = true;
  CHECK(JudgeStart(trial, "repaired", "boot", 1000) == Verdict::kVoid);
}
