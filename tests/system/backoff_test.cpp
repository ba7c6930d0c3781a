// Keeping alive: restarts, back-off, the restart policy.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

namespace {

const char* const kCrash = "setTimeout(() => { throw new Error('on the rocks'); }, 20);";

// How often the workers of a slot ended unasked.
unsigned Restarts(const ServiceView& view, SlotNumber slot) {
  for (const SlotView& idle : view.idle_slots) {
    if (idle.slot == slot) return idle.restarts;
  }
  for (const ProcessView& process : view.processes) {
    if (process.slot == slot && process.worker != 0) return process.restarts;
  }
  return 0;
}

// The pause before the try after `failures` failures, at its shortest.
Millis ShortestPause(unsigned failures) {
  return static_cast<Millis>(0.8 * 100 * std::pow(2, failures - 1));
}

std::string StartCrashing(World& world, const Words& options = {}) {
  const std::string folder = world.MakeFolder("rocks", {{"app.js", kCrash}});
  Words words{"start", folder, "--port", std::to_string(FreePort())};
  words.insert(words.end(), options.begin(), options.end());
  CHECK(world.Slc(words).code == 1);
  return folder;
}

}  // namespace

TEST_SUITE("backoff") {
  TEST_CASE("a worker that was killed is replaced") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const auto before = world.ReadyPids(app.name);
    Kill(*IdentifyProcess(before[0]));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 2 && std::find(now.begin(), now.end(), before[0]) == now.end();
        },
        20'000, "its successor");
    CHECK(world.View(app.name).state == "running");
    const auto after = world.ReadyPids(app.name);
    CHECK(std::find(after.begin(), after.end(), before[1]) != after.end());
  }

  TEST_CASE("an update of a service of which nothing serves: the newest version is tried again") {
    World world;
    const auto occupy = [&](int port) {
      Running holder = world.BeginProgram({"python3", "-m", "http.server", std::to_string(port)});
      WaitUntil([&] { return FindPortHolder(static_cast<std::uint16_t>(port)).has_value(); },
                10'000, "the port to be taken");
      return holder;
    };
    const int first = FreePort();
    const Running first_holder = occupy(first);
    const int second = FreePort();
    std::optional<Running> second_holder(occupy(second));
    for (const int port : {first, second}) {
      const Ran ran = world.Slc({"start", SourcePath("tests/apps/plain/server.js"), "--name",
                                 "busy", "--size", "1", "--port", std::to_string(port)});
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "port " + std::to_string(port) + " is in use"), ran.err);
    }
    const ServiceView view = world.WaitForState("busy", "backoff");
    CHECK_MESSAGE(Contains(view.reason, "port " + std::to_string(second) + " is in use"),
                  view.reason);
    // What is advised there helps.
    second_holder.reset();
    world.WaitForState("busy", "running");
    CHECK(world.View("busy").generation == 2);
    CHECK(world.View("busy").port == second);
  }

  TEST_CASE(
      "a crash-looping service is in back-off, with the reason and the time of the next try") {
    World world;
    StartCrashing(world, {"--size", "2"});
    ServiceView view;
    WaitUntil(
        [&] {
          view = world.View("rocks");
          return view.state == "backoff" && !view.idle_slots.empty() &&
                 view.idle_slots[0].retry_in > 500;
        },
        20'000, "a pause of half a second");
    CHECK(Contains(view.reason, "exit code 1: Error: on the rocks"));
    CHECK(Contains(view.reason, "next try in "));
    CHECK(view.idle_slots[0].state == "backoff");
    CHECK(view.idle_slots[0].retry_in <= 30'000 * 6 / 5);
    const std::string status = world.Must({"ctl", "status", "rocks"}).out;
    CHECK(Contains(status, "\nState: backoff"));
    CHECK(Contains(status, "next try in "));
    CHECK(Contains(status, "Error: on the rocks"));
  }

  TEST_CASE("the status line of a service in back-off names the next try once") {
    World world;
    StartCrashing(world, {"--size", "1"});
    WaitUntil([&] { return Restarts(world.View("rocks"), 1) >= 4; }, 20'000, "four crashes");
    for (const std::string& line : LinesOf(world.Must({"ctl", "status", "rocks"}).out)) {
      if (!StartsWith(line, "State: ")) continue;
      const std::size_t first = line.find("next try in ");
      REQUIRE_MESSAGE(first != std::string::npos, line);
      CHECK_MESSAGE(line.find("next try in ", first + 1) == std::string::npos, line);
    }
  }

  TEST_CASE("the pauses double: at most twelve starts per slot in a minute") {
    World world;
    const Millis start = BootNow();
    StartCrashing(world, {"--size", "1"});
    // Twelve in a minute would need pauses of 5 s; after six crashes they are 3.2 s at 100 ms
    // doubled.
    constexpr unsigned kCrashes = 6;
    WaitUntil([&] { return Restarts(world.View("rocks"), 1) >= kCrashes; }, 30'000, "six crashes");
    Millis pauses = 0;
    for (unsigned failures = 1; failures < kCrashes; ++failures) pauses += ShortestPause(failures);
    CHECK(BootNow() - start >= pauses);
    const ServiceView view = world.View("rocks");
    if (view.idle_slots.size() == 1) CHECK(view.idle_slots[0].retry_in > 2'000);
  }

  TEST_CASE("when every slot crashes one probe at a time tries") {
    World world;
    StartCrashing(world, {"--size", "4"});
    WaitUntil(
        [&] {
          const ServiceView view = world.View("rocks");
          const auto starting =
              std::count_if(view.processes.begin(), view.processes.end(),
                            [](const ProcessView& each) { return each.state == "starting"; });
          unsigned crashes = 0;
          bool all_failed = true;
          for (SlotNumber slot = 1; slot <= 4; ++slot) {
            crashes += Restarts(view, slot);
            all_failed = all_failed && Restarts(view, slot) > 0;
          }
          if (all_failed) CHECK(starting <= 1);
          return crashes >= 9;
        },
        30'000, "nine crashes");
  }

  TEST_CASE("other services are not disturbed") {
    World world;
    const App good = world.StartApp("express4", {"--size", "2", "--name", "good"});
    const auto pids = world.ReadyPids("good");
    LoadClient load(world, {"name=good,connections=2,rate=100,url=" + good.url()});
    StartCrashing(world, {"--size", "2"});
    WaitUntil(
        [&] { return Restarts(world.View("rocks"), 1) + Restarts(world.View("rocks"), 2) >= 6; },
        30'000, "six crashes");
    const LoadReport report = load.Stop();
    INFO(report.text);
    CHECK(report.passed);
    CHECK(world.ReadyPids("good") == pids);
  }

  TEST_CASE("it recovers by itself once the app is mended") {
    World world;
    const std::string folder = StartCrashing(world, {"--size", "2"});
    WaitUntil([&] { return Restarts(world.View("rocks"), 1) >= 3; }, 20'000, "three crashes");
    WriteText(folder + "/app.js", kMirror);
    const ServiceView view = world.WaitForState("rocks", "running");
    CHECK(view.reason == "");
    CHECK(view.idle_slots.empty());
    CHECK(world.ReadyPids("rocks").size() == 2);
  }

  TEST_CASE("stop, restart and set-size of a service in back-off happen at once") {
    World world;
    const std::string folder = StartCrashing(world, {"--size", "2"});
    WaitUntil([&] { return Restarts(world.View("rocks"), 1) >= 5; }, 20'000, "five crashes");
    world.Must({"ctl", "stop", "rocks"});
    CHECK(world.View("rocks").state == "stopped");
    WriteText(folder + "/app.js", kMirror);
    const Ran start = world.Must({"ctl", "start", "rocks"});
    CHECK(start.took < 5'000);
    CHECK(world.ReadyPids("rocks").size() == 2);
  }

  TEST_CASE("a worker that had lived for --min-uptime is replaced at once, again and again") {
    World world;
    const App app = world.StartApp("express4", {"--size", "1", "--min-uptime", "0"});
    const Millis start = BootNow();
    constexpr unsigned kCrashes = 7;
    for (unsigned i = 1; i <= kCrashes; ++i) {
      WaitUntil([&] { return Get(app.url("/exit?code=1")).status == 202; }, 20'000,
                "a worker to end");
      WaitUntil([&] { return Restarts(world.View(app.name), 1) == i; }, 20'000, "its end");
    }
    WaitUntil([&] { return world.ReadyPids(app.name).size() == 1; }, 20'000, "the last successor");
    // In back-off it would have waited this long.
    Millis pauses = 0;
    for (unsigned failures = 1; failures <= kCrashes; ++failures) pauses += ShortestPause(failures);
    CHECK(BootNow() - start < pauses);
  }

  TEST_CASE("--restart always takes exit code 0 of a worker nobody asked to exit for a crash") {
    World world;
    const App app = world.StartApp("express4", {"--size", "1"});
    const int before = world.ReadyPids(app.name).at(0);
    Get(app.url("/exit?code=0"));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 1 && now[0] != before;
        },
        20'000, "the successor");
    CHECK(Restarts(world.View(app.name), 1) == 1);
  }

  TEST_CASE("--restart on-failure replaces a worker that failed and lets one go that is done") {
    World world;
    const App app = world.StartApp("express4", {"--size", "2", "--restart", "on-failure"});
    const auto before = world.ReadyPids(app.name);
    Get(app.url("/exit?code=1"));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 2 && now != before;
        },
        20'000, "the successor of the one that failed");
    Get(app.url("/exit?code=0"));
    WaitUntil(
        [&] {
          const auto view = world.View(app.name);
          return view.idle_slots.size() == 1 && view.idle_slots[0].state == "finished";
        },
        20'000, "the one that is done to be gone");
    CHECK(world.ReadyPids(app.name).size() == 1);
    Get(app.url("/exit?code=0"));
    world.WaitForState(app.name, "finished");
    CHECK(world.ReadyPids(app.name).empty());
  }

  TEST_CASE("--restart never starts no worker twice") {
    World world;
    const App app = world.StartApp("express4", {"--size", "1", "--restart", "never"});
    Get(app.url("/exit?code=1"));
    const ServiceView view = world.WaitForState(app.name, "finished");
    REQUIRE(view.idle_slots.size() == 1);
    CHECK(view.idle_slots[0].state == "finished");
    CHECK(Contains(view.idle_slots[0].reason, "exit code 1"));
    world.Must({"ctl", "restart", app.name});
    CHECK(Get(app.url("/")).status == 200);
  }

  TEST_CASE("back-off costs little: under 5 % of a core, the app's boots included") {
    World world;
    StartCrashing(world, {"--size", "2"});
    WaitUntil(
        [&] { return Restarts(world.View("rocks"), 1) + Restarts(world.View("rocks"), 2) >= 8; },
        60'000, "eight crashes");
    // From here on a probe boots every 3 s or less often. slcd and the master do next to nothing;
    // the kernel adds to the master what its workers had used when they ended.
    const auto ticks = [&] {
      constexpr std::size_t kUser = 14 - 3;  // of itself; then system, and both of its children
      std::uint64_t sum = 0;
      for (const ProcessIdentity& each : world.Supervisors()) {
        const std::string stat = ReadText("/proc/" + std::to_string(each.pid) + "/stat");
        const auto fields = Split(std::string_view(stat).substr(stat.rfind(')') + 2), ' ');
        for (std::size_t i = kUser; i < kUser + 4; ++i) sum += std::stoull(fields.at(i));
      }
      return sum;
    };
    const std::uint64_t before = ticks();
    const Millis start = BootNow();
    const unsigned crashes = Restarts(world.View("rocks"), 1) + Restarts(world.View("rocks"), 2);
    WaitUntil(
        [&] {
          const ServiceView view = world.View("rocks");
          return Restarts(view, 1) + Restarts(view, 2) > crashes;
        },
        60'000, "another crash");
    const double seconds = static_cast<double>(BootNow() - start) / 1000;
    const double used =
        static_cast<double>(ticks() - before) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    MESSAGE(used, " s of CPU in ", seconds, " s");
    // Sanitizers cost a multiple: then it is not our programs that are measured.
    if (std::getenv("ASAN_OPTIONS") != nullptr) return;
    // Ticks are 10 ms: one too many at either end.
    CHECK(used < 0.05 * seconds + 0.02);
  }
}
