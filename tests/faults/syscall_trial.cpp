#include "tests/faults/syscall_trial.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/supervisor_ends.h"
#include "tests/system/dice.h"

namespace slc::test {
namespace {

// More is a hang, the issue says.
constexpr Millis kHang = 5'000;

// As many workers serve as are recorded. A soft restart that was given up, and nothing else, may
// have it "failed" meanwhile: those of before serve.
bool IsAsWanted(World& world, const std::string& service) {
  const auto view = world.TryView(service);
  if (!view) return true;
  if (!view->wanted) return view->state == "stopped";
  const auto size = static_cast<std::size_t>(std::atoi(view->size.c_str()));
  const bool settled = view->state == "running" || view->state == "failed";
  return settled && world.ReadyPids(service).size() == size;
}

// Ended children that their parent does not take notice of. One that has just ended is no such.
void AwaitNoZombies(World& world) {
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

}  // namespace

const std::vector<SyscallTrial::Call>& SyscallTrial::Calls() {
  static const std::vector<Call> kCalls{
      {"open", "open", EMFILE},
      {"write", "write", ENOSPC},
      {"write of half", "write", 0, true},
      {"fsync", "fsync", EIO},
      {"ftruncate", "ftruncate", ENOSPC},
      {"rename", "rename", EIO},
      {"link", "link", ENOSPC},
      {"unlink", "unlink", EIO},
      {"mkdir", "mkdir", ENOSPC},
      {"socket", "socket", EMFILE},
      {"bind", "bind", ENOSPC},
      {"accept", "accept", EMFILE},
      {"sendmsg", "sendmsg", ENOBUFS},
      {"clone", "clone", EAGAIN},
      {"exec", "exec", ENOMEM},
      {"mmap", "mmap", ENOMEM},
      {"memfd_create", "memfd_create", EMFILE},
      {"pipe", "pipe", EMFILE},
      {"thread", "thread", EAGAIN},
  };
  return kCalls;
}

SyscallTrial::SyscallTrial(World& world, FaultRules& faults, const Scenario& scenario, App visited)
    : world_(world),
      faults_(faults),
      scenario_(scenario),
      visited_(std::move(visited)),
      daemon_(world.Daemon()) {
  // The way back may leave another state than that of the very first start.
  REQUIRE(scenario_.change(world_).code == 0);
  scenario_.back(world_);
  WaitUntil([&] { return IsAsWanted(world_, scenario_.service); }, 10'000, "the way back");
  const HomeState state(world_);
  before_ = state.Text();
  REQUIRE(scenario_.change(world_).code == 0);
  after_ = state.Text();
  GoBack();
  files_ = std::make_unique<OpenFilesBaseline>(world_);
}

void SyscallTrial::FailAll() {
  for (const auto& [process, reached] : scenario_.reached) {
    for (const Call& call : Calls()) {
      int n = 0;
      while (FailNth(process, call, n)) ++n;
      hits_[process][call.name] = n;
    }
    for (const std::string& call : reached) {
      CHECK_MESSAGE(hits_[process][call] > 0, scenario_.name, ": no ", call, " of ", process);
    }
  }
  Report();
}

bool SyscallTrial::FailNth(const std::string& process, const Call& call, int n) {
  INFO(scenario_.name, ": ", call.name, " ", n, " of ", process);
  const HomeState state(world_);
  const SupervisorEnds ends(world_);
  const int master = world_.MasterPid(visited_.name);
  FaultRule rule;
  rule.call = call.rule;
  rule.process = process;
  rule.error = call.error;
  rule.part = call.part;
  rule.nth = n;
  faults_.Arm(rule);
  Visit();
  const Ran ran = scenario_.change(world_);
  Visit();
  const bool hit = faults_.Hits() > 0;
  faults_.Disarm();
  longest_ = std::max(longest_, ran.took);
  CHECK_MESSAGE(ran.took <= kHang, ran.out, ran.err);
  CHECK_MESSAGE(ran.code <= 1, ran.out, ran.err);
  if (ran.code != 0) CHECK_FALSE(ran.err.empty());
  CheckState(state, ran);
  // It did not crash, nor is there another one.
  CHECK(world_.Daemon() == daemon_);
  const auto view = world_.TryView(visited_.name);
  if (view && view->wanted && world_.MasterPid(visited_.name) != master) ++takeovers_;
  GoBack();
  CHECK(HomeState(world_).Text() == before_);
  const std::string crashes = ends.Crashes();
  // libuv aborts where it gets no pipe for its signals. uv::Loop tries first whether descriptors
  // can be had, but here only pipes cannot.
  const bool by_libuv = std::string(call.name) == "pipe" && process == "slc-master" &&
                        Contains(crashes, "master of " + scenario_.service + ": killed by SIGABRT");
  CHECK_MESSAGE((crashes.empty() || by_libuv), crashes);
  AwaitNoZombies(world_);
  files_->Await();
  if (!hit) return false;
  ++tries_;
  refused_ += ran.code != 0 ? 1 : 0;
  return true;
}

// What is shown is at once what it will be; a file may be a moment late, which slcd says.
void SyscallTrial::CheckState(const HomeState& state, const Ran& ran) const {
  std::string now;
  const auto is_one = [&] {
    now = state.Text();
    return now == after_ || (ran.code != 0 && now == before_);
  };
  const Millis deadline = BootNow() + kHang;
  while (!is_one() && BootNow() < deadline) LetPass(10);
  CHECK_MESSAGE(is_one(), "it is:\n", now, "before:\n", before_, "after:\n", after_,
                "by: ", ran.code, ran.out, ran.err);
  WaitUntil([&] { return IsAsWanted(world_, scenario_.service); }, 10'000,
            scenario_.service + " to be as recorded");
}

// The light load: a connection that is accepted and handed over, and served whatever fails.
void SyscallTrial::Visit() const {
  const auto view = world_.TryView(visited_.name);
  if (!view || !view->wanted) return;
  const Response response = Get(visited_.url(), kHang);
  CHECK_MESSAGE(response.status == 200, response.error);
}

void SyscallTrial::GoBack() {
  scenario_.back(world_);
  WaitUntil([&] { return IsAsWanted(world_, scenario_.service); }, 10'000,
            scenario_.service + " to be as wanted");
  Visit();
}

void SyscallTrial::Report() const {
  std::string table;
  for (const auto& [process, calls] : hits_) {
    table += "\n    " + process + ":";
    for (const Call& call : Calls()) {
      const int hits = calls.at(call.name);
      if (hits > 0) table += " " + call.name + " " + std::to_string(hits);
    }
  }
  MESSAGE(scenario_.name, ": ", tries_, " calls failed, and ", refused_,
          " commands with them; the longest took ", longest_, " ms; ", takeovers_,
          " masters were replaced; hit were", table);
}

}  // namespace slc::test
