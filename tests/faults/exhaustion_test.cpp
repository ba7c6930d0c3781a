// Nothing left: no descriptor, no process. What serves goes on serving, slcd answers, nobody spins,
// and all is well as soon as there is enough again.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <doctest/doctest.h>

#include "common/base/file_limit.h"
#include "common/base/files.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "tests/faults/cpu_watch.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;

namespace {

// The bounds.
constexpr Millis kAnswer = 1'000;
constexpr Millis kRecovery = 2'000;
constexpr double kMostCpu = 0.2;

// As long as it lives, the process may open so many files more than it has.
class FewDescriptors {
 public:
  FewDescriptors(pid_t pid, std::size_t more) : pid_(pid) {
    REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_) == 0);
    rlimit limit = before_;
    limit.rlim_cur = CountOpenFiles(pid) + more;
    REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr) == 0);
  }
  ~FewDescriptors() { ::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  pid_t pid_;
  rlimit before_{};
};

// Clients of slcd's socket that connect and say nothing.
std::vector<UniqueFd> Idlers(World& world, int count) {
  const UniqueFd folder(
      ::open((world.home() + "/run").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = PathThroughFd(folder.get(), "slcd.sock");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  std::vector<UniqueFd> idlers;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    idlers.push_back(std::move(fd));
  }
  return idlers;
}

std::vector<RawConnection> Visitors(const App& app, int count) {
  std::vector<RawConnection> visitors;
  for (int i = 0; i < count; ++i) visitors.emplace_back(app.port);
  return visitors;
}

// Every system call of these names fails in the process, as long as this lives.
class Refusing {
 public:
  Refusing(World& world, pid_t pid, const std::string& calls, const std::string& error)
      : strace_(world.BeginProgram({"strace", "-f", "-qq", "-o", "/dev/null", "-e",
                                    "trace=" + calls, "-e", "inject=" + calls + ":error=" + error,
                                    "-p", std::to_string(pid)})) {
    const std::string status = "/proc/" + std::to_string(pid) + "/status";
    WaitUntil(
        [&] { return Contains(ReadText(status), "TracerPid:\t" + std::to_string(strace_.pid())); },
        10'000, "strace");
  }
  void End() {
    strace_.Signal(SIGINT);
    strace_.Wait();
  }

 private:
  Running strace_;
};

Words Without(const Words& lanes, const std::string& service) {
  Words rest;
  for (const std::string& lane : lanes) {
    if (!StartsWith(lane, "name=" + service)) rest.push_back(lane);
  }
  return rest;
}

}  // namespace

TEST_SUITE("exhaustion") {
  TEST_CASE("slcd and masters have no descriptor left") {
    RaiseFileLimit();
    World world;
    world.ExpectInLog("there is no room for");
    FourServices services(world);
    const App& web = services.apps()[0];
    const App& plain = services.apps()[2];
    LoadClient load(world, Without(services.lanes(), plain.name), {"--timeout", "30000"});
    load.AwaitKept();
    std::vector<pid_t> pids{world.Daemon()->pid};
    for (const auto& [name, master] : services.Masters()) pids.push_back(master);
    std::vector<Millis> answers;
    double cpu = 0;
    Millis end = 0;
    {
      std::vector<std::unique_ptr<FewDescriptors>> limits;
      for (const pid_t pid : pids) limits.push_back(std::make_unique<FewDescriptors>(pid, 5));
      const auto idlers = Idlers(world, 500);
      const auto visitors = Visitors(web, 500);
      // Its successor needs more descriptors than there are.
      Kill(*IdentifyProcess(world.ReadyPids(plain.name).front()));
      const CpuWatch watch(pids);
      for (int i = 0; i < 20; ++i) {
        answers.push_back(world.Must({"ctl", "ls"}).took);
        LetPass(150);
      }
      cpu = watch.Highest();
      CHECK(world.ReadyPids(plain.name).size() == 1);
      CHECK(Get(plain.url()).status == 200);
      end = BootNow();
    }
    WaitUntil([&] { return world.ReadyPids(plain.name).size() == 2; }, 10'000,
              "the worker that could not be started");
    const Millis recovery = BootNow() - end;
    const Millis change = world.Must({"ctl", "set-size", web.name, "3"}).took;
    world.Must({"ctl", "set-size", web.name, "2"});
    const LoadReport report = load.Stop();
    MESSAGE(
        "slcd and four masters with 5 descriptors more than they have, 500 idle clients of slcd, "
        "500 connections: slc ctl ls answers after ",
        Percentile(answers, 50), " ms (median), ", Percentile(answers, 100),
        " ms at most; CPU of the busiest ", static_cast<int>(cpu * 100), " %; whole again after ",
        recovery, " ms", Figures(report));
    CheckNoneFailed(report);
    CHECK(Percentile(answers, 100) <= kAnswer);
    CHECK(cpu < kMostCpu);
    CHECK(recovery <= kRecovery);
    CHECK(change <= kRecovery);
    services.CheckWhole();
  }

  TEST_CASE("what slcd had no room for it asks for again") {
    World world;
    world.ExpectInLog("there is no room for");
    const App app = world.StartApp("express4", {"--size", "2"});
    {
      // One for the client, one for the wish's file, and one of the three that a worker needs.
      const FewDescriptors limit(world.Daemon()->pid, 3);
      world.Must({"ctl", "set-size", app.name, "4"});
    }
    CHECK(Contains(world.DaemonLog(), "there is no room for"));
    const auto pids = world.ReadyPids(app.name);
    CHECK(pids.size() == 4);
    const auto daemon = world.Daemon();
    const std::size_t before = CountOpenFiles(daemon->pid);
    // Six descriptors of two workers, of which some may be there already.
    WaitUntil([&] { return CountOpenFiles(daemon->pid) > before; }, kRecovery, "what was missing");
    LetPass(600);
    const auto old = IdentifyProcess(world.MasterPid(app.name));
    world.KillMaster(app.name);
    AwaitSuccessor(world, app.name, *old);
    CHECK(world.ReadyPids(app.name) == pids);
  }

  TEST_CASE("a listener that slcd had no room for is bound anew by the master's successor") {
    World world;
    world.ExpectInLog("there is no room for");
    world.ExpectInLog("replacing it");
    world.ExpectInLog("has taken over");
    world.ExpectInLog("its master cannot be started");
    const int more = FreePort();
    // Many, of which the last is the one that is looked at: slcd has a reserve.
    const std::string folder = world.MakeFolder(
        "many-ports",
        {{"server.js",
          "const http = require('http');\n"
          "const more = Array(60).fill(0).concat([process.env.MORE]);\n"
          "const answer = (request, response) => {\n"
          "  if (request.url !== '/more') return response.end('one');\n"
          "  const next = () => more.length === 0 ? response.end('done') :\n"
          "    http.createServer((q, r) => r.end('two')).listen(more.shift(), next);\n"
          "  next();\n"
          "};\n"
          "http.createServer(answer).listen(process.env.PORT);\n"}});
    const App app =
        world.StartPath(folder, {"--size", "1", "--env", "MORE=" + std::to_string(more)});
    const auto pids = world.ReadyPids(app.name);
    const auto old = IdentifyProcess(world.MasterPid(app.name));
    REQUIRE(old);
    {
      const FewDescriptors limit(world.Daemon()->pid, 0);
      CHECK(Get(app.url("/more")).status == 200);
      WaitUntil([&] { return Contains(world.DaemonLog(), "there is no room for"); }, 5'000,
                "slcd to have no room");
      Kill(*old);
      WaitUntil([&] { return !IsAlive(*old); }, 10'000, "the end of the master");
    }
    AwaitSuccessor(world, app.name, *old);
    CHECK(world.ReadyPids(app.name) == pids);
    CHECK(Get(app.url()).status == 200);
    CHECK(Get("http://127.0.0.1:" + std::to_string(more) + "/").status == 200);
    CHECK(Contains(ReadText(world.log_folder(app.name) + "/out.log"),
                   "was not kept and is bound anew"));
  }

  TEST_CASE("slcd is handed more descriptors than it may open beside them") {
    World world;
    // As systemd does it: from 3 on. The soft limit leaves room for the libraries of slcd, which
    // are opened one by one, and for no more.
    const std::string script =
        "import os, resource, sys\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
        "for i in range(1200): os.memfd_create('kept', 0)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1205, hard))\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1200')\n"
        "os.execv(sys.argv[1], ['slcd'])\n";
    Running slcd = world.BeginProgram({"python3", "-c", script, BinaryPath("slcd")});
    WaitUntil(
        [&] {
          if (slcd.HasEnded()) FAIL("slcd has ended: ", slcd.Wait().err);
          return world.Daemon() && world.Slc({"ctl", "-C", world.socket(), "ls"}).code == 0;
        },
        10'000, "slcd to answer");
    // It has no use for these.
    CHECK(CountOpenFiles(slcd.pid()) < 100);
    // Workers have what it was started with. (Node raises its own.)
    const std::string folder =
        world.MakeFolder("limit", {{"app.sh", "ulimit -Sn; exec sleep 99\n"}});
    world.Must({"start", folder + "/app.sh", "--interpreter", "/bin/sh", "--name", "limit"});
    const std::string log = world.log_folder("limit") + "/out.log";
    WaitUntil([&] { return Contains(ReadText(log), "worker:1 1205"); }, 5'000,
              "the worker's limit");
    world.Must({"ctl", "shutdown"});
    CHECK(slcd.Wait().code == 0);
  }

  TEST_CASE("a slcd that can make no thread says so, and the next one serves") {
    World world;
    FaultRules faults(world);
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    world.ExpectInLog("start a thread: Resource temporarily unavailable");
    const auto pids = world.ReadyPids(app.name);
    world.KillDaemon();
    FaultRule rule;
    rule.call = "thread";
    rule.process = "slcd";
    rule.error = EAGAIN;
    rule.nth = -1;
    faults.Arm(rule);
    const Ran ran = world.Begin({"ctl", "ls"}).Wait();
    INFO(ran.err);
    CHECK(ran.code == 3);
    CHECK(Contains(ran.err, "start a thread: Resource temporarily unavailable"));
    CHECK(faults.Hits() > 0);
    faults.Disarm();
    world.Must({"ctl", "ls"});
    CHECK(world.ReadyPids(app.name) == pids);
  }

  TEST_CASE("no process can be made for 10 s") {
    World world;
    FourServices services(world);
    const App& web = services.apps()[0];
    const App& plain = services.apps()[2];
    const App& tls = services.apps()[1];
    LoadClient load(world, Without(services.lanes(), plain.name), {"--timeout", "30000"});
    load.AwaitKept();
    const auto old = world.ReadyPids(web.name);
    const auto kept = world.ReadyPids(tls.name);
    world.ExpectInLog("has taken over");
    world.ExpectInLog("replacing it");
    world.ExpectInLog("its master cannot be started");
    std::vector<pid_t> pids{world.Daemon()->pid};
    for (const auto& [name, master] : services.Masters()) pids.push_back(master);
    std::vector<Millis> answers;
    double cpu = 0;
    Ran given_up;
    Millis struck = 0;
    Millis end = 0;
    std::int64_t kept_before = 0;
    std::int64_t kept_after = 0;
    const std::string kept_lane = tls.name + "-keep";
    // The blow itself.
    constexpr Millis kBlow = 10'000;
    {
      const std::string calls = "clone,clone3,fork,vfork";
      Refusing web_master(world, world.MasterPid(web.name), calls, "EAGAIN");
      Refusing plain_master(world, world.MasterPid(plain.name), calls, "EAGAIN");
      Refusing slcd(world, world.Daemon()->pid, calls, "EAGAIN");
      Running roll = world.Begin({"ctl", "soft-restart", web.name});
      Kill(*IdentifyProcess(world.ReadyPids(plain.name).front()));
      // Its successor cannot be made: new connections wait in the kernel's queue.
      const int master = world.MasterPid(tls.name);
      pids.erase(std::remove(pids.begin(), pids.end(), master), pids.end());
      kept_before = load.SoFar().lane(kept_lane).ok;
      Kill(*IdentifyProcess(master));
      struck = BootNow();
      const CpuWatch watch(pids);
      while (BootNow() < struck + kBlow) {
        answers.push_back(world.Must({"ctl", "ls"}).took);
        LetPass(500);
      }
      cpu = watch.Highest();
      CHECK(world.ReadyPids(plain.name).size() == 1);
      kept_after = load.SoFar().lane(kept_lane).ok;
      end = BootNow();
      web_master.End();
      plain_master.End();
      slcd.End();
      given_up = roll.Wait();
    }
    WaitUntil([&] { return world.ReadyPids(plain.name).size() == 2; }, 10'000,
              "the worker that could not be started");
    world.WaitForState(tls.name, "running");
    const Millis recovery = BootNow() - end;
    CHECK(world.ReadyPids(tls.name) == kept);
    CHECK(given_up.code == 1);
    CHECK_MESSAGE(Contains(given_up.err, "Resource temporarily unavailable"), given_up.err);
    CHECK(world.ReadyPids(web.name) == old);
    world.Must({"ctl", "soft-restart", web.name});
    const LoadReport report = load.Stop();
    MESSAGE(
        "no process for 10 s: a soft restart is given up with the reason, slc ctl ls answers "
        "after ",
        Percentile(answers, 50), " ms (median), ", Percentile(answers, 100),
        " ms at most; CPU of the busiest ", static_cast<int>(cpu * 100), " %; whole again after ",
        recovery, " ms", Figures(report));
    CheckNoneFailed(report, {{tls.name + "-close", end + recovery - struck}});
    // Established connections do without their master: half of the lane's pace all the time.
    const double pace = report.lane(kept_lane).pace.value();
    CHECK(kept_after - kept_before >=
          static_cast<std::int64_t>(pace * static_cast<double>(kBlow) / 1000 / 2));
    CHECK(Percentile(answers, 100) <= kAnswer);
    CHECK(cpu < kMostCpu);
    CHECK(recovery <= kRecovery);
    services.CheckWhole();
  }
}
