// A hostile local user, and a worker with --run-as, who is the nearest one there can be: neither
// reaches our processes, files or sockets, nor has root do what he could not do himself. Needs
// root.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/faults/faults.h"
#include "tests/system/harness/home_processes.h"

using namespace slc;
using namespace slc::test;

namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

bool IsRoot() { return Possible(::geteuid() == 0, "only root can be somebody else"); }

// The world's folder can be entered by everybody, so that the home has to protect itself.
void Open(World& world) { REQUIRE(::chmod(world.folder().c_str(), 0755) == 0); }

Words AsNobody(const Words& command) {
  Words words{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

// A folder below the world's with these files, owned by nobody.
std::string FolderOfNobody(World& world, const std::string& name,
                           const std::map<std::string, std::string>& files) {
  std::string folder = world.MakeFolder(name, files);
  REQUIRE(::chmod((world.folder() + "/apps").c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.c_str(), 0755) == 0);
  REQUIRE(::chown(folder.c_str(), kNobody, kNobody) == 0);
  for (const auto& [file, text] : files) {
    REQUIRE(::chmod((folder + "/" + file).c_str(), 0755) == 0);
    REQUIRE(::chown((folder + "/" + file).c_str(), kNobody, kNobody) == 0);
  }
  return folder;
}

// What hostile.py is to attack: slcd and masters of a home and these workers, all that is in it. It
// may write to the folder "place" of the world.
std::map<std::string, std::string> Targets(World& world, const std::string& home,
                                           const std::vector<int>& workers) {
  std::string pids;
  for (const ProcessIdentity& each : FindSupervisors(home)) pids += std::to_string(each.pid) + " ";
  for (const int pid : workers) pids += std::to_string(pid) + " ";
  std::string folders = home + " ";
  std::string files;
  for (const auto& entry : fs::recursive_directory_iterator(home)) {
    (entry.is_directory() ? folders : files) += entry.path().string() + " ";
  }
  const std::string place = world.folder() + "/place";
  REQUIRE(MakeDirectories(place).ok());
  REQUIRE(::chmod(place.c_str(), 0777) == 0);
  return {{"HOSTILE_PIDS", pids},
          {"HOSTILE_FOLDERS", folders},
          {"HOSTILE_FILES", files},
          {"HOSTILE_PLACE", place}};
}

// "attempts N", deeds that succeeded, "done".
int CheckReport(const std::string& report) {
  const auto lines = LinesOf(report);
  REQUIRE_MESSAGE(lines.size() >= 2, report);
  CHECK(lines.back() == "done");
  CHECK_MESSAGE(lines.size() == 2, report);
  return std::atoi(lines[0].substr(lines[0].find(' ') + 1).c_str());
}

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
  TEST_CASE("another user reaches neither processes nor files nor sockets") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const auto workers = world.ReadyPids(app.name);
    const int daemon = world.Daemon()->pid;
    const int master = world.MasterPid(app.name);
    const std::size_t daemon_files = CountOpenFiles(daemon);
    const std::size_t log_lines = LinesOf(world.DaemonLog()).size();
    const Ran ran =
        world
            .BeginProgram(AsNobody({"python3", SourcePath("tests/apps/hostile/hostile.py")}),
                          {.cwd = "/", .env = Targets(world, world.home(), workers)})
            .Wait();
    INFO(ran.err);
    const int attempts = CheckReport(ran.out);
    CHECK(attempts > 500);
    CHECK(world.Daemon()->pid == daemon);
    CHECK(world.MasterPid(app.name) == master);
    CHECK(world.ReadyPids(app.name) == workers);
    CHECK(Get(app.url()).status == 200);
    CHECK(CountOpenFiles(daemon) <= daemon_files + 1);
    CHECK(LinesOf(world.DaemonLog()).size() == log_lines);
    MESSAGE("user nobody: 0 of ", attempts, " attempts succeeded");
  }

  // Who may do all that has to succeed at each kind of it, or the refusals above prove nothing.
  TEST_CASE("the owner succeeds at every kind of attempt") {
    if (!IsRoot()) return;
    World world;
    // A home of its own: nothing of it is as it was afterwards. Its sockets' paths do not fit
    // sun_path.
    std::string home = world.folder();
    while (home.size() < 200) home += "/a-rather-long-name-of-a-folder";
    KillAllWhenWeEnd(home);
    const Options there{.env = {{"SLC_HOME", home}}};
    world.StartApp("express4", {"--size", "2"}, there);
    std::vector<int> workers;
    for (const ProcessIdentity& each : FindWorkers(home)) workers.push_back(each.pid);
    auto control = Targets(world, home, workers);
    control["HOSTILE_CONTROL"] = "1";
    const Ran ran = world
                        .BeginProgram({"python3", SourcePath("tests/apps/hostile/hostile.py")},
                                      {.cwd = "/", .env = control})
                        .Wait();
    INFO(ran.err);
    const int attempts = CheckReport(ran.out);
    KillAllOf(home);
    CHECK(attempts > 500);
    MESSAGE("root: each kind of ", attempts, " attempts succeeded");
  }

  // The folders' modes are one wall, and taken away here; who is at the other end the next.
  TEST_CASE("a flood of connections by another user delays no command") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const auto daemon = world.Daemon();
    const std::size_t files = CountOpenFiles(daemon->pid);
    for (const std::string& folder : {world.home(), world.home() + "/run"}) {
      REQUIRE(::chmod(folder.c_str(), 0755) == 0);
    }
    REQUIRE(::chmod(world.socket().c_str(), 0666) == 0);
    world.ExpectInLog("refused a client of uid 65534");
    const std::size_t lines = LinesOf(world.DaemonLog()).size();
    std::vector<Running> floods;
    const Millis begun = BootNow();
    for (int i = 0; i < 2; ++i) {
      floods.push_back(world.BeginProgram(
          AsNobody({"python3", SourcePath("tests/apps/hostile/flood.py"), world.socket()})));
    }
    WaitUntil([&] { return Contains(world.DaemonLog(), "refused a client of uid 65534"); }, 10'000,
              "the flood");
    std::vector<Millis> took;
    for (int i = 0; i < Blows(100); ++i) {
      took.push_back(world.Must({"ctl", "ls"}).took);
      took.push_back(
          world.Must({"ctl", "env-set", app.name, "--no-restart", "ROUND=" + std::to_string(i)})
              .took);
    }
    int connected = 0;
    for (Running& each : floods) {
      each.Signal(SIGTERM);
      const Ran& ran = each.Wait();
      REQUIRE_MESSAGE(StartsWith(ran.out, "connected "), ran.out, ran.err);
      connected += std::atoi(ran.out.substr(std::string("connected ").size()).c_str());
      CHECK_MESSAGE(EndsWith(std::string(Trim(ran.out)), ", open 0"), ran.out);
    }
    const Millis lasted = BootNow() - begun;
    for (const std::string& folder : {world.home(), world.home() + "/run"}) {
      REQUIRE(::chmod(folder.c_str(), 0700) == 0);
    }
    MESSAGE(connected, " connections of user nobody in ", lasted,
            " ms: slc ctl ls and env-set answer after ", Percentile(took, 50), " ms (median), ",
            Percentile(took, 100), " ms at most");
    CHECK(connected > 500);
    // The bound.
    CHECK(Percentile(took, 100) <= 1'000);
    CHECK(world.Daemon() == daemon);
    WaitUntil([&] { return CountOpenFiles(daemon->pid) <= files; }, 2'000, "slcd's descriptors");
    // One in ten seconds.
    CHECK(LinesOf(world.DaemonLog()).size() <=
          lines + 1 + static_cast<std::size_t>(lasted / 10'000));
  }

  // What fault tests tell slcd and masters (TestVariables in common/base/environment.h) comes from
  // the environment of the owner's own slc, with which he could do as much; from nowhere else.
  TEST_CASE("the variables of tests mean nothing in a service's configuration") {
    if (!IsRoot()) return;
    World world;
    Open(world);
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

  TEST_CASE("a worker with --run-as reaches no more than that") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    const App other = world.StartApp("plain/server.js", {"--size", "1", "--name", "other"});
    const std::string folder = FolderOfNobody(
        world, "worker", {{"hostile.py", ReadText(SourcePath("tests/apps/hostile/hostile.py"))}});
    Words words{"--run-as", "nobody", "--interpreter",
                "python3",  "--env",  "HOSTILE_REPORT=" + folder + "/report"};
    // Its own master does not exist yet: pids and files are those of a first start.
    const Words plain{"--run-as", "nobody", "--interpreter", "python3"};
    const App first = world.StartPath(folder + "/hostile.py", [&] {
      Words all = plain;
      all.insert(all.end(), {"--env", "HOSTILE_REPORT=" + folder + "/first"});
      return all;
    }());
    for (const auto& [name, value] : Targets(world, world.home(), world.ReadyPids(other.name))) {
      world.Must({"ctl", "env-set", first.name, "--no-restart", name + "=" + value});
    }
    world.Must({"ctl", "env-set", first.name, "HOSTILE_REPORT=" + folder + "/second"});
    WaitUntil([&] { return Exists(folder + "/second"); }, 30'000,
              "the report of the hostile worker");
    const int attempts = CheckReport(ReadText(folder + "/second"));
    CHECK(attempts > 500);
    CHECK(Get(other.url()).status == 200);
    MESSAGE("a worker with --run-as nobody: 0 of ", attempts, " attempts succeeded");
  }

  TEST_CASE("a home where others can rename is refused before anything is made") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    struct Case {
      mode_t mode;
      uid_t owner;
      gid_t group;
      std::string why;  // empty: accepted
    };
    const std::vector<Case> cases{{0777, 0, 0, "is writable by everybody"},
                                  {0775, 0, kNobody, "is writable by its group"},
                                  {0755, kNobody, 0, "belongs to uid 65534"},
                                  {01777, 0, 0, ""},
                                  {0755, 0, kNobody, ""},
                                  {0700, 0, 0, ""}};
    int number = 0;
    for (const Case& each : cases) {
      const std::string place = world.folder() + "/place" + std::to_string(++number);
      CAPTURE(each.why);
      CAPTURE(number);
      REQUIRE(::mkdir(place.c_str(), 0700) == 0);
      REQUIRE(::chown(place.c_str(), each.owner, each.group) == 0);
      REQUIRE(::chmod(place.c_str(), each.mode) == 0);
      const Options there{.env = {{"SLC_HOME", place + "/in/home"}}};
      const Ran ran = world.Slc({"start", SourcePath("tests/apps/plain/server.js"), "--size", "1",
                                 "--port", std::to_string(FreePort())},
                                there);
      const Ran daemon =
          each.why.empty() ? Ran{} : world.BeginProgram({BinaryPath("slcd")}, there).Wait();
      if (each.why.empty()) {
        CHECK_MESSAGE(ran.code == 0, ran.err);
        world.Must({"ctl", "shutdown"}, there);
      } else {
        CHECK(ran.code != 0);
        CHECK_MESSAGE(Contains(ran.err, place + " " + each.why), ran.err);
        CHECK(daemon.code == 1);
        CHECK_MESSAGE(Contains(daemon.err, place + " " + each.why), daemon.err);
        CHECK(fs::is_empty(place));
      }
    }
  }

  TEST_CASE("what the user of a service plants in its folder makes root do nothing") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    const std::string secret = world.folder() + "/secret";
    WriteText(secret, "STOLEN=secret\n");
    REQUIRE(::chmod(secret.c_str(), 0600) == 0);
    const std::string folder =
        FolderOfNobody(world, "web",
                       {{"server.js", kMirror},
                        {"server.ts", kMirror},
                        {"evil/node", "#!/bin/sh\nid -u >>\"$(dirname \"$0\")/../ids\"\nexec " +
                                          world.NodePath(22) + " \"$@\"\n"}});
    REQUIRE(::chown((folder + "/evil").c_str(), kNobody, kNobody) == 0);
    REQUIRE(::chmod((folder + "/evil").c_str(), 0755) == 0);
    const std::string env = folder + "/.env";
    const auto start = [&](const std::string& script) {
      return world.Slc({"start", folder + "/" + script, "--name", "web", "--run-as", "nobody",
                        "--size", "1", "--port", std::to_string(FreePort())});
    };
    // A link, and a hard link, to what only root can read.
    for (const bool hard : {false, true}) {
      CAPTURE(hard);
      REQUIRE((hard ? ::link(secret.c_str(), env.c_str())
                    : ::symlink(secret.c_str(), env.c_str())) == 0);
      const Ran ran = start("server.js");
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, env + ": Permission denied"), ran.err);
      CHECK_FALSE(Contains(ran.err + ran.out, "STOLEN"));
      REQUIRE(::unlink(env.c_str()) == 0);
    }
    // A fifo keeps nobody waiting.
    REQUIRE(::mkfifo(env.c_str(), 0666) == 0);
    REQUIRE(::chown(env.c_str(), kNobody, kNobody) == 0);
    const Ran waited = start("server.js");
    CHECK(waited.code == 1);
    CHECK_MESSAGE(Contains(waited.err, env + " is not a regular file"), waited.err);
    CHECK(waited.took < 5000);
    REQUIRE(::unlink(env.c_str()) == 0);
    // A node of its own, found by a PATH of its own: run for its version and as the worker.
    WriteText(env, "PATH=" + folder + "/evil:/usr/bin:/bin\n");
    REQUIRE(::chown(env.c_str(), kNobody, kNobody) == 0);
    const Ran typed = start("server.ts");
    CHECK_MESSAGE(typed.code == 0, typed.out, typed.err);
    const auto ids = LinesOf(ReadText(folder + "/ids"));
    CHECK(ids.size() >= 2);
    for (const std::string& id : ids) CHECK(id == "65534");
    // A folder in which the user can plant nothing may hold what only root reads, for the user.
    const std::string ours =
        world.MakeFolder("ours", {{"server.js", kMirror}, {".env", "GIVEN=by root\n"}});
    REQUIRE(::chmod(ours.c_str(), 0755) == 0);
    REQUIRE(::chmod((ours + "/server.js").c_str(), 0644) == 0);
    REQUIRE(::chmod((ours + "/.env").c_str(), 0600) == 0);
    const App given = world.StartPath(ours, {"--run-as", "nobody", "--size", "1"});
    CHECK(Get(given.url()).json().at("env").at("GIVEN") == "by root");
    world.ExpectInLog("Permission denied");
    world.ExpectInLog("is not a regular file");
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

  TEST_CASE("who may use whose slc") {
    if (!IsRoot()) return;
    World world;
    Open(world);
    const std::string home = world.folder() + "/theirs";
    REQUIRE(::mkdir(home.c_str(), 0700) == 0);
    REQUIRE(::chown(home.c_str(), kNobody, kNobody) == 0);
    const std::string folder = FolderOfNobody(world, "web", {{"server.js", kMirror}});
    const Options theirs{.cwd = "/", .env = {{"SLC_HOME", home}, {"HOME", folder}}};
    const auto as = [&](const Words& who, const Words& arguments) {
      Words command = who;
      command.push_back(BinaryPath("slc"));
      command.insert(command.end(), arguments.begin(), arguments.end());
      return world.BeginProgram(command, theirs).Wait();
    };
    const Words nobody = AsNobody({});
    const Words daemon{"setpriv", "--reuid", "1", "--regid", "1", "--clear-groups"};
    const Words root;
    const std::string port = std::to_string(FreePort());
    const Words start{"start", folder, "--name", "web", "--size", "1", "--port", port};
    // Root does not start a slcd in somebody's home, and its owner needs nobody.
    Ran ran = as(root, start);
    CHECK(ran.code != 0);
    CHECK_MESSAGE(Contains(ran.err, "belongs to nobody"), ran.err);
    ran = as(nobody, start);
    REQUIRE_MESSAGE(ran.code == 0, ran.out, ran.err);
    struct Case {
      Words who;
      Words what;
      bool allowed;
    };
    const std::vector<Case> cases{
        {nobody, {"ctl", "ls"}, true},
        {root, {"ctl", "ls"}, true},
        {root, {"ctl", "env-set", "web", "A=1"}, true},
        {root, {"ctl", "stop", "web"}, true},
        {nobody, {"ctl", "start", "web"}, true},
        {daemon, {"ctl", "ls"}, false},
        {daemon, {"ctl", "status", "web"}, false},
        {daemon, {"ctl", "env-get", "web"}, false},
        {daemon, {"ctl", "env-set", "web", "A=2"}, false},
        {daemon, {"ctl", "set-size", "web", "2"}, false},
        {daemon, {"ctl", "stop", "web"}, false},
        {daemon, {"ctl", "restart", "web"}, false},
        {daemon, {"ctl", "soft-restart", "web"}, false},
        {daemon, {"ctl", "remove", "web"}, false},
        {daemon, {"ctl", "shutdown"}, false},
        {daemon, {"logs", "web"}, false},
        {daemon, {"ctl", "log-dump", "web"}, false},
        {daemon, start, false},
        {daemon, {"run", folder}, false},
        // Only root has others to become; a port below 1024 is not nobody's either.
        {nobody, {"start", folder, "--name", "up", "--run-as", "root"}, false},
        {nobody, {"start", folder, "--name", "up", "--run-as", "daemon"}, false},
        {nobody, {"start", folder, "--name", "up", "--run-as", "nobody"}, false},
        {nobody,
         {"start", folder, "--name", "up", "--size", "1", "--port", "1", "--ready-timeout", "3s"},
         false},
        {nobody, {"start", "/root", "--name", "up"}, false},
        {nobody, {"start", "/etc/shadow", "--name", "up", "--interpreter", "cat"}, false},
    };
    for (const Case& each : cases) {
      CAPTURE(Join(each.what, " "));
      CAPTURE(Join(each.who, " "));
      const Ran done = as(each.who, each.what);
      CHECK_MESSAGE((done.code == 0) == each.allowed, done.code, done.out, done.err);
    }
    CHECK(as(nobody, {"ctl", "shutdown"}).code == 0);
    MESSAGE(cases.size(), " cases of who may do what");
  }

  TEST_CASE("of many slcd at once one serves, and the others leave quickly") {
    World world;
    REQUIRE(::mkdir(world.home().c_str(), 0700) == 0);
    constexpr std::size_t kMany = 50;
    std::vector<Running> all;
    for (std::size_t i = 0; i < kMany; ++i) all.push_back(world.BeginProgram({BinaryPath("slcd")}));
    WaitUntil(
        [&] {
          return std::count_if(all.begin(), all.end(), [](const Running& each) {
                   return each.HasEnded();
                 }) == static_cast<std::ptrdiff_t>(kMany) - 1;
        },
        30'000, "49 losers");
    std::vector<Millis> took;
    for (Running& each : all) {
      if (!each.HasEnded()) continue;
      const Ran& ran = each.Wait();
      CHECK_MESSAGE(ran.code == 100, ran.err);
      CHECK_MESSAGE(Contains(ran.err, "another slcd (pid "), ran.err);
    }
    // One by one: how long a loser takes, without 49 others on two cores.
    for (int i = 0; i < 10; ++i)
      took.push_back(world.BeginProgram({BinaryPath("slcd")}).Wait().took);
    CHECK(Percentile(took, 50) <= 200);
    CHECK(world.Daemon());
    MESSAGE("50 slcd at once: one serves; a loser leaves after ", Percentile(took, 50),
            " ms (median)");
  }

  TEST_CASE("many clients that start slcd at once get one, and one master") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const int master = world.MasterPid(app.name);
    const auto workers = world.ReadyPids(app.name);
    for (int round = 0; round < Blows(10); ++round) {
      world.KillDaemon();
      std::vector<Running> clients;
      for (int i = 0; i < 20; ++i) clients.push_back(world.Begin({"ctl", "ls"}));
      for (Running& each : clients) CHECK_MESSAGE(each.Wait().code == 0, each.Wait().err);
      std::set<std::string> programs;
      std::size_t daemons = 0;
      for (const ProcessIdentity& each : world.Supervisors()) {
        daemons +=
            Contains(TargetOf("/proc/" + std::to_string(each.pid) + "/exe"), "/slcd") ? 1U : 0U;
      }
      CHECK(daemons == 1);
      CHECK(Masters(world).size() == 1);
      world.WaitForState(app.name, "running");
      CHECK(world.MasterPid(app.name) == master);
      CHECK(world.ReadyPids(app.name) == workers);
    }
  }
}
