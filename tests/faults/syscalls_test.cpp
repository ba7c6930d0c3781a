// The Nth system call of a kind fails, N = 0, 1, 2, ... until it is not reached any more: nothing
// crashes, hangs or leaks, and the state is the one before or the one after.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <set>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

struct Call {
  std::string name;
  int error;  // a usual one of it
};
const std::vector<Call> kCalls{
    {"open", EMFILE},   {"write", ENOSPC},  {"fsync", EIO},     {"ftruncate", ENOSPC},
    {"rename", EIO},    {"link", ENOSPC},   {"unlink", EIO},    {"mkdir", ENOSPC},
    {"socket", EMFILE}, {"bind", ENOSPC},   {"accept", EMFILE}, {"sendmsg", ENOBUFS},
    {"clone", EAGAIN},  {"exec", ENOMEM},   {"mmap", ENOMEM},   {"memfd_create", EMFILE},
    {"pipe", EMFILE},   {"thread", EAGAIN},
};

// More is a hang, the issue says.
constexpr Millis kHang = 5'000;

// What is done while a call fails, and how it is undone when none does.
struct Scenario {
  std::string name;
  std::string service;  // that it is about
  std::function<Ran(World& world)> change;
  std::function<void(World& world)> back;
  std::vector<std::string> processes{"slcd", "slc-master"};
};

std::string StateOf(World& world, const std::string& service) {
  const auto view = world.TryView(service);
  if (!view) return "not there";
  const auto value = view->environment.find("VALUE");
  return (view->wanted ? "runs, size " : "stopped, size ") + view->size + ", VALUE " +
         (value == view->environment.end() ? "none" : value->second);
}

bool IsAsWanted(World& world, const std::string& service) {
  const auto view = world.TryView(service);
  if (!view) return true;
  if (!view->wanted) return view->state == "stopped";
  const auto size = static_cast<std::size_t>(std::atoi(view->size.c_str()));
  return view->state == "running" && world.ReadyPids(service).size() == size;
}

// Ended children that their parent does not take notice of. One that has just ended is no such.
void CheckNoZombies(World& world) {
  const auto zombies = [&] {
    std::set<std::string> found;
    for (const ProcessIdentity& parent : world.Supervisors()) {
      const std::string folder = "/proc/" + std::to_string(parent.pid) + "/task/" +
                                 std::to_string(parent.pid) + "/children";
      for (const std::string& child : Split(std::string(Trim(ReadText(folder))), ' ')) {
        const std::string stat = ReadText("/proc/" + child + "/stat");
        if (Contains(stat, ") Z ")) found.insert(stat.substr(0, stat.find(')') + 1));
      }
    }
    return found;
  };
  WaitUntil([&] { return zombies().empty(); }, 2'000, "zombies to be reaped");
}

class Trial {
 public:
  Trial(World& world, FaultRules& faults, const Scenario& scenario)
      : world_(world), faults_(faults), scenario_(scenario), daemon_(world.Daemon()) {
    before_ = StateOf(world_, scenario_.service);
    REQUIRE(scenario_.change(world_).code == 0);
    after_ = StateOf(world_, scenario_.service);
    GoBack();
  }

  // All N of one call.
  void FailEach(const std::string& process, const Call& call) {
    int n = 0;
    while (FailNth(process, call, n)) ++n;
  }

  void Report() const {
    MESSAGE(scenario_.name, ": ", tries_, " calls failed, and ", refused_,
            " commands with them; the longest took ", longest_, " ms");
  }

 private:
  // False: it was not reached.
  bool FailNth(const std::string& process, const Call& call, int n) {
    INFO(scenario_.name, ": ", call.name, " ", n, " of ", process);
    FaultRule rule;
    rule.call = call.name;
    rule.process = process;
    rule.error = call.error;
    rule.nth = n;
    faults_.Arm(rule);
    const Ran ran = scenario_.change(world_);
    const bool hit = faults_.Hits() > 0;
    faults_.Disarm();
    longest_ = std::max(longest_, ran.took);
    CHECK_MESSAGE(ran.took <= kHang, ran.out, ran.err);
    CHECK_MESSAGE(ran.code <= 1, ran.out, ran.err);
    if (ran.code != 0) CHECK_FALSE(ran.err.empty());
    // It did not crash, nor is there another one.
    CHECK(world_.Daemon() == daemon_);
    const std::string now = StateOf(world_, scenario_.service);
    CHECK_MESSAGE((now == after_ || (ran.code != 0 && now == before_)), "it is: ", now,
                  " after: ", ran.out, ran.err);
    GoBack();
    CheckNoZombies(world_);
    if (!hit) return false;
    ++tries_;
    refused_ += ran.code != 0 ? 1 : 0;
    return true;
  }

  void GoBack() {
    scenario_.back(world_);
    WaitUntil([&] { return IsAsWanted(world_, scenario_.service); }, 10'000,
              scenario_.service + " to be as wanted");
    CHECK(StateOf(world_, scenario_.service) == before_);
    const auto view = world_.TryView(scenario_.service);
    if (!view || !view->wanted) return;
    CHECK(Get("http://127.0.0.1:" + std::to_string(*view->port)).status == 200);
  }

  World& world_;
  FaultRules& faults_;
  const Scenario& scenario_;
  const std::optional<ProcessIdentity> daemon_;
  std::string before_;
  std::string after_;
  int tries_ = 0;
  int refused_ = 0;
  Millis longest_ = 0;
};

void FailAll(const Scenario& scenario, const std::string& app = "plain/server.js") {
  World world;
  FaultRules faults(world);
  world.StartApp(app, {"--size", "1", "--name", "subject"});
  // Each fault is told by whom it hits, in words of its own.
  world.ExpectInLog(" warning ");
  world.ExpectInLog(" error ");
  // A master that cannot send to slcd is given up and replaced.
  world.ExpectInLog("has taken over");
  Trial trial(world, faults, scenario);
  for (const std::string& process : scenario.processes) {
    for (const Call& call : kCalls) trial.FailEach(process, call);
  }
  trial.Report();
}

std::function<Ran(World&)> Slc(const Words& words) {
  return [words](World& world) { return world.Slc(words); };
}
std::function<void(World&)> Must(const Words& words) {
  return [words](World& world) { world.Must(words); };
}

// Has the log writer find a file that is as good as full, and waits until it has put that aside.
Ran Rotate(World& world) {
  const std::string log = world.log_folder("subject") + "/out.log";
  const std::string full = world.folder() + "/full.log";
  constexpr off_t kFull = (10 << 20) - 100;
  {
    const UniqueFd fd(::open(full.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    REQUIRE(fd);
    REQUIRE(::ftruncate(fd.get(), kFull) == 0);
  }
  REQUIRE(std::rename(full.c_str(), log.c_str()) == 0);
  Ran ran;
  struct stat info {};
  ran.took = WaitUntil(
      [&] { return ::stat(log.c_str(), &info) == 0 && info.st_size > 0 && info.st_size < kFull; },
      10'000, "lines in a new file");
  ran.code = 0;
  return ran;
}

}  // namespace

TEST_SUITE("syscalls") {
  TEST_CASE("of a start") {
    const std::string port = std::to_string(FreePort());
    FailAll({"start", "other",
             Slc({"start", SourcePath("tests/apps/plain/server.js"), "--name", "other", "--size",
                  "1", "--port", port}),
             [](World& world) {
               if (world.TryView("other")) world.Must({"ctl", "remove", "other"});
             }});
  }
  TEST_CASE("of a stop") {
    FailAll(
        {"stop", "subject", Slc({"ctl", "stop", "subject"}), Must({"ctl", "start", "subject"})});
  }
  TEST_CASE("of set-size") {
    FailAll({"set-size", "subject", Slc({"ctl", "set-size", "subject", "2"}),
             Must({"ctl", "set-size", "subject", "1"})});
  }
  TEST_CASE("of a soft-restart") {
    FailAll({"soft-restart", "subject", Slc({"ctl", "soft-restart", "subject"}),
             Must({"ctl", "start", "subject"})});
  }
  TEST_CASE("of a state that is saved") {
    FailAll({"state", "subject", Slc({"ctl", "env-set", "subject", "VALUE=1", "--no-restart"}),
             Must({"ctl", "env-unset", "subject", "VALUE", "--no-restart"})});
  }
  TEST_CASE("of the rotation of a log") {
    FailAll({"rotation", "subject", Rotate, [](World&) {}, {"slc-master"}}, "plain/noisy.js");
  }
}
