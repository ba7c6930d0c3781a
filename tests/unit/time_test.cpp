#include "common/base/time.h"

#include <limits>

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("Times are written in one form and read in all that a person may use") {
  struct Row {
    const char* text;
    Millis wall;
  };
  constexpr Millis kDay = 86'400'000;
  for (const Row& row : {
           Row{"1970-01-01T00:00:00.000Z", 0},
           Row{"1970-01-02", kDay},
           Row{"1970-01-02Z", kDay},
           Row{"1970-01-02T03:04", kDay + 3 * 3'600'000 + 4 * 60'000},
           Row{"1970-01-02T03:04Z", kDay + 3 * 3'600'000 + 4 * 60'000},
           Row{"1970-01-02T03:04:05", kDay + 3 * 3'600'000 + 4 * 60'000 + 5000},
           Row{"1970-01-02T03:04:05.678Z", kDay + 3 * 3'600'000 + 4 * 60'000 + 5678},
           Row{"1970-01-02T03:04:05.6", kDay + 3 * 3'600'000 + 4 * 60'000 + 5600},
           Row{"1970-01-02T03:04:05.67", kDay + 3 * 3'600'000 + 4 * 60'000 + 5670},
           Row{"1970-01-02T03:04:05.678999Z", kDay + 3 * 3'600'000 + 4 * 60'000 + 5678},
           Row{"2000-02-29", 11'016 * kDay},
           Row{"2026-11-22T17:16:38.688Z", 1'795'367'798'688},
       }) {
    CAPTURE(row.text);
    CHECK(ParseIso(row.text) == row.wall);
  }
  CHECK(FormatIso(1'795'367'798'688) == "2026-11-22T17:16:38.688Z");
  CHECK(FormatIso(0) == "1970-01-01T00:00:00.000Z");
  CHECK(FormatIso(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(FormatIso(-86'400'000) == "1969-12-31T00:00:00.000Z");
  CHECK(FormatIso(std::numeric_limits<Millis>::min()).size() == 24);
}

TEST_CASE("What is no time is not taken for one") {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-11",
                           "2026-11-2",
                           "2026-1-22",
                           " 2026-11-22",
                           "+026-11-22",
                           "2026-11-22 ",
                           "2026-11-22T",
                           "2026-11-22T17",
                           "2026-11-22T17:1",
                           "2026-11-22T1:16",
                           "2026-11-22T17:16:",
                           "2026-11-22T17:16:3",
                           "2026-11-22T17:16:38.",
                           "2026-11-22T17:16:38.x",
                           "2026-11-22T17:16:38,688Z",
                           "2026-11-22T17:16:38+01:00",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-01-00",
                           "2026-01-32",
                           "2026-02-29",
                           "2026-04-31",
                           "1900-02-29",
                           "2026-11-22T24:00",
                           "2026-11-22T23:60",
                           "2026-11-22T23:59:60",
                           "2026-11-22t17:16",
                           "2026-11-22T17:16zz",
                           "2026-11--2",
                           "2026-11-22T17:-6",
                           "12026-11-22"}) {
    CAPTURE(text);
    CHECK(ParseIso(text) == -1);
  }
}

TEST_CASE("Every millisecond of a few years comes back") {
  for (Millis wall = 0; wall < 20LL * 365 * 86'400'000; wall += 86'399'983) {
    if (ParseIso(FormatIso(wall)) != wall) FAIL(FormatIso(wall));
  }
}

TEST_CASE("Durations") {
  struct Row {
    const char* text;
    Millis span;
  };
  for (const Row& row : {Row{"0", 0},
                         Row{"850", 850},
                         Row{"850ms", 850},
                         Row{"30s", 30'000},
                         Row{"2m", 120'000},
                         Row{"2min", 120'000},
                         Row{"1h", 3'600'000},
                         Row{"7d", 604'800'000},
                         Row{"1000000000000", 1'000'000'000'000},
                         Row{"", -1},
                         Row{"s", -1},
                         Row{"-1s", -1},
                         Row{"+1s", -1},
                         Row{"1.5s", -1},
                         Row{"1 s", -1},
                         Row{" 1s", -1},
                         Row{"1s ", -1},
                         Row{"1S", -1},
                         Row{"1w", -1},
                         Row{"0x10", -1},
                         Row{"1e3", -1},
                         Row{"1000000000000d", -1},
                         Row{"9223372036854775807", -1},
                         Row{"99999999999999999999", -1}}) {
    CAPTURE(row.text);
    CHECK(ParseDuration(row.text) == row.span);
  }
}

TEST_CASE("Spans are shown with two parts at most") {
  struct Row {
    Millis span;
    const char* text;
  };
  for (const Row& row :
       {Row{-5, "0.0 s"}, Row{0, "0.0 s"}, Row{49, "0.0 s"}, Row{3299, "3.2 s"}, Row{9999, "9.9 s"},
        Row{10'000, "10 s"}, Row{59'999, "59 s"}, Row{60'000, "1m0s"}, Row{3'599'999, "59m59s"},
        Row{3'600'000, "1h0m"}, Row{86'399'999, "23h59m"}, Row{86'400'000, "1d0h"},
        Row{100LL * 86'400'000, "100d0h"}}) {
    CHECK(FormatSpan(row.span) == row.text);
  }
  CHECK_FALSE(FormatSpan(std::numeric_limits<Millis>::max()).empty());
}

TEST_CASE("The clock of decisions goes on, the clock of people is of this age") {
  const Millis before = BootNow();
  CHECK(before > 0);
  CHECK(BootNow() >= before);
  CHECK(WallNow() > ParseIso("2024-01-01"));
}

}  // namespace slc
