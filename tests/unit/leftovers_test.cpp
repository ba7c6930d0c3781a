#include "common/base/leftovers.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/spawn.h"
#include "common/base/time.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

Spawned StartShell(const std::string& script, std::vector<std::string> environment) {
  SpawnOptions options;
  options.program = "/bin/sh";
  options.arguments = {"sh", "-c", script};
  options.environment = std::move(environment);
  options.environment.emplace_back("PATH=/usr/bin:/bin");
  auto spawned = Spawn(options);
  REQUIRE(spawned.ok());
  return std::move(*spawned);
}

template <typename Condition>
bool Within(int milliseconds, Condition&& condition) {
  for (int waited = 0; waited < milliseconds; waited += 10) {
    if (condition()) return true;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return condition();
}

// All that carries the cookie has come to rest: `count` processes that sleep.
bool Sleep(const std::string& cookie, std::size_t count) {
  return Within(20'000, [&] {
    const auto found = FindByCookie(cookie);
    return found.size() == count &&
           std::all_of(found.begin(), found.end(), [](const ProcessIdentity& process) {
             const auto name = ReadFile("/proc/" + std::to_string(process.pid) + "/comm");
             return name && *name == "sleep\n";
           });
  });
}

std::string AnyCookie() { return "test-" + NewRequestId(); }

using Slice = LeftoverSweep::Clock::duration;

// Ends a process that is its own child.
void End(const Spawned& process) {
  SignalProcess(process.pidfd, SIGKILL);
  HasEnded(process.pidfd, 10'000);
  Reap(process.pidfd);
}

}  // namespace

TEST_CASE("All processes of a worker are found by their cookie, double-forked ones too") {
  const std::string cookie = AnyCookie();
  const Spawned one = StartShell("(setsid sleep 100 & setsid sleep 100 &) ; exec sleep 100",
                                 {"SLC_COOKIE=" + cookie + ".1"});
  const Spawned ten = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".10"});
  REQUIRE(Sleep(cookie + ".1", 3));
  REQUIRE(Sleep(cookie + ".10", 1));
  CHECK(FindByCookie(cookie + ".").size() == 4);
  CHECK(FindByCookie(cookie).empty());
  CHECK(FindByCookie(AnyCookie()).empty());
  CHECK(KillByCookie(cookie + ".1") == 3);
  CHECK(HasEnded(one.pidfd, 10'000));
  CHECK_FALSE(HasEnded(ten.pidfd, 0));
  CHECK(KillByCookie(cookie + ".") >= 1);
  CHECK(HasEnded(ten.pidfd, 10'000));
  Reap(one.pidfd);
  Reap(ten.pidfd);
  CHECK(Within(10'000, [&] { return FindByCookie(cookie + ".").empty(); }));
}

TEST_CASE("A cookie is found wherever it stands in the environment, and only whole") {
  const std::string cookie = AnyCookie();
  const Spawned hidden = StartShell(
      "exec sleep 100", {"OLD_SLC_COOKIE=" + cookie + ".1", "B=SLC_COOKIE=" + cookie + ".1",
                         "SLC_COOKIE=" + cookie + ".1"});
  const Spawned other = StartShell("exec sleep 100", {"OLD_SLC_COOKIE=" + cookie + ".1"});
  REQUIRE(Sleep(cookie + ".1", 1));
  CHECK(KillByCookie(cookie + ".1") == 1);
  CHECK(HasEnded(hidden.pidfd, 10'000));
  CHECK_FALSE(HasEnded(other.pidfd, 0));
  SignalProcess(other.pidfd, SIGKILL);
  HasEnded(other.pidfd, 10'000);
  Reap(hidden.pidfd);
  Reap(other.pidfd);
}

TEST_CASE("What a worker started with another environment is found by the session") {
  const std::string cookie = AnyCookie();
  const Spawned leader =
      StartShell("env -i sleep 100 & exec sleep 100", {"SLC_COOKIE=" + cookie + ".1"});
  const auto members = [&] {
    std::size_t count = 0;
    for (pid_t pid = leader.identity.pid; pid < leader.identity.pid + 50; ++pid) {
      if (::getsid(pid) == leader.identity.pid) ++count;
    }
    return count;
  };
  REQUIRE(Sleep(cookie + ".1", 1));
  REQUIRE(Within(10'000, [&] { return members() == 2; }));
  // Another process with that number is none of ours.
  const ProcessIdentity stranger{leader.identity.pid, leader.identity.start_time + 1};
  CHECK(KillByCookie(AnyCookie() + ".1", stranger) == 0);
  SignalProcess(leader.pidfd, SIGKILL);
  REQUIRE(HasEnded(leader.pidfd, 10'000));
  Reap(leader.pidfd);
  CHECK(KillByCookie(cookie + ".1", leader.identity) == 1);
  CHECK(Within(10'000, [&] { return members() == 0; }));
}

TEST_CASE("Those that fork while they are killed are killed too") {
  const std::string cookie = AnyCookie();
  const Spawned root = StartShell(
      "i=0; while [ $i -lt 30 ]; do (setsid sh -c 'sleep 0.05; sleep 100 & sleep 100' &) ; "
      "i=$((i+1)); "
      "done; sleep 100",
      {"SLC_COOKIE=" + cookie + ".1"});
  Within(10'000, [&] { return FindByCookie(cookie + ".1").size() > 20; });
  KillByCookie(cookie + ".1");
  CHECK(HasEnded(root.pidfd, 10'000));
  Reap(root.pidfd);
  const bool gone = Within(10'000, [&] {
    const auto left = FindByCookie(cookie + ".1");
    return std::all_of(left.begin(), left.end(), [](const ProcessIdentity& process) {
      const auto usage = ReadUsage(process.pid);
      return !usage || usage->state == 'Z';
    });
  });
  CHECK(gone);
}

TEST_CASE("A sweep goes on where its last slice ended, and ends when all is dead") {
  const std::string cookie = AnyCookie();
  const Spawned one =
      StartShell("(setsid sleep 100 &) ; exec sleep 100", {"SLC_COOKIE=" + cookie + ".1"});
  const Spawned ten = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".10"});
  REQUIRE(Sleep(cookie + ".1", 2));
  REQUIRE(Sleep(cookie + ".10", 1));
  std::size_t processes = 0;
  ProcessWalk walk;
  while (walk.Next() != 0) ++processes;

  LeftoverSweep sweep;
  CHECK(sweep.idle());
  CHECK(sweep.Step(Slice::zero()).empty());
  sweep.Add(7, cookie + ".1", std::nullopt);
  std::size_t slices = 0;
  std::vector<LeftoverSweep::Done> done;
  while (!sweep.idle()) {
    REQUIRE(done.empty());
    done = sweep.Step(Slice::zero());
    ++slices;
  }
  REQUIRE(done.size() == 1);
  CHECK(done[0].key == 7);
  CHECK(done[0].signalled == 2);
  // One process each: two rounds, for the first has found something.
  CHECK(slices > processes);
  CHECK(HasEnded(one.pidfd, 10'000));
  CHECK_FALSE(HasEnded(ten.pidfd, 0));
  Reap(one.pidfd);
  End(ten);
}

TEST_CASE("A slice that is long enough takes a sweep to its end") {
  LeftoverSweep sweep;
  sweep.Add(1, AnyCookie() + ".1", std::nullopt);
  const auto done = sweep.Step(std::chrono::hours(1));
  REQUIRE(done.size() == 1);
  CHECK(done[0].signalled == 0);
  CHECK(sweep.idle());
}

TEST_CASE("One sweep serves many targets, each with what is its own") {
  const std::string cookie = AnyCookie();
  const Spawned one = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".1"});
  const Spawned two =
      StartShell("env -i sleep 100 & exec sleep 100", {"SLC_COOKIE=" + cookie + ".2"});
  REQUIRE(Sleep(cookie + ".1", 1));
  REQUIRE(Sleep(cookie + ".2", 1));
  LeftoverSweep sweep;
  sweep.Add(1, cookie + ".1", one.identity);
  sweep.Add(2, cookie + ".2", two.identity);
  sweep.Add(3, cookie + ".3", std::nullopt);
  std::map<std::uint64_t, int> signalled;
  while (!sweep.idle()) {
    for (const auto& done : sweep.Step(std::chrono::milliseconds(1))) {
      signalled[done.key] = done.signalled;
    }
  }
  CHECK(signalled == std::map<std::uint64_t, int>{{1, 1}, {2, 2}, {3, 0}});
  CHECK(HasEnded(one.pidfd, 10'000));
  CHECK(HasEnded(two.pidfd, 10'000));
  Reap(one.pidfd);
  Reap(two.pidfd);
}

TEST_CASE("A target that joins in the middle of a round gets a whole one of its own") {
  const std::string cookie = AnyCookie();
  const Spawned early = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".1"});
  const Spawned late = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".2"});
  REQUIRE(Sleep(cookie + ".1", 1));
  REQUIRE(Sleep(cookie + ".2", 1));
  LeftoverSweep sweep;
  sweep.Add(2, cookie + ".2", std::nullopt);
  // Once the later one is met, the walk is past the earlier one. On a busy machine it takes its
  // time to die: each look waits for that a little, or the search would be over before.
  while (!HasEnded(late.pidfd, 10)) {
    REQUIRE_FALSE(sweep.idle());
    sweep.Step(Slice::zero());
  }
  sweep.Add(1, cookie + ".1", std::nullopt);
  int signalled = 0;
  while (!sweep.idle()) {
    for (const auto& done : sweep.Step(Slice::zero())) {
      if (done.key == 1) signalled = done.signalled;
    }
  }
  CHECK(signalled == 1);
  CHECK(HasEnded(early.pidfd, 10'000));
  Reap(late.pidfd);
  End(early);
}

TEST_CASE("A process is found also while it executes another program") {
  // It does nothing else, so that many of the looks meet it in the middle.
  TempFolder folder;
  folder.Write("again", "exec /bin/sh \"$0\"\n");
  const std::string cookie = AnyCookie();
  constexpr int kRounds = 200;
  int killed = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Spawned busy =
        StartShell("exec /bin/sh " + (folder / "again"), {"SLC_COOKIE=" + cookie + ".1"});
    killed += KillByCookie(cookie + ".1");
    SignalProcess(busy.pidfd, SIGKILL);
    REQUIRE(HasEnded(busy.pidfd, 10'000));
    Reap(busy.pidfd);
  }
  CHECK(killed == kRounds);
}

// Milliseconds that it takes to find nothing.
Millis SearchTime() {
  const Millis begin = BootNow();
  CHECK(KillByCookie(AnyCookie() + ".1") == 0);
  return BootNow() - begin;
}

// Anybody can do that: it looks as in the middle of an exec, for ever.
int HideEnvironment(void*) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t at = ReadImage(::getpid())->environment / page * page;
  // Far beyond its end.
  ::munmap(reinterpret_cast<void*>(at), 64 * page);
  while (true) ::pause();
}

TEST_CASE("A process that has no environment, or not any more, keeps nobody waiting") {
  const Spawned bare = StartShell("exec env -i sleep 100", {"SLC_COOKIE=" + AnyCookie() + ".1"});
  // On a stack of its own: the frames of the first one may begin in the environment's first page.
  std::vector<char> stack(256U << 10);
  const pid_t hidden =
      ::clone(HideEnvironment, stack.data() + stack.size() / 16 * 16, SIGCHLD, nullptr);
  REQUIRE(hidden > 0);
  const auto environment_of = [](pid_t pid) {
    return ReadFile("/proc/" + std::to_string(pid) + "/environ", 1U << 20);
  };
  for (const pid_t pid : {static_cast<pid_t>(bare.identity.pid), hidden}) {
    CHECK(Within(10'000, [&] {
      const auto environment = environment_of(pid);
      const auto image = ReadImage(pid);
      return environment && environment->empty() && image && image->code != 0;
    }));
  }
  // Whoever waits for an exec waits for 500 ms. These two would be waited for in each search;
  // others of the machine, that a busy core keeps in the middle of one, not in all of five.
  Millis least = SearchTime();
  for (int i = 1; i < 5; ++i) least = std::min(least, SearchTime());
  CHECK(least < 250);
  ::kill(hidden, SIGKILL);
  ::waitpid(hidden, nullptr, 0);
  End(bare);
}

TEST_CASE("All of an instance but those that are known are found") {
  const std::string cookie = AnyCookie();
  const Spawned known = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".1"});
  const Spawned stray = StartShell("exec sleep 100", {"SLC_COOKIE=" + cookie + ".12"});
  REQUIRE(Sleep(cookie + ".", 2));
  LeftoverSweep sweep;
  std::vector<std::string> asked;
  sweep.AddAllBut(7, cookie + ".", [&](const std::string& rest) {
    asked.push_back(rest);
    return rest == "1";
  });
  const auto done = sweep.Finish();
  REQUIRE(done.size() == 1);
  CHECK(done[0].key == 7);
  CHECK(done[0].signalled == 1);
  CHECK(HasEnded(stray.pidfd, 10'000));
  CHECK_FALSE(HasEnded(known.pidfd, 0));
  CHECK(std::count(asked.begin(), asked.end(), "1") > 0);
  Reap(stray.pidfd);
  End(known);
}

}  // namespace slc
