// The wall clock of slcd and masters jumps by years: nothing that is decided by time notices.
#include <cstdint>
#include <cstdlib>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/journal.h"
#include "tests/faults/cpu_watch.h"
#include "tests/faults/faults.h"
#include "tests/faults/wall_clock.h"

using namespace slc;
using namespace slc::test;

namespace {

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
  world.Must({"ctl", "env-set", app.name, "--no-restart", "MARK=" + mark});
  const auto lines = LinesOf(ReadText(world.home() + "/" + kJournalFile));
  REQUIRE_FALSE(lines.empty());
  const auto record = DecodeJournalLine(lines.back());
  REQUIRE(record);
  CHECK(std::abs(record->time - WallNow() - offset * 1000) < kHalfAnHour);
}

}  // namespace

TEST_SUITE("clock") {
  TEST_CASE("the wall clock jumps by hours and years") {
    constexpr std::int64_t kHour = 3600;
    constexpr std::int64_t kYear = 365 * 24 * kHour;
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
}
