// What a worker is given: its own descriptors, and of environment and limits what its owner has
// configured; and who else can read that.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/faults/faults.h"
#include "tests/faults/nobody.h"

using namespace slc;
using namespace slc::test;

namespace {

namespace fs = std::filesystem;

std::string TargetOf(const std::string& link) {
  std::error_code ignored;
  return fs::read_symlink(link, ignored).string();
}

// The numbers of a process's open descriptors.
std::vector<int> Descriptors(pid_t pid) {
  std::vector<int> numbers;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    numbers.push_back(std::atoi(entry.path().filename().c_str()));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::map<std::string, std::string> EnvironmentOf(pid_t pid) {
  std::map<std::string, std::string> environment;
  for (const std::string& each :
       Split(ReadText("/proc/" + std::to_string(pid) + "/environ"), '\0')) {
    environment[each.substr(0, each.find('='))] = each.substr(each.find('=') + 1);
  }
  return environment;
}

int OnlyPid(World& world, const App& app) {
  const auto pids = world.ReadyPids(app.name);
  REQUIRE(pids.size() == 1);
  return pids[0];
}

}  // namespace

TEST_SUITE("hostile") {
  TEST_CASE("the variables of tests mean nothing in a service's configuration") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
    const std::string library = BinaryPath("slc-clock.so");
    const std::string stolen = world.folder() + "/place/fault.so";
    const std::string folder =
        FolderOfNobody(world, "web",
                       {{"server.js", kMirror},
                        {".env", "SLC_TEST_PRELOAD=" + stolen + "\nSLC_TEST_FAULTS=/x\n"}});
    REQUIRE(MakeDirectories(world.folder() + "/place").ok());
    fs::copy_file(library, stolen);
    const App app = world.StartPath(folder, {"--run-as", "nobody", "--size", "1", "--env",
                                             "SLC_TEST_CLOCK=/y", "--min-uptime", "100ms"});
    const auto check = [&](const std::string& when) {
      CAPTURE(when);
      for (const int pid : {world.Daemon()->pid, world.MasterPid(app.name)}) {
        for (const auto& [name, value] : EnvironmentOf(pid)) {
          CHECK_MESSAGE(!StartsWith(name, "SLC_TEST_"), name);
          CHECK(name != "LD_PRELOAD");
        }
        CHECK_FALSE(Contains(ReadText("/proc/" + std::to_string(pid) + "/maps"), "fault.so"));
      }
      CHECK_FALSE(
          Contains(ReadText("/proc/" + std::to_string(OnlyPid(world, app)) + "/maps"), "fault.so"));
    };
    check("at first");
    world.Must({"ctl", "env-set", app.name, "SLC_TEST_PRELOAD=" + stolen});
    check("after env-set");
    const auto master = IdentifyProcess(world.MasterPid(app.name));
    REQUIRE(master);
    world.KillMaster(app.name);
    AwaitSuccessor(world, app.name, *master);
    check("under another master");
    // Brought back by the master, whose environment is all that it gets.
    const auto daemon = world.Daemon();
    world.KillDaemon();
    WaitUntil([&] { return world.Daemon() && world.TryView(app.name); }, 10'000, "another slcd");
    world.WaitForState(app.name, "running");
    CHECK(world.Daemon() != daemon);
    check("under a slcd that a master has started");
    // They do work where they come from the owner.
    world.Must({"ctl", "shutdown"});
    world.Must({"ctl", "start", app.name}, {.env = {{"SLC_TEST_PRELOAD", stolen}}});
    CHECK(Contains(ReadText("/proc/" + std::to_string(world.Daemon()->pid) + "/maps"), "fault.so"));
  }

  TEST_CASE("a worker has its own descriptors and nothing of ours, whoever started it") {
    World world;
    const App node = world.StartApp("plain/server.js",
                                    {"--size", "1", "--name", "node", "--min-uptime", "100ms"});
    const std::string folder = world.MakeFolder("sleeper", {{"run.sh", "exec sleep 1000\n"}});
    const App sleeper = world.StartPath(
        folder + "/run.sh", {"--interpreter", "sh", "--name", "sleeper", "--min-uptime", "100ms"});
    // The same program in the place of node: with a channel.
    const std::string stand_in =
        world.MakeFolder("stand-in", {{"server.js", ""}, {"node", "#!/bin/sh\nexec sleep 1000\n"}});
    REQUIRE(::chmod((stand_in + "/node").c_str(), 0755) == 0);
    const App channel =
        world.StartPath(stand_in, {"--node", stand_in + "/node", "--ready", "alive", "--size", "1",
                                   "--name", "channel", "--min-uptime", "100ms"});
    const auto check = [&](const std::string& when) {
      CAPTURE(when);
      CHECK(Descriptors(OnlyPid(world, sleeper)) == std::vector<int>{0, 1, 2});
      CHECK(Descriptors(OnlyPid(world, channel)) == std::vector<int>{0, 1, 2, 3});
      for (const App& app : {sleeper, channel, node}) {
        const std::string fd = "/proc/" + std::to_string(OnlyPid(world, app)) + "/fd/";
        CHECK(TargetOf(fd + "0") == "/dev/null");
        CHECK(StartsWith(TargetOf(fd + "1"), "pipe:"));
        CHECK(StartsWith(TargetOf(fd + "2"), "pipe:"));
        for (const int number : Descriptors(OnlyPid(world, app))) {
          const std::string target = TargetOf(fd + std::to_string(number));
          CHECK_MESSAGE(!Contains(target, world.home()), target);
          CHECK_MESSAGE(!Contains(target, "memfd:slc"), target);
        }
      }
    };
    // Each of them dies and is replaced, so that a new one is seen.
    const auto renew = [&] {
      for (const App& app : {sleeper, channel, node}) {
        const int old = OnlyPid(world, app);
        LetPass(200);  // its --min-uptime
        Kill(*IdentifyProcess(old));
        WaitUntil(
            [&] {
              const auto now = world.ReadyPids(app.name);
              return now.size() == 1 && now[0] != old;
            },
            20'000, "a successor");
      }
    };
    world.ExpectInLog("accidental end");
    check("at first");
    for (const App& app : {sleeper, channel, node}) {
      world.KillMaster(app.name);
      WaitUntil([&] { return world.TryView(app.name)->state == "running"; }, 10'000,
                "another master");
    }
    check("under another master");
    renew();
    check("started by another master");
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    for (const App& app : {sleeper, channel, node}) world.WaitForState(app.name, "running");
    renew();
    check("started under another slcd");
    for (const App& app : {sleeper, channel, node}) world.KillMaster(app.name);
    for (const App& app : {sleeper, channel, node}) {
      WaitUntil([&] { return world.TryView(app.name)->state == "running"; }, 10'000,
                "another master");
    }
    renew();
    check("started by another slcd's master");
  }

  TEST_CASE("what a worker's environment, limits and score are comes from its owner alone") {
    World world;
    const Words names{"LD_PRELOAD",
                      "LD_LIBRARY_PATH",
                      "LD_AUDIT",
                      "LD_DEBUG_OUTPUT",
                      "GCONV_PATH",
                      "MALLOC_CHECK_",
                      "NODE_OPTIONS",
                      "NODE_PATH",
                      "NODE_EXTRA_CA_CERTS",
                      "NODE_REPL_EXTERNAL_MODULE",
                      "NODE_V8_COVERAGE",
                      "NODE_DEBUG",
                      "NODE_PENDING_DEPRECATION",
                      "NODE_TLS_REJECT_UNAUTHORIZED",
                      "OPENSSL_CONF",
                      "SSL_CERT_FILE",
                      "PYTHONPATH",
                      "PYTHONSTARTUP",
                      "PYTHONHOME",
                      "PERL5LIB",
                      "RUBYOPT",
                      "BASH_ENV",
                      "ENV",
                      "IFS",
                      "CDPATH",
                      "PROMPT_COMMAND",
                      "http_proxy",
                      "HTTPS_PROXY",
                      "AWS_SECRET_ACCESS_KEY",
                      "SSH_AUTH_SOCK",
                      "NOTIFY_SOCKET",
                      "LISTEN_FDS",
                      "TEST_MARK"};
    Options caller;
    // Harmless values, or the programs of this test would not start.
    for (const std::string& name : names)
      caller.env[name] = name == "LD_PRELOAD" ? "" : "/nonexistent";
    caller.env.erase("NODE_OPTIONS");
    caller.env["NODE_OPTIONS"] = "--no-warnings";
    caller.env.erase("NOTIFY_SOCKET");
    // slcd is started by this very call.
    const App app =
        world.StartApp("plain/server.js", {"--size", "1", "--min-uptime", "100ms"}, caller);
    const auto check = [&](const std::string& when) {
      CAPTURE(when);
      for (const int pid : {OnlyPid(world, app), world.MasterPid(app.name)}) {
        const auto environment = EnvironmentOf(pid);
        CHECK(environment.size() > 0);
        for (const std::string& name : names) CHECK_MESSAGE(environment.count(name) == 0, name);
      }
      const int worker = OnlyPid(world, app);
      const int master = world.MasterPid(app.name);
      const int daemon = world.Daemon()->pid;
      const auto score = [](int pid) {
        return std::atoi(ReadText("/proc/" + std::to_string(pid) + "/oom_score_adj").c_str());
      };
      const int own = score(::getpid());
      CHECK(score(worker) == std::max(300, own));
      CHECK(score(master) == own);
      CHECK(score(daemon) == own);
      const auto core = [](int pid) {
        rlimit limit{};
        REQUIRE(::prlimit(pid, RLIMIT_CORE, nullptr, &limit) == 0);
        return limit.rlim_cur;
      };
      CHECK(core(worker) == core(::getpid()));
      CHECK(core(master) <= 1);
      CHECK(core(daemon) <= 1);
    };
    check("at first");
    for (const std::string& name : names)
      CHECK_MESSAGE(EnvironmentOf(world.Daemon()->pid).count(name) == 0, name);
    world.Must({"ctl", "soft-restart", app.name}, caller);
    check("after a soft restart");
    world.KillDaemon();
    world.Must({"ctl", "ls"}, caller);
    world.WaitForState(app.name, "running");
    world.KillMaster(app.name);
    WaitUntil([&] { return world.TryView(app.name)->state == "running"; }, 10'000,
              "another master");
    world.Must({"ctl", "restart", app.name}, caller);
    check("under another slcd and master");
    // What the owner says is what it gets.
    world.Must({"ctl", "env-set", app.name, "NODE_OPTIONS=--no-deprecation", "TEST_MARK=mine"});
    CHECK(EnvironmentOf(OnlyPid(world, app)).at("NODE_OPTIONS") == "--no-deprecation");
    CHECK(EnvironmentOf(OnlyPid(world, app)).at("TEST_MARK") == "mine");
    MESSAGE(names.size(), " variables of the caller: none reaches slcd, a master or a worker");
  }

  TEST_CASE("a secret is in the private files of the home and nowhere else") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const std::string secret = "hidden" + std::to_string(::getpid()) + "treasure";
    world.Must({"ctl", "env-set", app.name, "TOKEN=" + secret});
    CHECK(EnvironmentOf(OnlyPid(world, app)).at("TOKEN") == secret);
    world.ExpectInLog("accidental end");
    world.Slc({"ctl", "env-set", app.name, "PORT=" + secret});
    world.Must({"ctl", "soft-restart", app.name});
    for (const auto& entry : fs::recursive_directory_iterator(world.home())) {
      if (!entry.is_regular_file()) continue;
      const std::string path = entry.path();
      CAPTURE(path);
      struct stat info {};
      REQUIRE(::stat(path.c_str(), &info) == 0);
      CHECK((info.st_mode & 0177) == 0);
      if (Contains(ReadText(path), secret)) CHECK(StartsWith(path, world.home() + "/services/"));
    }
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string line = ReadText(entry.path().string() + "/cmdline");
      CHECK_MESSAGE(!Contains(line, secret), line);
    }
    for (const Words& command :
         {Words{"ctl", "ls"}, Words{"logs", app.name}, Words{"ctl", "log-dump", app.name}}) {
      const Ran ran = world.Slc(command);
      CHECK_MESSAGE(!Contains(ran.out + ran.err, secret), ran.out, ran.err);
    }
  }
}
