// Whose a home is: who may use it, where it may be, and that one slcd serves it.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"
#include "tests/faults/nobody.h"

using namespace slc;
using namespace slc::test;

namespace fs = std::filesystem;

TEST_SUITE("hostile") {
  TEST_CASE("a home where others can rename is refused before anything is made") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
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

  TEST_CASE("who may use whose slc") {
    if (!IsRoot()) return;
    World world;
    OpenToAll(world);
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
      std::size_t daemons = 0;
      for (const ProcessIdentity& each : world.Supervisors()) {
        const auto program = fs::read_symlink("/proc/" + std::to_string(each.pid) + "/exe");
        daemons += Contains(program.filename().string(), "slcd") ? 1U : 0U;
      }
      CHECK(daemons == 1);
      CHECK(Masters(world).size() == 1);
      world.WaitForState(app.name, "running");
      CHECK(world.MasterPid(app.name) == master);
      CHECK(world.ReadyPids(app.name) == workers);
    }
  }
}
