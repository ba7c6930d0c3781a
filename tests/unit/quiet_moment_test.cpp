// When a master may execute another image.
#include "daemon/master/core/quiet_moment.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

using Deed = QuietMoment::Deed;

TEST_CASE("QuietMoment: nothing is accepted, then it executes when all connections are answered") {
  QuietMoment moment(1000);
  CHECK(moment.Look("", 3, 1000) == Deed::kHold);
  CHECK(moment.Look("", 3, 1001) == Deed::kWait);
  CHECK(moment.Look("", 0, 1002) == Deed::kExecute);
}

TEST_CASE("QuietMoment: it waits for what is half done, and not for ever") {
  QuietMoment moment(0);
  CHECK(moment.Look("its log", 0, 0) == Deed::kWait);
  CHECK(moment.Look("its log", 0, QuietMoment::kPatience - 1) == Deed::kWait);
  CHECK(moment.Look("its log", 0, QuietMoment::kPatience) == Deed::kGiveUp);
}

TEST_CASE("QuietMoment: connections that nobody answers for go along") {
  QuietMoment moment(0);
  CHECK(moment.Look("", 1, 0) == Deed::kHold);
  CHECK(moment.Look("", 1, QuietMoment::kLongestHold - 1) == Deed::kWait);
  CHECK(moment.Look("", 1, QuietMoment::kLongestHold) == Deed::kExecute);
}

// A master that is busy for some share of the time, looked at each millisecond.
std::string CheckOneHistory(Random& random) {
  QuietMoment moment(0);
  bool holds = false;
  Millis since = 0;  // of the hold, or of its end
  const auto busy_percent = static_cast<int>(random.Between(0, 100));
  for (Millis now = 0; now < 10'000; ++now) {
    const bool busy = random.Chance(busy_percent);
    switch (moment.Look(busy ? "busy" : "", random.Below(2), now)) {
      case Deed::kExecute:
        if (busy) return "executes with something half done";
        return holds ? "" : "executes while connections are accepted";
      case Deed::kGiveUp:
        if (!busy) return "gives up for no reason";
        return now >= QuietMoment::kPatience ? "" : "gives up too early";
      case Deed::kHold:
        if (holds) return "holds twice";
        if (since > 0 && now - since < QuietMoment::kBetweenHolds) return "holds too soon again";
        holds = true;
        since = now;
        break;
      case Deed::kRelease:
        if (!holds) return "releases what is not held";
        holds = false;
        since = now;
        break;
      case Deed::kWait:
        break;
    }
    if (holds && now - since > QuietMoment::kLongestHold) return "connections wait for too long";
  }
  return "there is no end";
}

TEST_CASE("QuietMoment: whatever happens, connections wait no longer than the longest hold") {
  RunHistories(1000, CheckOneHistory);
}

}  // namespace
}  // namespace slc
