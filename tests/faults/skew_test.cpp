// Programs of different versions beside each other: those of neighbouring protocols work together,
// others say so and do no harm. bin/next speaks one protocol more than we do, bin/far is two ahead.
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/version.h"
#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

std::string Next() { return std::string(OwnVersion().text) + "-next"; }

std::string VersionOfMaster(World& world, const std::string& service) {
  const auto info = world.Json({"ctl", "info"});
  for (const auto& master : info.at("info").at("masters")) {
    if (master.at("service") == service) return master.at("version");
  }
  return {};
}

// Everything that slcd and a master say to each other.
void UseAll(World& world, const App& app) {
  world.Must({"ctl", "set-size", app.name, "3"});
  world.Must({"ctl", "set-size", app.name, "2"});
  world.Must({"ctl", "env-set", app.name, "VALUE=1"});
  world.Must({"ctl", "env-unset", app.name, "VALUE"});
  world.Must({"ctl", "soft-restart", app.name});
  world.Must({"ctl", "log-dump", app.name});
  world.Must({"ctl", "stop", app.name});
  world.Must({"ctl", "start", app.name});
  CHECK(world.ReadyPids(app.name).size() == 2);
  CHECK(Get(app.url("/")).status == 200);
}

}  // namespace

TEST_SUITE("skew") {
  TEST_CASE("an old slcd starts new masters and they take over from old ones") {
    World world;
    world.OwnPrograms();
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
    const auto pids = world.ReadyPids("plain");
    world.Install("slc-master", BinaryPath("next/slc-master"));
    const auto old = IdentifyProcess(world.MasterPid("plain"));
    world.KillMaster("plain");
    AwaitSuccessor(world, "plain", *old);
    CHECK(VersionOfMaster(world, "plain") == Next());
    CHECK(world.ReadyPids("plain") == pids);
    UseAll(world, app);
  }

  TEST_CASE("the doctor tells of a slcd and masters of another version") {
    World world;
    world.OwnPrograms();
    world.StartApp("plain/server.js", {"--size", "1", "--name", "plain"});
    world.Install("slc", BinaryPath("next/slc"));
    const Ran ran = world.Slc({"doctor"});
    CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
    CHECK_MESSAGE(
        Contains(ran.out, "version " + std::string(OwnVersion().text) + ", but slc is " + Next()),
        ran.out);
    CHECK_MESSAGE(Contains(ran.out, "master of plain"), ran.out);
    CHECK_MESSAGE(
        Contains(ran.out, "is of version " + std::string(OwnVersion().text) + ", slc of " + Next()),
        ran.out);
    CHECK_MESSAGE(Contains(ran.out, "slc upgrade"), ran.out);
    for (const char* program : {"slcd", "slc-master"}) {
      world.Install(program, BinaryPath(std::string("next/") + program));
    }
    world.Must({"upgrade"});
    const Ran after = world.Slc({"doctor"});
    CHECK_MESSAGE(!Contains(after.out, "slc upgrade"), after.out);
  }

  TEST_CASE("a new slcd adopts old masters, and an old one new masters") {
    World world;
    world.OwnPrograms();
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
    auto pids = world.ReadyPids("plain");
    int master = world.MasterPid("plain");
    const auto change_daemon = [&](const std::string& from) {
      world.Install("slcd", BinaryPath(from));
      world.KillDaemon();
      world.Must({"ctl", "ls"});
      world.WaitForState("plain", "running");
      CHECK(world.MasterPid("plain") == master);
      CHECK(world.ReadyPids("plain") == pids);
    };
    change_daemon("next/slcd");
    CHECK(VersionOfMaster(world, "plain") == OwnVersion().text);
    // A change of size, a roll: by the old master. Its start is that of a new one.
    world.Install("slc-master", BinaryPath("next/slc-master"));
    UseAll(world, app);
    CHECK(VersionOfMaster(world, "plain") == Next());
    pids = world.ReadyPids("plain");
    master = world.MasterPid("plain");
    world.Install("slc-master", BinaryPath("slc-master"));
    change_daemon("slcd");
    CHECK(VersionOfMaster(world, "plain") == Next());
    UseAll(world, app);
    CHECK(VersionOfMaster(world, "plain") == OwnVersion().text);
  }

  TEST_CASE("slc of either version speaks with slcd of either version") {
    for (const bool new_daemon : {false, true}) {
      INFO("new slcd: ", new_daemon);
      World world;
      world.OwnPrograms();
      if (new_daemon) world.Install("slcd", BinaryPath("next/slcd"));
      if (!new_daemon) world.Install("slc", BinaryPath("next/slc"));
      const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
      UseAll(world, app);
      CHECK(world.Json({"ctl", "info"}).at("info").at("version") ==
            (new_daemon ? Next() : OwnVersion().text));
      CHECK(world.Must({"upgrade"}).code == 0);
    }
  }

  TEST_CASE("versions that share no protocol say what to do and do no harm") {
    World world;
    world.OwnPrograms();
    world.ExpectInLog("speaks link protocol");
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
    const auto pids = world.ReadyPids("plain");
    const auto master = IdentifyProcess(world.MasterPid("plain"));
    REQUIRE(master);
    LoadClient load(world, {"name=keep,connections=2,think=0-50,url=" + app.url("/"),
                            "name=close,mode=close,connections=2,rate=20,url=" + app.url("/")});
    world.Install("slc", BinaryPath("far/slc"));
    const Ran ran = world.Slc({"ctl", "ls"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "use the slc that lies beside the slcd that runs"), ran.err);
    world.Install("slcd", BinaryPath("far/slcd"));
    world.KillDaemon();
    const auto status = world.Json({"ctl", "status", "plain"});
    INFO(status.dump(1));
    WaitUntil(
        [&] {
          return Contains(world.Json({"ctl", "status", "plain"}).at(0).at("reason"),
                          "serves on alone");
        },
        5'000, "the reason");
    for (const char* verb : {"stop", "soft-restart"}) {
      const Ran refused = world.Slc({"ctl", verb, "plain"});
      CHECK(refused.code == 1);
      CHECK_MESSAGE(Contains(refused.err, "speaks link protocol 1 to 1, this slcd 2 to 3"),
                    refused.err);
    }
    // Longer than every patience of a search that finds a silent master.
    LetPass(Long() ? 70'000 : 7'000);
    CHECK(IsAlive(*master));
    for (const char* program : {"slc", "slcd"}) world.Install(program, BinaryPath(program));
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    world.WaitForState("plain", "running");
    const LoadReport report = load.Stop();
    MESSAGE("a slcd that cannot speak with a master", Figures(report));
    CheckNoneFailed(report);
    CHECK(world.MasterPid("plain") == master->pid);
    CHECK(world.ReadyPids("plain") == pids);
    UseAll(world, app);
  }
}
