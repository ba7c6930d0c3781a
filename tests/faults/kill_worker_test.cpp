// SIGKILL to workers: only requests in flight on that worker fail, and its slot is filled at once.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <limits>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

// How long the workers of this log took from "started worker N" to "worker N ... is ready".
std::vector<Millis> Boots(const std::string& log) {
  std::map<std::string, Millis> started;
  std::vector<Millis> boots;
  for (const std::string& line : LinesOf(log)) {
    const Millis at = ParseIso(line.substr(0, line.find(' ')));
    const auto words = Split(line, ' ');
    const auto word = std::find(words.begin(), words.end(), "worker");
    if (at < 0 || word == words.end() || word + 1 == words.end()) continue;
    if (Contains(line, "supervisor started worker")) started[*(word + 1)] = at;
    if (EndsWith(line, "is ready") && started.count(*(word + 1)) > 0) {
      boots.push_back(at - started[*(word + 1)]);
    }
  }
  return boots;
}

// Sockets to clients that this process has open. Not what was sent to it and it has not taken.
std::int64_t CountClients(pid_t pid, std::uint16_t port) {
  std::set<std::string> own;
  for (const std::string& target : DescriptorTargets(pid)) {
    if (StartsWith(target, "socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  char hex[8];
  std::snprintf(hex, sizeof(hex), ":%04X", port);
  std::int64_t count = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const std::string& line : LinesOf(ReadText(table))) {
      std::istringstream words(line);
      std::vector<std::string> fields;
      for (std::string word; words >> word;) fields.push_back(word);
      // Its number, local and remote address, state, ... and inode; all but those that listen.
      if (fields.size() > 9 && EndsWith(fields[1], hex) && fields[3] != "0A" &&
          own.count(fields[9]) > 0) {
        ++count;
      }
    }
  }
  return count;
}

bool IsStopped(pid_t pid) {
  return Contains(ReadText("/proc/" + std::to_string(pid) + "/status"), "State:\tT");
}

struct Blow {
  Millis at = 0;
  std::int64_t open = 0;  // sockets to clients in the victim's hands
};

// Of these lanes, from each blow to the next: more failures than the victim had sockets. One line
// each, empty if there is none.
std::string Excess(const LoadReport& report, const std::vector<Blow>& blows) {
  std::string text;
  for (std::size_t i = 0; i < blows.size(); ++i) {
    const Millis from = i == 0 ? 0 : blows[i].at;
    const Millis to = i + 1 < blows.size() ? blows[i + 1].at : std::numeric_limits<Millis>::max();
    std::int64_t failed = 0;
    std::string which;
    for (const LaneReport& lane : report.lanes) {
      for (const LoadFailure& failure : lane.first_failures) {
        if (failure.at < from || failure.at >= to) continue;
        ++failed;
        which += "\n  " + lane.name + " " + std::to_string(failure.at - blows[i].at) +
                 " ms after: " + failure.kind + ", " + failure.text;
      }
    }
    if (failed <= blows[i].open) continue;
    text += "kill " + std::to_string(i) + ": " + std::to_string(failed) + " failed, " +
            std::to_string(blows[i].open) + " were open" + which + "\n";
  }
  return text;
}

}  // namespace

TEST_SUITE("kill-worker") {
  TEST_CASE("workers that have lived are killed") {
    const int kills = Blows(500);
    constexpr int kSize = 4;
    // So many requests are outstanding at a time, on all workers together.
    constexpr int kBusy = 4;
    // Promised, beyond the boot.
    constexpr Millis kOurs = 200;
    Dice dice;
    World world;
    world.ExpectInLog("accidental end");
    // Each must have lived its --min-uptime when it is killed; 300 ms instead of 10 s make 500
    // kills bearable.
    const App app = world.StartApp("express4", {"--size", std::to_string(kSize), "--min-uptime",
                                                "300ms", "--drain-linger", "400ms"});
    std::vector<Millis> refills;
    std::vector<Blow> blows;
    LoadClient load(
        world, {"name=busy,connections=" + std::to_string(kBusy) + ",url=" + app.url("/slow?ms=20"),
                "name=close,mode=close,connections=4,rate=80,url=" + app.url()});
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      std::vector<ProcessView> old;
      WaitUntil(
          [&] {
            old.clear();
            const ServiceView view = world.View(app.name);
            for (const ProcessView& each : view.processes) {
              if (each.worker != 0 && each.state == "ready" && each.uptime > 700) {
                old.push_back(each);
              }
            }
            return old.size() == kSize;
          },
          20'000, "four workers that have lived");
      const ProcessView victim = old[dice.Below(old.size())];
      const auto identity = IdentifyProcess(victim.pid);
      REQUIRE(identity);
      // Every other one is stopped before: it takes nothing more, and finishes nothing, so what it
      // has open now is all that may fail. What its master sends it meanwhile waits in its channel
      // and is another's afterwards. The others are struck as they go, and may have taken two
      // more in the milliseconds since they were looked at.
      const bool stopped = i % 2 == 0;
      constexpr std::int64_t kSince = 2;
      if (stopped) {
        Kill(*identity, SIGSTOP);
        WaitUntil([&] { return IsStopped(victim.pid); }, 5'000, "the victim to stand still");
      }
      LetPass(dice.Between(0, 40));
      const std::int64_t clients = CountClients(victim.pid, app.port);
      const Millis start = BootNow();
      blows.push_back({start, clients + (stopped ? 0 : kSince)});
      Kill(*identity);
      WaitUntil(
          [&] {
            const auto pids = world.ReadyPids(app.name);
            return pids.size() == kSize && std::count(pids.begin(), pids.end(), victim.pid) == 0;
          },
          20'000, "the slot's next worker");
      refills.push_back(BootNow() - start);
    }
    const LoadReport report = load.Stop();
    INFO(report.text);
    const LaneReport& busy = report.lane("busy");
    const LaneReport& close = report.lane("close");
    const std::vector<Millis> boots = Boots(ReadText(world.log_folder(app.name) + "/out.log"));
    REQUIRE(boots.size() == static_cast<std::size_t>(kSize + kills));
    // As the master says: one that is slow to see that a worker is ready must not hide behind it.
    const std::vector<Millis> first(boots.begin(), boots.begin() + kSize);
    const std::vector<Millis> later(boots.begin() + kSize, boots.end());
    CHECK(Percentile(later, 50) <= 2 * Percentile(first, 50));
    // Each slot's boot is taken off: it belongs to Node and the app, and varies with what else the
    // machine does.
    std::vector<Millis> ours;
    for (std::size_t i = 0; i < refills.size(); ++i) ours.push_back(refills[i] - boots[kSize + i]);
    std::int64_t open = 0;
    for (const Blow& blow : blows) open += blow.open;
    CHECK(open > 0);
    MESSAGE(kills, " kills of workers: slot filled after ", Percentile(refills, 50),
            " ms (median), ", Percentile(refills, 99), " ms (p99), ", Percentile(refills, 100),
            " ms at most; without the boot that is ", Percentile(ours, 50), " ms (median), ",
            Percentile(ours, 99), " ms (p99), ", Percentile(ours, 100), " ms at most; of ", open,
            " sockets that the victims had open failed ", busy.failed, " kept ones and ",
            close.failed, " others", Figures(report));
    CHECK(Percentile(ours, 100) <= kOurs);
    const std::string excess = Excess(report, blows);
    CHECK_MESSAGE(excess.empty(), excess);
    for (const LaneReport& lane : report.lanes) {
      INFO(lane.name);
      // All are listed, so all were looked at.
      CHECK(static_cast<std::int64_t>(lane.first_failures.size()) == lane.failed);
      CHECK(lane.failures.at("refused") == 0);
    }
    CHECK(busy.ok > 0);
    CHECK(close.ok > 0);
  }
}
