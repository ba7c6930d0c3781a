// When services are soft-restarted by their schedule: due, missed, and a clock that is set.
#include "daemon/core/restart_times.h"

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

constexpr Millis kMinute = 60'000;
constexpr Millis kHour = 60 * kMinute;
constexpr Millis kDay = 24 * kHour;
constexpr ServiceId kWeb = 1;

CronSchedule At(const char* text) {
  const auto schedule = CronSchedule::Parse(text);
  REQUIRE(schedule);
  return *schedule;
}

Millis Wall(const char* text) { return ParseIso(text); }

RestartTimes DailyAtFour(const char* since) {
  RestartTimes times;
  times.Set(kWeb, At("0 4 * * *"), TimeZone(), Wall(since));
  return times;
}

}  // namespace

TEST_CASE("Restart times: a time is due once, and then the next one") {
  RestartTimes times = DailyAtFour("2026-11-26T16:00");
  CHECK(times.deadline() == Wall("2026-11-27T04:00"));
  CHECK(times.Pass(Wall("2026-11-27T03:59")).empty());
  CHECK(times.Pass(Wall("2026-11-27T04:00")) ==
        std::vector{DueRestart{kWeb, Wall("2026-11-27T04:00"), false}});
  CHECK(times.Pass(Wall("2026-11-27T04:00")).empty());
  CHECK(times.NextOf(kWeb) == Wall("2026-11-28T04:00"));
  times.Clear(kWeb);
  CHECK_FALSE(times.deadline());
  CHECK(times.Pass(Wall("2026-11-28T04:00")).empty());
}

TEST_CASE("Restart times: what is over by more than a minute is missed, and once") {
  RestartTimes times = DailyAtFour("2026-11-26T16:00");
  CHECK(times.Pass(Wall("2026-11-27T04:01")) ==
        std::vector{DueRestart{kWeb, Wall("2026-11-27T04:00"), false}});
  // A week of sleep.
  CHECK(times.Pass(Wall("2026-12-04T12:00")) ==
        std::vector{DueRestart{kWeb, Wall("2026-11-28T04:00"), true}});
  CHECK(times.NextOf(kWeb) == Wall("2026-12-05T04:00"));
  // Taken up by a slcd that was away.
  RestartTimes later = DailyAtFour("2026-11-26T16:00");
  CHECK(later.Pass(Wall("2026-11-27T09:00"))[0].missed);
}

TEST_CASE("Restart times: a clock that is put back a little brings nothing twice") {
  RestartTimes times = DailyAtFour("2026-11-26T16:00");
  CHECK(times.Pass(Wall("2026-11-27T04:00")).size() == 1);
  CHECK(times.Pass(Wall("2026-11-27T03:10")).empty());
  CHECK(times.NextOf(kWeb) == Wall("2026-11-28T04:00"));
  CHECK(times.Pass(Wall("2026-11-27T04:00")).empty());
  // By years: it was wrong before.
  CHECK(times.Pass(Wall("2016-11-27T03:00")).empty());
  CHECK(times.Pass(Wall("2016-11-27T04:00")).size() == 1);
}

TEST_CASE("Restart times: new rules of a zone count from the next time on") {
  RestartTimes times = DailyAtFour("2026-11-26T16:00");
  const auto east = TimeZone::FromRule("<+02>-2");
  REQUIRE(east);
  times.SetZone(kWeb, *east);
  CHECK(times.NextOf(kWeb) == Wall("2026-11-27T02:00"));
  CHECK(times.ZoneOf(kWeb)->Format(*times.NextOf(kWeb)) == "2026-11-27T04:00:00+02:00");
}

TEST_CASE("Restart times: whatever the clock does, a day has one restart, or one that is missed") {
  RunHistories(500, [](Random& random) -> std::string {
    RestartTimes times = DailyAtFour("2026-11-26T16:00");
    Millis now = Wall("2026-11-26T16:00");
    Millis latest = now;
    Millis last = 0;
    for (int i = 0; i < 200; ++i) {
      now += random.Chance(20) ? random.Between(-2 * kHour, kDay) : random.Between(0, kHour);
      // Behind all that has been by 3 h at most: further back, the days begin anew.
      now = std::max(now, latest - 2 * kHour);
      latest = std::max(latest, now);
      for (const DueRestart& due : times.Pass(now)) {
        if (due.due > now) return "a time that has not come";
        if (due.missed != (now - due.due > RestartTimes::kLatest)) return "wrongly missed";
        if (due.due <= last) return "a time came twice";
        last = due.due;
      }
      const auto next = times.deadline();
      if (!next || *next <= now) return "a time is due that was not given out";
      if (*next > latest + kDay) return "a time was left out";
    }
    return {};
  });
}

}  // namespace slc
