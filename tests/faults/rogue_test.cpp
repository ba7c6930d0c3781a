// A rogue: a worker whose channel says anything but what Node says. Its master lives and stays as
// small as it was, the other workers do not notice, and the rogue is replaced with a reason.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

// The bounds.
constexpr Millis kRecycled = 5000;
constexpr std::int64_t kMostGrowthKb = 8 << 10;

struct Memory {
  std::int64_t resident = 0;
  std::int64_t own = 0;  // private, of which nothing is shared
  // The most that was ever resident, seen by the kernel: however short it lasted.
  std::int64_t peak = 0;
};
// In KiB.
Memory MemoryOf(pid_t pid) {
  Memory memory;
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string text = ReadText(process + "/smaps_rollup") + ReadText(process + "/status");
  for (const std::string& line : LinesOf(text)) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kb = 0;
    words >> name >> kb;
    if (name == "Rss:") memory.resident = kb;
    if (name == "VmHWM:") memory.peak = kb;
    if (StartsWith(name, "Private_")) memory.own += kb;
  }
  return memory;
}

// From now on the peak is that of what comes.
void ForgetPeak(pid_t pid) {
  std::ofstream file("/proc/" + std::to_string(pid) + "/clear_refs");
  file << "5" << std::flush;
  REQUIRE(file.good());
}

// A service of three workers of which the third is a rogue as soon as it is told so.
class Company {
 public:
  Company(World& world, const Words& options)
      : world_(world),
        order_(world.folder() + "/order"),
        taken_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    REQUIRE(::bind(taken_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(taken_.get(), 1) == 0);
    REQUIRE(::getsockname(taken_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    Words words{"--size", "3", "--name", "company", "--ready", "alive"};
    for (const std::string& variable :
         {std::string("ROGUE_SLOT=2"), "ROGUE_ORDER=" + order_, "ROGUE_NODE=" + world.NodePath(20),
          "ROGUE_TAKEN=" + std::to_string(ntohs(address.sin_port))}) {
      words.insert(words.end(), {"--env", variable});
    }
    words.insert(words.end(), options.begin(), options.end());
    app_ = world.StartPath(SourcePath("tests/apps/rogue/server.js"), words);
    world.ExpectInLog("broke the protocol of its channel");
    sound_ = Sound();
    REQUIRE(sound_.size() == 2);
    daemon_ = world.Daemon()->pid;
    master_ = world.MasterPid(app_.name);
  }

  const App& app() const { return app_; }
  int master() const { return master_; }
  void Order(const std::string& misdeed) {
    WriteText(order_ + ".new", misdeed);
    std::filesystem::rename(order_ + ".new", order_);
  }
  ProcessView Rogue() {
    for (const ProcessView& each : world_.View(app_.name).processes) {
      if (each.slot == 3) return each;
    }
    return {};
  }
  std::vector<int> Sound() {
    std::vector<int> pids;
    for (const ProcessView& each : world_.View(app_.name).processes) {
      if (each.worker != 0 && each.slot != 3 && each.state == "ready") pids.push_back(each.pid);
    }
    return pids;
  }

  // The rogue commits it; says what came of it.
  void Commit(const std::string& misdeed) {
    INFO("misdeed: ", misdeed);
    const ProcessView before = AwaitRogue(0);
    const auto rogue = IdentifyProcess(before.pid);
    REQUIRE(rogue);
    ForgetPeak(master_);
    ForgetPeak(daemon_);
    const Memory master = MemoryOf(master_);
    const Memory daemon = MemoryOf(daemon_);
    REQUIRE(master.resident > 0);
    REQUIRE(master.peak > 0);
    const std::size_t master_files = CountOpenFiles(master_);
    const std::size_t daemon_files = CountOpenFiles(daemon_);
    std::size_t most_files = 0;
    std::int64_t most_own = 0;
    const auto look = [&] {
      most_own = std::max(most_own, MemoryOf(master_).own);
      most_files = std::max(most_files, CountOpenFiles(master_));
    };
    Order(misdeed);
    const Millis took = WaitUntil(
        [&] {
          look();
          return !IsAlive(*rogue);
        },
        20'000, "the end of the rogue");
    Order("none");
    CHECK(took <= kRecycled);
    const ProcessView after = AwaitRogue(before.pid);
    CHECK(StartsWith(after.reason, "last end: "));
    const std::string reason = after.reason.substr(0, after.reason.rfind(", "));
    CHECK_MESSAGE((Contains(reason, "broke the protocol of its channel: ") ||
                   Contains(reason, "closed its channel to the master")),
                  reason);
    look();
    const std::int64_t grown =
        std::max(MemoryOf(master_).peak - master.resident, most_own - master.own);
    worst_ = std::max(worst_, grown);
    slowest_ = std::max(slowest_, took);
    CHECK(grown <= kMostGrowthKb);
    // A rogue may have as many listeners as it is given, and sends 253 descriptors at a time.
    CHECK(most_files <= master_files + 600);
    CHECK(MemoryOf(daemon_).own - daemon.own <= kMostGrowthKb);
    CHECK(MemoryOf(daemon_).peak - daemon.resident <= kMostGrowthKb);
    // Back where they were; the next rogue has what the last had.
    WaitUntil([&] { return CountOpenFiles(master_) <= master_files; }, 5000,
              "the master's descriptors");
    WaitUntil([&] { return CountOpenFiles(daemon_) <= daemon_files; }, 5000, "slcd's descriptors");
    CHECK(Sound() == sound_);
    CHECK(world_.MasterPid(app_.name) == master_);
    MESSAGE(misdeed, ": replaced after ", took, " ms, master +", grown,
            " KiB at its peak: ", reason);
  }
  // The worst of all misdeeds.
  Millis slowest() const { return slowest_; }
  std::int64_t worst() const { return worst_; }
  const std::vector<int>& sound() const { return sound_; }

 private:
  // The one after `before`, when it has lived long enough to be replaced at once: it is ready after
  // a second, and then its --min-uptime must pass.
  ProcessView AwaitRogue(int before) {
    ProcessView view;
    WaitUntil(
        [&] {
          view = Rogue();
          return view.pid != before && view.state == "ready" && view.uptime > 1500;
        },
        20'000, "the worker that is to be a rogue");
    return view;
  }

  World& world_;
  App app_;
  std::string order_;
  UniqueFd taken_;  // a port that is in use
  std::vector<int> sound_;
  int master_ = 0;
  int daemon_ = 0;
  Millis slowest_ = 0;
  std::int64_t worst_ = 0;
};

// Commits them one after the other under load on the sound workers, who must not fail one request.
void CommitAll(World& world, Company& company, const Words& misdeeds) {
  LoadClient load(world,
                  {"name=keep,connections=4,think=0-50,url=" + company.app().url(),
                   "name=close,mode=close,connections=2,rate=40,url=" + company.app().url()});
  for (const std::string& misdeed : misdeeds) company.Commit(misdeed);
  const LoadReport report = load.Stop();
  CheckNoneFailed(report);
  MESSAGE(misdeeds.size(), " misdeeds: replaced after ", company.slowest(),
          " ms at most, the master grew by ", company.worst(), " KiB at most", Figures(report));
}

}  // namespace

TEST_SUITE("rogue") {
  TEST_CASE("a program in the place of node does what it likes") {
    World world;
    world.ExpectInLog("listen on");
    world.ExpectInLog("is in use");
    Company company(world,
                    {"--min-uptime", "300ms", "--node", SourcePath("tests/apps/rogue/rogue.py")});
    CommitAll(
        world, company,
        {"garbage", "empty",   "long_line",   "long_text", "deep",         "deep_short", "wide",
         "answers", "handles", "descriptors", "announced", "half_written", "half_read",  "slow",
         "ports",   "keys",    "in_use",      "listening", "stays",        "impostor"});
  }

  TEST_CASE("an app in a real node misuses its channel") {
    World world;
    Company company(world, {"--min-uptime", "300ms"});
    CommitAll(world, company,
              {"garbage", "cut", "large", "deep", "leaves", "disconnects", "listens"});
  }

  TEST_CASE("one who goes on is restarted ever less often") {
    World world;
    // It never lives as long as that.
    Company company(world,
                    {"--node", SourcePath("tests/apps/rogue/rogue.py"), "--min-uptime", "1h"});
    company.Order("garbage");
    std::vector<int> seen;
    const Millis start = BootNow();
    WaitUntil(
        [&] {
          const int pid = company.Rogue().pid;
          if (pid > 0 && std::find(seen.begin(), seen.end(), pid) == seen.end())
            seen.push_back(pid);
          return BootNow() - start >= 6000;
        },
        10'000, "six seconds of a rogue");
    // After 100, 200, 400 ... ms, 20 % more or less: the sixth comes 3 s after the first at the
    // earliest, the seventh 5 s.
    CHECK(seen.size() >= 3);
    CHECK(seen.size() <= 8);
    CHECK(company.Sound() == company.sound());
    const ServiceView view = world.View(company.app().name);
    MESSAGE("a rogue was started ", seen.size(), " times in 6 s; shown as ", view.state, ": ",
            view.reason);
    CHECK(Get(company.app().url()).status == 200);
    const Ran events = world.Must({"events"});
    CHECK_MESSAGE(Contains(events.out, "broke the protocol of its channel"), events.out);
    company.Order("none");
    world.WaitForState(company.app().name, "running");
  }
}
