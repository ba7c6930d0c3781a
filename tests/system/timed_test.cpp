// --restart-at: soft restarts at the times of a schedule, by a wall clock that the test sets.
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/faults/wall_clock.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

constexpr const char* kApp =
    "require('http').createServer((_, res) => res.end(String(process.pid)))"
    ".listen(process.env.PORT);";
constexpr std::int64_t kHour = 3600;

// How far off a clock is that shows `time` now, in seconds.
std::int64_t OffsetTo(const char* time) { return (ParseIso(time) - WallNow()) / 1000; }

// The records of `kind`, if there are that many; else none.
std::vector<json> OfKind(World& world, const std::string& kind) {
  std::vector<json> some;
  for (const std::string& line : LinesOf(world.Must({"events", "--json", "-n", "1000"}).out)) {
    json event = json::parse(line);
    if (event["kind"] == kind) some.push_back(std::move(event));
  }
  return some;
}

std::vector<json> BySchedule(World& world) {
  std::vector<json> some;
  for (json& event : OfKind(world, "change")) {
    if (event["who"].value("cause", "") == "schedule") some.push_back(std::move(event));
  }
  return some;
}

// What says that the clock was set, to the same time. False where that is not allowed.
bool TouchClock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return ::clock_settime(CLOCK_REALTIME, &now) == 0;
}

}  // namespace

TEST_SUITE("timed") {
  TEST_CASE("a service is soft-restarted when its time comes, by the clock of its place") {
    World world;
    WallClock clock(world);
    // 04:00 in Berlin in summer.
    clock.Set(OffsetTo("2027-07-10T01:59:56Z"));
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    world.Must({"start", folder, "--name", "web", "--size", "1", "--restart-at",
                "CRON_TZ=Europe/Berlin 0 4 * * *"});
    const int before = world.ReadyPids("web").at(0);
    const ServiceView first = world.View("web");
    CHECK(first.restart_at == "CRON_TZ=Europe/Berlin 0 4 * * *");
    CHECK(first.next_restart_text == "2027-07-10T04:00:00+02:00");
    CHECK(Contains(world.Must({"ctl", "status", "web"}).out,
                   "Soft restart: at 'CRON_TZ=Europe/Berlin 0 4 * * *', next "
                   "2027-07-10T04:00:00+02:00"));
    world.WaitForSuccessor("web", before, 1);
    std::vector<json> records;
    WaitUntil(
        [&] {
          records = BySchedule(world);
          return records.size() == 2;
        },
        10'000, "the record that it is done");
    CHECK(records[0]["result"] == "accepted");
    CHECK(records[1]["result"] == "ok");
    CHECK(records[1]["verb"] == "soft-restart");
    CHECK(Contains(records[0]["text"], "due 2027-07-10T04:00:00+02:00"));
    CHECK(Contains(world.Must({"events"}).out, "by schedule"));
    const ServiceView after = world.View("web");
    CHECK(after.generation == first.generation + 1);
    CHECK(after.next_restart_text == "2027-07-11T04:00:00+02:00");

    // While it is stopped there is no time.
    world.Must({"ctl", "stop", "web"});
    CHECK(world.View("web").next_restart == 0);
    world.Must({"ctl", "start", "web"});
    WaitUntil([&] { return world.View("web").next_restart > 0; }, 5'000, "the next time");
    world.Must({"start", folder, "--name", "web", "--restart-at", "none"});
    CHECK(world.View("web").restart_at.empty());
    CHECK(world.View("web").next_restart == 0);
  }

  TEST_CASE("services of the same time are soft-restarted one after the other") {
    World world;
    WallClock clock(world);
    clock.Set(OffsetTo("2027-07-10T03:59:50Z"));
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    for (const char* name : {"one", "two", "three"}) {
      world.Must({"start", folder, "--name", name, "--size", "1", "--restart-at",
                  "CRON_TZ=UTC 0 4 * * *"});
    }
    std::vector<json> records;
    WaitUntil(
        [&] {
          records = BySchedule(world);
          return records.size() == 6;
        },
        30'000, "the records that all are done");
    std::vector<Millis> begun;
    for (const json& record : records) {
      if (record["result"] == "accepted")
        begun.push_back(ParseIso(record["time"].get<std::string>()));
    }
    REQUIRE(begun.size() == 3);
    // A second apart by the timer; the clock of the records has milliseconds.
    CHECK(begun[1] - begun[0] >= 990);
    CHECK(begun[2] - begun[1] >= 990);
  }

  TEST_CASE("a time that passes without slcd is told and not made up for") {
    World world;
    WallClock clock(world);
    clock.Set(OffsetTo("2027-01-10T03:00:00Z"));
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    world.Must(
        {"start", folder, "--name", "web", "--size", "1", "--restart-at", "CRON_TZ=UTC 0 4 * * *"});
    const auto pids = world.ReadyPids("web");
    world.KillDaemon();
    clock.Set(OffsetTo("2027-01-10T05:00:00Z"));
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return OfKind(world, "schedule_missed").size() == 1; }, 10'000,
              "the missed time");
    CHECK(Contains(OfKind(world, "schedule_missed")[0]["text"], "due 2027-01-10T04:00:00+00:00"));
    CHECK(Contains(world.Must({"why", "web"}).out, "scheduled soft restart missed"));
    CHECK(world.View("web").next_restart_text == "2027-01-11T04:00:00+00:00");
    CHECK(world.ReadyPids("web") == pids);
    // It is told once: the next slcd knows that this one has been there.
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.View("web").next_restart > 0; }, 10'000, "the next time");
    CHECK(OfKind(world, "schedule_missed").size() == 1);
  }

  TEST_CASE("a clock that is set is noticed at once") {
    World world;
    WallClock clock(world);
    clock.Set(OffsetTo("2027-01-10T03:00:00Z"));
    if (!TouchClock()) {
      MESSAGE("skipped: the clock may not be set here");
      return;
    }
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    world.Must(
        {"start", folder, "--name", "web", "--size", "1", "--restart-at", "CRON_TZ=UTC 0 4 * * *"});
    WaitUntil([&] { return world.View("web").next_restart > 0; }, 10'000, "the next time");
    const int before = world.ReadyPids("web").at(0);
    // Over by half a minute: late, and in time.
    clock.Set(OffsetTo("2027-01-10T04:00:30Z"));
    REQUIRE(TouchClock());
    world.WaitForSuccessor("web", before, 1);
    const auto pids = world.ReadyPids("web");
    clock.Set(OffsetTo("2027-01-11T04:00:00Z") + kHour);
    REQUIRE(TouchClock());
    WaitUntil([&] { return OfKind(world, "schedule_missed").size() == 1; }, 10'000,
              "the missed time");
    CHECK(world.ReadyPids("web") == pids);
    // Back by an hour: not again.
    clock.Set(OffsetTo("2027-01-11T03:59:50Z"));
    REQUIRE(TouchClock());
    WaitUntil([&] { return world.View("web").next_restart_text == "2027-01-12T04:00:00+00:00"; },
              10'000, "the next day's time");
  }

  TEST_CASE("a broken version fails at its time as it does by hand") {
    World world;
    WallClock clock(world);
    clock.Set(OffsetTo("2027-01-10T03:59:56Z"));
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    world.Must(
        {"start", folder, "--name", "web", "--size", "1", "--restart-at", "CRON_TZ=UTC 0 4 * * *"});
    const auto pids = world.ReadyPids("web");
    WriteText(folder + "/app.js", "throw new Error('broken');");
    std::vector<json> records;
    WaitUntil(
        [&] {
          records = BySchedule(world);
          return records.size() == 2;
        },
        40'000, "the record that it has failed");
    CHECK(records[1]["result"] == "not_ready");
    CHECK(Contains(world.Must({"why", "web"}).out, "schedule:"));
    CHECK(world.ReadyPids("web") == pids);
    CHECK(world.View("web").next_restart_text == "2027-01-11T04:00:00+00:00");
  }

  TEST_CASE("a schedule that is none is refused with its field") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    const auto refusal = [&](const std::string& schedule) {
      const Ran ran = world.Slc({"start", folder, "--restart-at", schedule});
      CHECK(ran.code == 2);
      return ran.err;
    };
    CHECK(Contains(refusal("0 25 * * *"), "hour: '25' is none of 0-23"));
    CHECK(Contains(refusal("0 4 * *"), "4 fields instead of five"));
    CHECK(Contains(refusal("CRON_TZ=Europe/Berlim 0 4 * * *"),
                   "there is no time zone 'Europe/Berlim'"));
    CHECK(Contains(refusal("CRON_TZ=../../etc/passwd 0 4 * * *"), "is no name of a time zone"));
  }
}
