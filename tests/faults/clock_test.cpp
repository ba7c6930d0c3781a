// The wall clock of slcd and masters jumps by years: nothing that is decided by time notices.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/journal.h"
#include "tests/faults/cpu_watch.h"
#include "tests/faults/faults.h"
#include "tests/faults/wall_clock.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;

namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kYear = 365 * 24 * kHour;
// Half of the shortest jump.
constexpr Millis kHalfAnHour = 30 * 60 * 1000;

// Whether a line that holds `text` is dated by the clock that is `offset` seconds off the real one.
bool IsDatedBy(const std::string& log, const std::string& text, std::int64_t offset) {
  for (const std::string& line : LinesOf(log)) {
    if (!Contains(line, text)) continue;
    const Millis date = ParseIso(line.substr(0, line.find(' ')));
    return std::abs(date - WallNow() - offset * 1000) < kHalfAnHour;
  }
  return false;
}

// slcd and the master of `app` go by the clock that is set: that is how they date what is said now.
void CheckInForce(World& world, const App& app, std::int64_t offset) {
  static int marks = 0;
  const std::string mark = "mark" + std::to_string(++marks);
  REQUIRE(Get(app.url("/log?text=" + mark)).status == 200);
  const std::string log = world.log_folder(app.name) + "/out.log";
  WaitUntil([&] { return Contains(ReadText(log), mark + " "); }, 5'000, "the line of the worker");
  CHECK(IsDatedBy(ReadText(log), mark + " ", offset));
  const auto journal = [&] { return LinesOf(ReadText(world.home() + "/" + kJournalFile)); };
  const std::size_t before = journal().size();
  world.Must({"ctl", "env-set", app.name, "--no-restart", "MARK=" + mark});
  // A change is answered before its record is written.
  std::vector<std::string> lines;
  WaitUntil(
      [&] {
        lines = journal();
        return lines.size() > before;
      },
      5'000, "the record of the change");
  const auto record = DecodeJournalLine(lines.back());
  REQUIRE(record);
  CHECK(std::abs(record->time - WallNow() - offset * 1000) < kHalfAnHour);
}

// How much longer or shorter than it should a span may be that is seen by asking slcd: a state that
// is told 100 ms late at most; and once more for the answer and the start of a worker on two busy
// cores.
constexpr Millis kToldLate = 100;
constexpr Millis kSeenLate = 300;

bool HasWorkerThatIs(World& world, const std::string& service, const std::string& state) {
  const ServiceView view = world.View(service);
  return std::any_of(view.processes.begin(), view.processes.end(), [&](const ProcessView& each) {
    return each.worker != 0 && each.state == state;
  });
}

}  // namespace

TEST_SUITE("clock") {
  TEST_CASE("the wall clock jumps by hours and years") {
    World world;
    WallClock clock(world);
    const App app = world.StartApp("express4", {"--size", "2", "--drain-linger", "400ms"});
    const auto pids = world.ReadyPids(app.name);
    const ProcessView master = world.View(app.name).processes[0];
    const Millis begin = BootNow();
    LoadClient load(world, {"name=keep,connections=4,think=0-200,url=" + app.url(),
                            "name=close,mode=close,connections=2,rate=20,url=" + app.url()});
    std::vector<std::int64_t> jumps{2 * kYear, -10 * kYear};
    for (int i = 0; i < 20; ++i) jumps.insert(jumps.end(), {kHour, -kHour});
    Millis slowest = 0;
    const CpuWatch watch({world.Daemon()->pid, master.pid});
    for (const std::int64_t jump : jumps) {
      INFO("jump by ", jump, " s");
      clock.Set(jump);
      CheckInForce(world, app, jump);
      slowest = std::max(slowest, world.Must({"ctl", "ls"}).took);
      LetPass(50);
      CHECK(world.ReadyPids(app.name) == pids);
    }
    const double cpu = watch.Highest();
    const ProcessView after = world.View(app.name).processes[0];
    CHECK(after.pid == master.pid);
    // What each of the two questions may take on a busy machine.
    CHECK(std::abs((after.uptime - master.uptime) - (BootNow() - begin)) <= 200);
    for (const std::int64_t jump : {2 * kYear, -10 * kYear}) {
      INFO("jump by ", jump, " s");
      Running roll = world.Begin({"ctl", "soft-restart", app.name});
      clock.Set(jump);
      CHECK(roll.Wait(20'000).code == 0);
    }
    const LoadReport report = load.Stop();
    MESSAGE(jumps.size(),
            " jumps of the wall clock, by up to ten years: no restart, slc ctl ls answers within ",
            slowest, " ms; slcd's and the master's CPU ", static_cast<int>(cpu * 100), " % at most",
            Figures(report));
    CheckNoneFailed(report);
    // The bound.
    CHECK(cpu < 0.2);
    CHECK(slowest <= 1000);
  }

  TEST_CASE("years off, who answers is left alone and who does not is found out") {
    // slcd pings each 10 s and waits for 2; a second for two busy cores. In the long form also
    // beyond the 15 s after which a master replaces a slcd that is silent.
    const Millis stay = Long() ? 25'000 : 13'000;
    World world;
    WallClock clock(world);
    world.ExpectInLog("has taken over");
    world.ExpectInLog("replacing it");
    const App app = world.StartApp("express4", {"--size", "2"});
    const auto pids = world.ReadyPids(app.name);
    const auto daemon = world.Daemon();
    const auto master = IdentifyProcess(world.MasterPid(app.name));
    REQUIRE(daemon);
    REQUIRE(master);
    const auto stays_years_off = [&](std::int64_t offset) {
      clock.Set(offset);
      const Millis begin = BootNow();
      WaitUntil(
          [&] {
            REQUIRE(world.ReadyPids(app.name) == pids);
            REQUIRE(IdentifyProcess(world.MasterPid(app.name)) == master);
            REQUIRE(world.Daemon() == daemon);
            return BootNow() - begin > stay;
          },
          stay + 5'000, "pings to pass");
      CHECK_FALSE(Contains(world.DaemonLog(), "has taken over"));
    };
    stays_years_off(2 * kYear);
    if (Long()) stays_years_off(-10 * kYear);
    clock.Set(-10 * kYear);
    Kill(*master, SIGSTOP);
    const Millis found_after = AwaitSuccessor(world, app.name, *master);
    MESSAGE("two years off for ", stay,
            " ms: nobody is replaced; ten years off a stopped master is, after ", found_after,
            " ms");
    CHECK(world.ReadyPids(app.name) == pids);
    // Pings and their patience as above; half a second for the successor, and one for two busy
    // cores.
    CHECK(found_after <= 13'500);
  }

  TEST_CASE("a pause before the next try is as long beside a jump") {
    World world;
    WallClock clock(world);
    const std::string folder = world.MakeFolder(
        "rocks", {{"app.js", "setTimeout(() => { throw new Error('on the rocks'); }, 20);"}});
    CHECK(world.Slc({"start", folder, "--size", "1"}).code == 1);
    // Doubled each time, from 100 ms on: one that has a middle.
    constexpr Millis kLongEnough = 1'000;
    Millis most = 0;
    for (const std::int64_t jump : {std::int64_t{0}, 2 * kYear, -10 * kYear}) {
      INFO("jump to ", jump, " s");
      Millis left = 0;
      const auto pause = [&] {
        const ServiceView view = world.View("rocks");
        left = view.idle_slots.empty() ? 0 : view.idle_slots[0].retry_in;
        return left;
      };
      WaitUntil([&] { return pause() > kLongEnough; }, 20'000, "a long pause");
      const Millis due = BootNow() + left;
      WaitUntil([&] { return BootNow() > due - kLongEnough / 2; }, 20'000, "the middle of it");
      clock.Set(jump);
      WaitUntil([&] { return HasWorkerThatIs(world, "rocks", "starting"); }, 20'000,
                "the next try");
      const Millis off = BootNow() - due;
      most = std::max(most, std::abs(off));
      CHECK(off >= -kToldLate);
      CHECK(off <= kToldLate + kSeenLate);
    }
    MESSAGE("pauses of a crash loop with a jump in the middle: off by ", most, " ms at most");
  }

  TEST_CASE("a drain timeout is as long beside a jump") {
    constexpr Millis kDrainTimeout = 2'000;
    World world;
    WallClock clock(world);
    const App app = world.StartApp(
        "express4", {"--size", "1", "--drain-timeout", "2s", "--drain-linger", "200ms"});
    Millis most = 0;
    for (const std::int64_t jump : {std::int64_t{0}, 2 * kYear, -10 * kYear}) {
      INFO("jump to ", jump, " s");
      RawConnection socket(app.port);
      REQUIRE(
          socket.Send("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                      "Upgrade: echo\r\n\r\n"));
      REQUIRE(socket.WaitFor("101 Switching Protocols"));
      Running roll = world.Begin({"ctl", "soft-restart", app.name});
      WaitUntil([&] { return HasWorkerThatIs(world, app.name, "draining"); }, 20'000,
                "a worker that drains");
      const Millis begin = BootNow();
      WaitUntil([&] { return BootNow() - begin > kDrainTimeout / 2; }, 5'000, "half of its time");
      clock.Set(jump);
      REQUIRE(socket.WaitForEnd(10'000));
      const Millis off = BootNow() - begin - kDrainTimeout;
      most = std::max(most, std::abs(off));
      CHECK(socket.end() == "FIN");
      CHECK(off >= -kToldLate);
      CHECK(off <= kToldLate + kSeenLate);
      CHECK(roll.Wait().code == 0);
    }
    MESSAGE("drain timeouts with a jump in the middle: off by ", most, " ms at most");
  }
}
