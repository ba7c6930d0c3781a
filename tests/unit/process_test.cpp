#include "common/base/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>

#include "common/base/ids.h"
#include "common/base/spawn.h"
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

}  // namespace

TEST_CASE("A process is its pid and its start; a number alone is nobody") {
  const ProcessIdentity self = IdentifySelf();
  CHECK(self.pid == ::getpid());
  CHECK(self.start_time > 0);
  CHECK(OpenProcess(self));
  CHECK_FALSE(OpenProcess(ProcessIdentity{self.pid, self.start_time + 1}));
  CHECK_FALSE(OpenProcess(ProcessIdentity{0, 0}));
  CHECK_FALSE(OpenProcess(ProcessIdentity{-1, 0}));
  CHECK_FALSE(IdentifyProcess(1 << 29));
  CHECK(BootId().size() == 36);
  CHECK(BootId() == BootId());
  CHECK(HasEnded(UniqueFd(), 0));
  CHECK_FALSE(SignalProcess(UniqueFd(), 0));
}

TEST_CASE("A process whose name holds blanks and brackets is identified all the same") {
  char before[17] = {};
  ::prctl(PR_GET_NAME, before, 0, 0, 0);
  const ProcessIdentity self = IdentifySelf();
  ::prctl(PR_SET_NAME, ") S 1 1 (", 0, 0, 0);
  CHECK(IdentifySelf() == self);
  const auto usage = ReadUsage(::getpid());
  ::prctl(PR_SET_NAME, before, 0, 0, 0);
  REQUIRE(usage);
  CHECK(usage->state == 'R');
  CHECK(usage->parent == ::getppid());
  CHECK(usage->resident > 100'000);
}

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

TEST_CASE("Who listens on a port is found") {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  socklen_t length = sizeof(address);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::uint16_t port = ntohs(address.sin_port);
  CHECK_FALSE(FindPortHolder(port));
  REQUIRE(::listen(socket.get(), 1) == 0);
  const auto holder = FindPortHolder(port);
  REQUIRE(holder);
  CHECK(holder->pid == ::getpid());
  CHECK_FALSE(holder->command.empty());
}

TEST_CASE("Programs are looked up in PATH, but never in the current folder") {
  TempFolder folder;
  folder.Write("one/tool", "#!/bin/sh\n", 0644);
  folder.Write("two/tool", "#!/bin/sh\n", 0755);
  REQUIRE(MakeDirectories(folder / "three/tool"));
  const std::string path =
      folder / "none" + ":" + folder / "one" + "::" + folder / "three" + ":" + folder / "two";
  CHECK(*FindProgram("tool", path) == folder / "two/tool");
  CHECK(FindProgram("other", path).error().code == ErrorCode::kNotFound);
  CHECK(*FindProgram(folder / "two/tool", "") == folder / "two/tool");
  CHECK_FALSE(FindProgram(folder / "one/tool", path));
  CHECK_FALSE(FindProgram(folder / "three", path));
  REQUIRE(::chdir((folder / "two").c_str()) == 0);
  CHECK_FALSE(FindProgram("tool", ""));
  CHECK_FALSE(FindProgram("tool", ":"));
  REQUIRE(::chdir("/") == 0);
}

TEST_CASE("There is at least one CPU, and this binary has a folder") {
  CHECK(UsableCpus() >= 1);
  CHECK(UsableCpus() <= 4096);
  CHECK(OwnDirectory()[0] == '/');
  CHECK(::access((OwnDirectory() + "/.").c_str(), F_OK) == 0);
}

TEST_CASE("Request ids are long and never the same") {
  const std::string one = NewRequestId();
  CHECK(one.size() == 32);
  CHECK(one.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(NewRequestId() != one);
}

}  // namespace slc
