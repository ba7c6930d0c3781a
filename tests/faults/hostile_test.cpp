// A hostile local user, and a worker with --run-as, who is the nearest one there can be: neither
// reaches our processes, files or sockets, nor has root do what he could not do himself. Needs
// root.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/faults/faults.h"
#include "tests/faults/nobody.h"
#include "tests/system/harness/home_processes.h"

using namespace slc;
using namespace slc::test;

namespace {

namespace fs = std::filesystem;

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

}  // namespace

TEST_SUITE("hostile") {
  TEST_CASE("another user reaches neither processes nor files nor sockets") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
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
    OpenToAll(world);
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

  TEST_CASE("a worker with --run-as reaches no more than that") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
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

  TEST_CASE("what the user of a service plants in its folder makes root do nothing") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
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
}
