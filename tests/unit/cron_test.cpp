#include "common/base/cron.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/calendar.h"
#include "common/base/text.h"
#include "tests/unit/histories.h"

namespace slc {
namespace {

const char* const kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";

TimeZone Zone(const std::string& rule) {
  const auto zone = TimeZone::FromRule(rule);
  REQUIRE(zone);
  return *zone;
}

std::string NextOf(const std::string& expression, const std::string& after,
                   const std::string& rule = "UTC0") {
  const auto schedule = CronSchedule::Parse(expression);
  if (!schedule) return schedule.error().message;
  const TimeZone zone = Zone(rule);
  const auto next = schedule->Next(ParseIso(after), zone);
  return next ? zone.Format(*next).substr(0, 16) : "never";
}

std::string Refusal(const std::string& expression) {
  const auto schedule = CronSchedule::Parse(expression);
  return schedule ? "taken" : schedule.error().message;
}

}  // namespace

TEST_CASE("Cron: the next time of an expression") {
  struct Row {
    const char* expression;
    const char* after;
    const char* next;
  };
  for (const Row& row : {
           Row{"0 4 * * *", "2026-11-26T16:00:00Z", "2026-11-27T04:00"},
           Row{"0 4 * * *", "2026-11-27T03:59:59.999Z", "2026-11-27T04:00"},
           Row{"0 4 * * *", "2026-11-27T04:00:00Z", "2026-11-28T04:00"},
           Row{"*/15 * * * *", "2026-11-27T04:01:00Z", "2026-11-27T04:15"},
           Row{"5-20/7 * * * *", "2026-11-27T04:13:00Z", "2026-11-27T04:19"},
           Row{"  5,10\t* * * *  ", "2026-11-27T04:05:00Z", "2026-11-27T04:10"},
           Row{"30 22 * * fri", "2026-11-26T16:00:00Z", "2026-11-27T22:30"},
           Row{"30 22 * * 7", "2026-11-26T16:00:00Z", "2026-11-29T22:30"},
           Row{"30 22 * * Sat-Sun", "2026-11-28T23:00:00Z", "2026-11-29T22:30"},
           Row{"0 0 * * sun-tue", "2026-11-26T16:00:00Z", "2026-11-29T00:00"},
           Row{"0 0 1 JAN *", "2026-11-26T16:00:00Z", "2027-01-01T00:00"},
           // Either of the days, as neither is *.
           Row{"0 0 13 * fri", "2026-11-26T16:00:00Z", "2026-11-27T00:00"},
           Row{"0 0 13 * fri", "2026-12-12T16:00:00Z", "2026-12-13T00:00"},
           // Both of them.
           Row{"0 0 */2 * fri", "2026-11-26T16:00:00Z", "2026-11-27T00:00"},
           Row{"0 0 */2 * fri", "2026-11-27T16:00:00Z", "2026-12-11T00:00"},
           Row{"0 0 29 2 *", "2026-11-26T16:00:00Z", "2028-02-29T00:00"},
           Row{"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00"},
           Row{"0 0 29 2 */7", "2072-03-01T00:00:00Z", "2088-02-29T00:00"},
           Row{"0 0 31 * *", "2026-11-26T16:00:00Z", "2026-12-31T00:00"},
           Row{"@hourly", "2026-11-26T16:00:00Z", "2026-11-26T17:00"},
           Row{"@daily", "2026-11-26T16:00:00Z", "2026-11-27T00:00"},
           Row{"@midnight", "2026-11-26T16:00:00Z", "2026-11-27T00:00"},
           Row{"@weekly", "2026-11-26T16:00:00Z", "2026-11-29T00:00"},
           Row{"@monthly", "2026-11-26T16:00:00Z", "2026-12-01T00:00"},
           Row{"@yearly", "2026-11-26T16:00:00Z", "2027-01-01T00:00"},
           Row{"@annually", "2026-11-26T16:00:00Z", "2027-01-01T00:00"},
       }) {
    CAPTURE(row.expression);
    CAPTURE(row.after);
    CHECK(NextOf(row.expression, row.after) == row.next);
  }
}

TEST_CASE("Cron: what is wrong is told with its field and what is allowed") {
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {"", "0 fields instead of five"},
           {"0 4 * *", "4 fields instead of five"},
           {"0 0 4 * * *", "6 fields instead of five"},
           {"60 * * * *", "minute: '60' is none of 0-59"},
           {"-1 * * * *", "minute: '-1' is none of 0-59"},
           {"* 24 * * *", "hour: '24' is none of 0-23"},
           {"* * 0 * *", "day of the month: '0' is none of 1-31"},
           {"* * * 13 *", "month: '13' is none of 1-12 or jan-dec"},
           {"* * * january *", "month: 'january' is none of"},
           {"* * * * 8", "day of the week: '8' is none of 0-7"},
           {"* * * * mon-", "day of the week: 'mon-' is none of"},
           {"5/10 * * * *", "write 5-59/10"},
           {"*/0 * * * *", "needs a step of 1 to 59"},
           {"*/ * * * *", "needs a step of 1 to 59"},
           {"*/x * * * *", "needs a step of 1 to 59"},
           {"* 22-4 * * *", "hour: '22-4' runs backwards"},
           {"1,,2 * * * *", "minute: '1,,2' is none of"},
           {"? * * * *", "minute: '?' is none of"},
           {"0 0 30 2 *", "'30' never comes in month '2'"},
           {"0 0 31 2,4,6,9,11 *", "never comes"},
           {"@reboot", "'@reboot' is none of @hourly"},
           {"CRON_TZ= 0 4 * * *", "CRON_TZ= needs a time zone"},
           {"CRON_TZ=Europe/Berlin", "0 fields instead of five"},
           {"0 4 * * * CRON_TZ=UTC", "6 fields"},
           {std::string(600, '*'), "at most 512 bytes"},
           {"\x1b[2J 4 * * *", "\\x1b"},
       }) {
    CAPTURE(row.first);
    const std::string refusal = Refusal(row.first);
    CAPTURE(refusal);
    CHECK(refusal.find(row.second) != std::string::npos);
  }
  const auto with_zone = CronSchedule::Parse("CRON_TZ=Europe/Berlin @daily");
  REQUIRE(with_zone);
  CHECK(with_zone->zone() == "Europe/Berlin");
}

TEST_CASE("Cron: a clock that is put forward or back") {
  // 02:00 becomes 03:00 on 2027-03-28, 03:00 becomes 02:00 on 2027-10-31.
  CHECK(NextOf("30 2 * * *", "2027-03-27T12:00:00Z", kBerlin) == "2027-03-28T03:00");
  CHECK(NextOf("30 2 * * *", "2027-03-28T01:00:00Z", kBerlin) == "2027-03-29T02:30");
  CHECK(NextOf("0,30 2 * * *", "2027-03-27T12:00:00Z", kBerlin) == "2027-03-28T03:00");
  CHECK(NextOf("0,30 2,3 * * *", "2027-03-28T01:00:00Z", kBerlin) == "2027-03-28T03:30");
  CHECK(NextOf("30 2 * * *", "2027-10-30T12:00:00Z", kBerlin) == "2027-10-31T02:30");
  const auto schedule = CronSchedule::Parse("30 2 * * *");
  const TimeZone berlin = Zone(kBerlin);
  const auto first = schedule->Next(ParseIso("2027-10-30T12:00:00Z"), berlin);
  REQUIRE(first);
  CHECK(*first == ParseIso("2027-10-31T00:30:00Z"));
  CHECK(schedule->Next(*first, berlin) == ParseIso("2027-11-01T01:30:00Z"));
  // slcd was started in the hour that comes again.
  CHECK(schedule->Next(ParseIso("2027-10-31T01:10:00Z"), berlin) ==
        ParseIso("2027-11-01T01:30:00Z"));
  // Every half hour is every half hour.
  CHECK(NextOf("30 * * * *", "2027-03-28T00:40:00Z", kBerlin) == "2027-03-28T03:30");
  const auto halves = CronSchedule::Parse("30 * * * *");
  CHECK(halves->Next(ParseIso("2027-10-31T00:30:00Z"), berlin) == ParseIso("2027-10-31T01:30:00Z"));
}

namespace {

// An expression at random, and which values its fields have, told apart from how it is written.
struct Draw {
  std::string text;
  std::vector<std::vector<bool>> fields;
  bool star_day = false;
  bool star_weekday = false;
};

std::string DrawField(Random& random, int low, int high, std::vector<bool>& set) {
  set.assign(static_cast<std::size_t>(high) + 1, false);
  const auto put = [&](int from, int to, int step) {
    for (int value = from; value <= to; value += step) set[static_cast<std::size_t>(value)] = true;
  };
  if (random.Chance(40)) {
    put(low, high, 1);
    return "*";
  }
  if (random.Chance(15)) {
    const int step = static_cast<int>(random.Between(1, high));
    put(low, high, step);
    return "*/" + std::to_string(step);
  }
  std::string text;
  for (int items = static_cast<int>(random.Between(1, 3)); items > 0; --items) {
    const int from = static_cast<int>(random.Between(low, high));
    const int to = random.Chance(50) ? from : static_cast<int>(random.Between(from, high));
    int step = 1;
    text += (text.empty() ? "" : ",") + std::to_string(from);
    if (to > from) text += "-" + std::to_string(to);
    if (to > from && random.Chance(40)) {
      step = static_cast<int>(random.Between(1, high));
      text += "/" + std::to_string(step);
    }
    put(from, to, step);
  }
  return text;
}

Draw DrawExpression(Random& random) {
  Draw draw;
  draw.fields.resize(5);
  const int lows[] = {0, 0, 1, 1, 0};
  const int highs[] = {59, 23, 31, 12, 7};
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string field = DrawField(random, lows[i], highs[i], draw.fields[i]);
    draw.text += (i == 0 ? "" : " ") + field;
    if (i == 2) draw.star_day = field[0] == '*';
    if (i == 4) draw.star_weekday = field[0] == '*';
  }
  if (draw.fields[4][7]) draw.fields[4][0] = true;
  return draw;
}

bool Names(const Draw& draw, std::int64_t local) {
  const std::int64_t days = FloorDivide(local, 86400);
  const Civil date = CivilFromDays(days);
  const std::int64_t minute = (local - days * 86400) / 60;
  const auto has = [&](std::size_t field, std::int64_t value) {
    return static_cast<bool>(draw.fields[field][static_cast<std::size_t>(value)]);
  };
  const bool day = has(2, date.day);
  const bool weekday = has(4, WeekdayOf(days));
  const bool days_fit = draw.star_day || draw.star_weekday ? day && weekday : day || weekday;
  return has(0, minute % 60) && has(1, minute / 60) && has(3, date.month) && days_fit;
}

}  // namespace

TEST_CASE("Cron: the next time is the one a watcher of the clock would find") {
  const std::vector<std::string> rules{
      "UTC0", kBerlin, "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
      "IST-1GMT0,M10.5.0,M3.5.0/1", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
      // More than any zone has ever done: half a day forth and back.
      "AAA0BBB-12,M3.5.0,M10.5.0"};
  RunHistories(1500, [&](Random& random) -> std::string {
    const Draw draw = DrawExpression(random);
    const auto schedule = CronSchedule::Parse(draw.text);
    if (!schedule) return {};
    const TimeZone zone = Zone(rules[random.Below(static_cast<unsigned>(rules.size()))]);
    std::int64_t now = random.Between(0, std::int64_t{100} * 365 * 86400);
    const TimeZone::Span span = zone.At(now);
    if (span.end != TimeZone::kForever && random.Chance(80)) {
      now = span.end + random.Between(-86400, 86400);
    }
    const auto next = schedule->Next(now * 1000, zone);
    const bool every_hour = std::count(draw.fields[1].begin(), draw.fields[1].end(), true) == 24;
    // Looks at the clock each minute, and remembers the latest it has shown.
    std::int64_t shown = TimeZone::kSinceEver;
    const std::int64_t first = FloorDivide(now, 60) * 60;
    for (std::int64_t time = first - 2 * 86400; time <= first; time += 60) {
      shown = std::max(shown, time + zone.At(time).offset);
    }
    for (std::int64_t time = first + 60; time < first + 3 * 86400; time += 60) {
      const std::int64_t local = time + zone.At(time).offset;
      bool comes = every_hour && Names(draw, local);
      for (std::int64_t each = shown + 60; !every_hour && each <= local; each += 60) {
        comes = comes || Names(draw, each);
      }
      shown = std::max(shown, local);
      if (!comes) continue;
      if (next == time * 1000) return {};
      return "'" + draw.text + "' after " + zone.Format(now * 1000) + ": " +
             (next ? zone.Format(*next) : "never") + " instead of " + zone.Format(time * 1000);
    }
    if (next && *next < (first + 3 * 86400) * 1000) {
      return "'" + draw.text + "' after " + zone.Format(now * 1000) + ": " + zone.Format(*next) +
             " is not one of its times";
    }
    return {};
  });
}

}  // namespace slc
