// slc upgrade: slcd and the masters go on as another version, and nobody who uses a service
// notices.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/version.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/faults/numbered_log.h"

using namespace slc;
using namespace slc::test;

namespace {

// "" or "next/", "far/": the same code as other versions.
void InstallAll(World& world, const std::string& version) {
  for (const char* program : {"slc", "slcd", "slc-master"}) {
    world.Install(program, BinaryPath(version + program));
  }
}

std::string VersionOf(const std::string& version) {
  return OwnVersion().text + (version.empty() ? "" : "-" + version.substr(0, version.size() - 1));
}

// `slc upgrade --json`, which is to succeed for every process; returns the longest that one took.
// `all`: and all of them are of this version then.
Millis UpgradeTo(World& world, const std::string& version, bool all = true) {
  const auto result = world.Json({"upgrade"});
  INFO(result.dump(1));
  CHECK(result.at("ok") == true);
  Millis longest = 0;
  for (const auto& process : result.at("processes")) {
    CHECK((!all || process.at("to") == version));
    CHECK(process.at("reason") == "");
    longest = std::max(longest, process.at("took_ms").get<Millis>());
  }
  return longest;
}

std::map<std::string, std::size_t> OpenCounts(World& world, const FourServices& services) {
  std::map<std::string, std::size_t> counts{{"slcd", CountOpenFiles(world.Daemon()->pid)}};
  for (const auto& [name, pid] : services.Masters()) counts[name] = CountOpenFiles(pid);
  return counts;
}

}  // namespace

TEST_SUITE("upgrade") {
  TEST_CASE("upgrades under load are not noticed") {
    constexpr int kUpgrades = 20;
    Dice dice;
    World world;
    world.OwnPrograms();
    FourServices services(world);
    // Half of its lines are in a pipe or a buffer at any moment.
    const App noisy = world.StartApp(
        "plain/noisy.js", {"--size", "1", "--name", "noisy", "--env", "APP_LINES_PER_S=2000"});
    const auto daemon = world.Daemon();
    const auto pids = services.Pids();
    const auto masters = services.Masters();
    const int noisy_master = world.MasterPid("noisy");
    std::map<std::string, std::size_t> open;
    std::vector<Millis> longest;
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    for (int i = 0; i < kUpgrades; ++i) {
      INFO("upgrade ", i);
      const std::string version = i % 2 == 0 ? "next/" : "";
      LetPass(dice.Between(0, 200));
      InstallAll(world, version);
      longest.push_back(UpgradeTo(world, VersionOf(version)));
      if (i == 0) open = OpenCounts(world, services);
    }
    const LoadReport report = load.Stop();
    MESSAGE(kUpgrades, " upgrades of slcd and 5 masters: the longest that a process was away ",
            Percentile(longest, 50), " ms (median), ", Percentile(longest, 100), " ms (most)",
            Figures(report));
    CheckNoneFailed(report);
    CHECK(world.Daemon() == daemon);
    CHECK(services.Pids() == pids);
    CHECK(services.Masters() == masters);
    CHECK(world.MasterPid("noisy") == noisy_master);
    // A moment may have one more, of a client or a writer.
    for (const auto& [name, count] : OpenCounts(world, services)) {
      CHECK_MESSAGE(count <= open.at(name) + 2, name, " has ", count, " after ", open.at(name));
    }
    services.CheckWhole();
    world.Must({"ctl", "stop", "noisy"});
    for (const char* stream : {"out", "err"}) {
      const NumberedLog lines = CountNumbered(world, "noisy", stream);
      CHECK(lines.lines > 0);
      CHECK(lines.missing == 0);
      CHECK(lines.wrong == "");
    }
    for (const App& app : services.apps()) {
      const std::string log = ReadText(world.log_folder(app.name) + "/out.log");
      CHECK_MESSAGE(!Contains(log, "takes over"), app.name);
    }
  }

  TEST_CASE("an upgrade keeps the sockets of slots and shared, and who is whose client") {
    World world;
    world.OwnPrograms();
    Words lanes;
    std::map<std::string, std::vector<int>> pids;
    for (const std::string mode : {"slots", "shared", "sticky"}) {
      const App app = world.StartApp("express4", {"--size", "2", "--name", mode, "--balance", mode,
                                                  "--drain-linger", "400ms"});
      if (mode == "slots") world.ExpectMoreSockets(app.name, 1);
      lanes.push_back("name=" + mode + "-kept,connections=6,url=" + app.url("/slow?ms=10"));
      lanes.push_back("name=" + mode + "-close,mode=close,connections=4,rate=60,url=" + app.url());
      pids[mode] = world.ReadyPids(mode);
    }
    LoadClient load(world, lanes);
    load.AwaitKept();
    for (const std::string version : {"next/", ""}) {
      InstallAll(world, version);
      UpgradeTo(world, VersionOf(version));
      for (const auto& [service, before] : pids) CHECK(world.ReadyPids(service) == before);
    }
    for (const auto& [service, before] : pids) world.Must({"ctl", "soft-restart", service});
    const LoadReport report = load.Stop();
    MESSAGE("2 upgrades", Figures(report));
    CheckNoneFailed(report);
  }

  TEST_CASE("an upgrade in the middle of a soft restart") {
    const int rounds = Blows(30);
    Dice dice;
    World world;
    world.OwnPrograms();
    FourServices services(world);
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    for (int i = 0; i < rounds; ++i) {
      INFO("round ", i);
      const std::string version = i % 2 == 0 ? "next/" : "";
      InstallAll(world, version);
      Running roll = world.Begin({"ctl", "soft-restart", "web"});
      // Boot, readiness, drain and end of both workers come within this.
      LetPass(dice.Between(0, 1200));
      UpgradeTo(world, VersionOf(version));
      const Ran& ran = roll.Wait();
      CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
      services.CheckWhole();
    }
    const LoadReport report = load.Stop();
    MESSAGE(rounds, " upgrades in the middle of a soft restart", Figures(report));
    CheckNoneFailed(report);
    const std::string log = ReadText(world.log_folder("web") + "/out.log");
    CHECK(!Contains(log, "accidental end"));
  }

  TEST_CASE("what cannot run is not executed") {
    World world;
    world.OwnPrograms();
    world.ExpectInLog("upgrade refused");
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
    const auto daemon = world.Daemon();
    const int master = world.MasterPid("plain");
    const auto pids = world.ReadyPids("plain");
    const auto refused = [&](const std::string& reason) {
      const Ran ran = world.Slc({"upgrade"});
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, reason), ran.err);
      CHECK(Contains(ran.err, "nothing was changed"));
      CHECK(world.Daemon() == daemon);
      CHECK(world.MasterPid("plain") == master);
      CHECK(world.ReadyPids("plain") == pids);
      CHECK(Get(app.url("/")).status == 200);
    };
    const std::string folder = world.MakeFolder(
        "broken", {{"fails", "#!/bin/sh\necho 'libuv.so.9: no such file' >&2\nexit 127\n"},
                   {"lies", "#!/bin/sh\necho '{}'\n"},
                   {"empty", ""}});
    for (const char* name : {"fails", "lies", "empty"}) {
      std::filesystem::permissions(folder + "/" + name, std::filesystem::perms::owner_all);
    }
    for (const std::string program : {"slcd", "slc-master"}) {
      INFO("a broken ", program);
      world.Install(program, folder + "/fails");
      refused("exit code 127): libuv.so.9: no such file");
      world.Install(program, folder + "/lies");
      refused("the self-check of " + world.ProgramPath(program));
      world.Install(program, folder + "/empty");
      refused("start " + world.ProgramPath(program) + ": execute: Exec format error");
      world.Install(program, BinaryPath("far/" + program));
      refused(program + " " + VersionOf("far/") + " speaks link protocol 2 to 3");
      world.Install(program, BinaryPath(program));
    }
    UpgradeTo(world, VersionOf(""));
  }

  TEST_CASE("a slcd that does not hold gives way to the one before") {
    World world;
    world.OwnPrograms();
    world.ExpectInLog("died three times within 10 s");
    FourServices services(world);
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    const App& app = services.apps()[2];
    REQUIRE(app.name == "plain");
    const int master = world.MasterPid("plain");
    const auto pids = world.ReadyPids("plain");
    const auto check = [&](const std::string& version) {
      const auto info = world.Json({"ctl", "info"}).at("info");
      CHECK(info.at("version") == version);
      CHECK(world.MasterPid("plain") == master);
      CHECK(world.ReadyPids("plain") == pids);
      CHECK(Get(app.url("/")).status == 200);
      return info.at("trouble").get<std::string>();
    };
    world.Install("slcd", BinaryPath("broken/slcd"));
    const Ran ran = world.Slc({"upgrade"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.out, VersionOf("broken/") + " died three times within 10 s"),
                  ran.out, ran.err);
    CHECK(Contains(check(VersionOf("")), "Install a version that holds"));
    // Whoever starts the broken one again gets the one before at once.
    world.KillDaemon();
    CHECK(world.Must({"ctl", "ls"}).took < 2'000);
    CHECK(!check(VersionOf("")).empty());
    // After it too.
    load.AwaitAnswers(20);
    const LoadReport report = load.Stop();
    MESSAGE("a slcd that died three times gave way to the one before", Figures(report));
    CheckNoneFailed(report);
    world.Install("slcd", BinaryPath("next/slcd"));
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(check(VersionOf("next/")).empty());
    UpgradeTo(world, VersionOf("next/"), false);
  }

  TEST_CASE("a master that does not hold gives way to the one before") {
    World world;
    world.OwnPrograms();
    for (const char* part : {"stays at", "has taken over", "replacing it", "did not hold"}) {
      world.ExpectInLog(part);
    }
    const App first = world.StartApp("plain/server.js", {"--size", "2", "--name", "first"});
    const App second = world.StartApp("plain/server.js", {"--size", "1", "--name", "second"});
    const auto pids = world.ReadyPids("first");
    const int master = world.MasterPid("second");
    world.Install("slc-master", BinaryPath("broken/slc-master"));
    const auto result = world.Json({"upgrade"});
    INFO(result.dump(1));
    CHECK(result.at("ok") == false);
    REQUIRE(result.at("processes").size() == 3);
    CHECK(result.at("processes")[0].at("reason") == "");
    CHECK(Contains(result.at("processes")[1].at("reason"), "it ended on the way"));
    CHECK(Contains(result.at("processes")[2].at("reason"), "not tried"));
    CHECK(world.MasterPid("second") == master);
    // Two more tries with pauses of 0 and 100 ms, and the take-over itself.
    const Millis took = WaitUntil(
        [&] {
          const auto view = world.TryView("first");
          return view && view->state == "running" && Get(first.url("/")).status == 200;
        },
        5'000, "a master of the version before");
    MESSAGE("a master that dies at once was replaced by the version before after ", took, " ms");
    CHECK(world.ReadyPids("first") == pids);
    const auto info = world.Json({"ctl", "info"});
    for (const auto& each : info.at("info").at("masters")) {
      CHECK(each.at("version") == VersionOf(""));
    }
    world.Must({"ctl", "soft-restart", "first"});
    world.Install("slc-master", BinaryPath("next/slc-master"));
    UpgradeTo(world, "", false);
  }

  TEST_CASE("a slcd that was given way to starts masters that preload their agent") {
    World world;
    world.OwnPrograms();
    for (const char* part : {"died three times within 10 s", "has taken over", "replacing it"}) {
      world.ExpectInLog(part);
    }
    world.StartApp("plain/server.js", {"--size", "1", "--name", "plain"});
    world.Install("slc-master", BinaryPath("next/slc-master"));
    world.Install("slcd", BinaryPath("broken/slcd"));
    CHECK(world.Slc({"upgrade"}).code == 1);
    const auto old = IdentifyProcess(world.MasterPid("plain"));
    REQUIRE(old);
    SignalProcess(OpenProcess(*old), SIGKILL);
    AwaitSuccessor(world, "plain", *old);
    for (const auto& each : world.Json({"ctl", "info"}).at("info").at("masters")) {
      CHECK(each.at("version") == VersionOf(""));
    }
    world.Must({"ctl", "soft-restart", "plain"});
    for (const int pid : world.ReadyPids("plain")) {
      CHECK(Contains(ReadText("/proc/" + std::to_string(pid) + "/cmdline"), "agent.cjs"));
    }
    InstallAll(world, "next/");
    UpgradeTo(world, VersionOf("next/"));
  }

  TEST_CASE("a master that dies right after it has taken charge gives way to the one before") {
    World world;
    world.OwnPrograms();
    for (const char* part : {"stays at", "has taken over", "replacing it", "did not hold"}) {
      world.ExpectInLog(part);
    }
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "plain"});
    const auto pids = world.ReadyPids("plain");
    world.Install("slc-master", BinaryPath("broken/slc-master-late"));
    world.Slc({"upgrade"});
    const Millis took = WaitUntil(
        [&] {
          const auto view = world.TryView("plain");
          const auto masters = world.Json({"ctl", "info"}).at("info").at("masters");
          return view && view->state == "running" && masters.size() == 1 &&
                 masters[0].at("version") == VersionOf("");
        },
        10'000, "a master of the version before");
    MESSAGE("a master that dies when it is in charge was replaced by the version before after ",
            took, " ms");
    CHECK(world.ReadyPids("plain") == pids);
    CHECK(Get(app.url("/")).status == 200);
  }

  TEST_CASE("what is of the installed version already is left alone") {
    World world;
    world.OwnPrograms();
    world.StartApp("plain/server.js", {"--size", "1", "--name", "plain"});
    const auto already = [&] {
      std::vector<bool> each;
      const auto result = world.Json({"upgrade"});
      CHECK(result.at("ok") == true);
      for (const auto& process : result.at("processes")) each.push_back(process.at("already"));
      return each;
    };
    CHECK(already() == std::vector<bool>{true, true});
    CHECK(Contains(world.Must({"upgrade"}).out, "already the installed version"));
    // slcd stays, and its masters are looked after.
    world.Install("slc-master", BinaryPath("next/slc-master"));
    CHECK(already() == std::vector<bool>{true, false});
    CHECK(already() == std::vector<bool>{true, true});
    const auto masters = world.Json({"ctl", "info"}).at("info").at("masters");
    CHECK(masters.at(0).at("version") == VersionOf("next/"));
    world.Install("slcd", BinaryPath("next/slcd"));
    CHECK(already() == std::vector<bool>{false, true});
  }

  TEST_CASE("slcd is not executed while its disk hangs") {
    World world;
    FaultRules faults(world);
    world.OwnPrograms();
    world.ExpectInLog("upgrade refused");
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "plain"});
    const auto daemon = world.Daemon();
    InstallAll(world, "next/");
    faults.Arm({.call = "*w",
                .process = "slcd",
                .below = world.home() + "/logs",
                .hang = true,
                .nth = -1});
    const Ran ran = world.Slc({"upgrade"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "the disk does not take slcd's log within 3 s"), ran.err);
    // Its own patience, and what a busy machine adds.
    CHECK(ran.took < 6'000);
    CHECK(world.Json({"ctl", "info"}).at("info").at("version") == VersionOf(""));
    CHECK(Get(app.url("/")).status == 200);
    faults.Disarm();
    UpgradeTo(world, VersionOf("next/"));
    CHECK(world.Daemon() == daemon);
    // It was no death of the new one.
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(world.Json({"ctl", "info"}).at("info").at("version") == VersionOf("next/"));
  }

  TEST_CASE("a service is stopped in the middle of an upgrade") {
    const int rounds = Blows(30);
    Dice dice;
    World world;
    world.OwnPrograms();
    world.ExpectInLog("its service has been stopped meanwhile");
    FourServices services(world);
    for (int i = 0; i < rounds; ++i) {
      INFO("round ", i);
      InstallAll(world, i % 2 == 0 ? "next/" : "");
      Running upgrade = world.Begin({"upgrade"});
      // Checks, slcd and four masters take about this.
      LetPass(dice.Between(0, 80));
      const std::string name = services.apps()[dice.Below(4)].name;
      world.Must({"ctl", "stop", name});
      const Ran& ran = upgrade.Wait();
      CHECK_MESSAGE(ran.code == 0, name, " was stopped: ", ran.out, ran.err);
      world.Must({"ctl", "start", name});
      services.CheckWhole();
    }
  }

  TEST_CASE("slcd or a master is killed in the middle of an upgrade") {
    const int kills = Blows(60);
    Dice dice;
    World world;
    world.OwnPrograms();
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    world.ExpectInLog("stays at");
    FourServices services(world);
    const auto pids = services.Pids();
    int whole = 0;
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    for (int i = 0; i < kills; ++i) {
      INFO("kill ", i);
      const std::string version = i % 2 == 0 ? "next/" : "";
      InstallAll(world, version);
      const auto victim =
          dice.Coin() ? world.Daemon()
                      : IdentifyProcess(world.MasterPid(services.apps()[dice.Below(4)].name));
      REQUIRE(victim);
      Running upgrade = world.Begin({"upgrade"});
      // Five processes: checks, 2 ms of slcd and some 5 ms of each master.
      LetPass(dice.Between(0, 50));
      SignalProcess(OpenProcess(*victim), SIGKILL);
      const Ran& ran = upgrade.Wait();
      CHECK_MESSAGE((ran.code == 0 || ran.code == 1), ran.out, ran.err);
      whole += ran.code == 0;
      services.CheckWhole();
      UpgradeTo(world, VersionOf(version));
      CHECK(services.Pids() == pids);
    }
    const LoadReport report = load.Stop();
    MESSAGE(kills, " kills in the middle of an upgrade, which was whole all the same ", whole,
            " times", Figures(report));
    std::int64_t lost = 0;
    for (const LaneReport& lane : report.lanes) {
      INFO("lane ", lane.name);
      if (EndsWith(lane.name, "-keep")) {
        CHECK(lane.failed == 0);
      } else {
        CHECK(lane.failures.at("refused") == 0);
        lost += lane.failed;
      }
      CHECK(lane.ok > 0);
    }
    // One between accept and hand-over.
    CHECK(lost <= kills);
    services.CheckWhole();
  }
}
