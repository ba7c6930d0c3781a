// Soak: much ordinary operation in a short time, with workers that crash now and then. slcd and
// masters must not grow, and leave neither descriptors nor zombies behind.
#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/changing.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

constexpr Millis kShort = 120'000;
constexpr Millis kLong = 1'200'000;
// One part of the whole: until buffers and allocators have had their size and logs were rotated.
constexpr Millis kWarmUpParts = 4;
constexpr std::int64_t kMostGrowth = 1024;

struct Measured {
  ProcessIdentity process;
  std::int64_t private_kib = 0;
  std::size_t descriptors = 0;
};

std::int64_t PrivateKib(pid_t pid) {
  std::int64_t sum = 0;
  for (const std::string& line :
       LinesOf(ReadText("/proc/" + std::to_string(pid) + "/smaps_rollup"))) {
    if (StartsWith(line, "Private_Clean:") || StartsWith(line, "Private_Dirty:")) {
      sum += std::stol(line.substr(line.find(':') + 1));
    }
  }
  return sum;
}

// A client that has just left, or a process that has just ended, is still held for a moment; what
// is leaked is there at every look.
std::size_t LeastDescriptors(pid_t pid) {
  constexpr Millis kLook = 500;
  std::size_t least = CountOpenFiles(pid);
  for (const Millis end = BootNow() + kLook; BootNow() < end;) {
    least = std::min(least, CountOpenFiles(pid));
  }
  return least;
}

// Ordinary operation of four loaded services whose masters stay, and of one that comes and goes.
class Operation {
 public:
  Operation(World& world, Dice& dice, FourServices& services)
      : world_(world), dice_(dice), services_(services), changing_(world, dice, "changing") {}

  void Step() {
    const App& app = services_.apps()[dice_.Below(services_.apps().size())];
    const bool binds_itself = app.name == "snake";  // what waits in its queue goes with a worker
    switch (dice_.Between(0, 9)) {
      case 0:
      case 1:
        if (!binds_itself) world_.Must({"ctl", "soft-restart", app.name});
        break;
      case 2:
        if (binds_itself) break;
        world_.Must({"ctl", "set-size", app.name, "3"});
        world_.Must({"ctl", "set-size", app.name, "2"});
        break;
      case 3:
        if (!binds_itself) {
          world_.Must({"ctl", "env-set", app.name, "VALUE=" + std::to_string(++values_)});
        }
        break;
      case 4:
        world_.Must({"ctl", "status", app.name});
        world_.Must({"logs", app.name, "-n", "20"});
        break;
      case 5:
        world_.Must({"ctl", "log-dump", app.name});
        break;
      case 6:
        // Chatty: a file of the log is full after a few of these.
        Get(services_.apps()[0].url("/log?n=500&text=soak"));
        break;
      case 7:
        Crash();
        break;
      default:
        changing_.Begin();
    }
    ++steps_;
  }

  // slcd and the four masters, when nothing is under way.
  std::map<std::string, Measured> Measure() {
    changing_.Stop();
    services_.CheckWhole();
    std::map<std::string, Measured> all;
    const auto add = [&](const std::string& who, pid_t pid) {
      const auto process = IdentifyProcess(pid);
      REQUIRE(process);
      all[who] = {*process, PrivateKib(pid), LeastDescriptors(pid)};
    };
    const auto daemon = world_.Daemon();
    REQUIRE(daemon);
    add("slcd", daemon->pid);
    for (const auto& [name, pid] : services_.Masters()) add("the master of " + name, pid);
    return all;
  }

  // A zombie is there for a moment whenever something ends: only one that stays is left behind.
  void CheckNoZombies(const std::map<std::string, Measured>& of) {
    std::set<pid_t> parents;
    for (const auto& [who, measured] : of) parents.insert(measured.process.pid);
    WaitUntil([&] { return CountZombiesOf(parents) == 0; }, 5'000, "no zombies");
  }

  void CheckAgainstModel() { changing_.CheckAgainstModel(); }
  int steps() const { return steps_; }
  int crashes() const { return crashes_; }

 private:
  static int CountZombiesOf(const std::set<pid_t>& parents) {
    int count = 0;
    ProcessWalk walk;
    while (const pid_t pid = walk.Next()) {
      const auto usage = ReadUsage(pid);
      if (usage && usage->state == 'Z' && parents.count(usage->parent) > 0) ++count;
    }
    return count;
  }

  // Of the unloaded service; it is back before the next step.
  void Crash() {
    const auto view = world_.TryView(changing_.name());
    changing_.Finish();
    const auto pids = world_.ReadyPids(changing_.name());
    if (!view || pids.empty()) return;
    if (const auto victim = IdentifyProcess(pids.front())) {
      SignalProcess(OpenProcess(*victim), 9);
      ++crashes_;
    }
  }

  World& world_;
  Dice& dice_;
  FourServices& services_;
  Changing changing_;
  int values_ = 0;
  int steps_ = 0;
  int crashes_ = 0;
};

}  // namespace

TEST_SUITE("soak") {
  TEST_CASE("ordinary operation leaves nothing behind") {
    Dice dice;
    World world;
    world.ExpectInLog("accidental end");
    // Small log files, so that rotation and gzip take part.
    FourServices services(world, {"--log-size", "64K", "--log-files", "3"});
    Operation operation(world, dice, services);
    LoadClient load(world, services.lanes());
    const Millis whole = Long() ? kLong : kShort;
    const Millis end = BootNow() + whole;
    while (BootNow() < end - whole + whole / kWarmUpParts) operation.Step();
    const auto before = operation.Measure();
    while (BootNow() < end) operation.Step();
    const auto after = operation.Measure();
    std::string figures;
    for (const auto& [who, then] : before) {
      INFO(who);
      const Measured& now = after.at(who);
      CHECK(now.process == then.process);
      CHECK(now.private_kib - then.private_kib <= kMostGrowth);
      CHECK(now.descriptors == then.descriptors);
      figures += "\n    " + who + ": " + std::to_string(then.private_kib) + " -> " +
                 std::to_string(now.private_kib) + " KiB private, " +
                 std::to_string(then.descriptors) + " -> " + std::to_string(now.descriptors) +
                 " descriptors";
    }
    operation.CheckNoZombies(after);
    const LoadReport report = load.Stop();
    MESSAGE(operation.steps(), " steps in ", whole / 1000, " s, ", operation.crashes(),
            " workers crashed", figures, Figures(report));
    CheckNoneFailed(report);
    operation.CheckAgainstModel();
  }
}
