// slc doctor: what a person would otherwise find out from a service that is down.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/process.h"
#include "common/base/text.h"
#include "tests/system/doctor_expect.h"
#include "tests/system/harness/home_processes.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

App StartWeb(World& world, const Words& more = {}) {
  Words words{"--size", "1", "--name", "web"};
  words.insert(words.end(), more.begin(), more.end());
  return world.StartApp("plain/server.js", words);
}

std::string CookieOf(const World& world, const std::string& rest) {
  struct stat home {};
  REQUIRE(::stat(world.home().c_str(), &home) == 0);
  return std::to_string(home.st_dev) + "-" + std::to_string(home.st_ino) + "-" + rest;
}

// `doctor`, in a place of its own that `prepare` makes; for root.
Ran DoctorAfter(World& world, const std::string& prepare) {
  return world
      .BeginProgram(
          {"unshare", "-m", "sh", "-c", prepare + " && exec \"$0\" doctor", BinaryPath("slc")})
      .Wait();
}

Ran DoctorAsNobody(World& world) {
  return world
      .BeginProgram({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                     BinaryPath("slc"), "doctor"})
      .Wait();
}

}  // namespace

TEST_SUITE("doctor") {
  TEST_CASE("a service that is to run and does not, because slcd and its master are dead") {
    World world;
    world.ExpectInLog("web");
    const App app = StartWeb(world);
    const auto master = IdentifyProcess(world.MasterPid("web"));
    const auto daemon = world.Daemon();
    REQUIRE((master && daemon));
    const UniqueFd ends[] = {OpenProcess(*daemon), OpenProcess(*master)};
    // Before the master can start another slcd.
    Kill(*daemon);
    Kill(*master);
    // A lock is held until the last thread is gone, when the process looks dead already.
    for (const UniqueFd& end : ends) REQUIRE(HasEnded(end, 10'000));
    WaitUntil([&] { return !FindPortHolder(app.port); }, 10'000, "the port to be free");
    ExpectFinding(world, "slcd", "wrong", "down: web");
    ExpectFinding(world, "slcd", "wrong", "slc ctl status");
    ExpectFinding(world, "state of web", "wrong", "no master");
    ExpectFinding(world, "port of web", "wrong", "nobody listens");
    CHECK(world.Slc({"doctor"}).code == 1);
    world.Must({"ctl", "status"});
    world.WaitForState("web", "running");
    ExpectFinding(world, "state of web", "ok", "running");
  }

  TEST_CASE("what nobody wants to run, and what was told to shut down, is not wrong") {
    World world;
    StartWeb(world);
    world.Must({"ctl", "set-size", "web", "0"});
    ExpectFinding(world, "port of web", "ok", "nobody listens");
    world.Must({"ctl", "set-size", "web", "1"});
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    ExpectFinding(world, "slcd", "warn", "told to shut down");
    ExpectFinding(world, "state of web", "warn", "shut down");
    ExpectFinding(world, "port of web", "ok", "nobody listens");
    CHECK(world.Slc({"doctor"}).code == 0);
  }

  TEST_CASE("an app whose folder or script is gone") {
    World world;
    const std::string folder = world.MakeFolder("brief", {{"server.js", kMirror}});
    world.StartPath(folder, {"--size", "1", "--name", "brief"});
    ExpectFinding(world, "app of brief", "ok", folder + "/server.js");
    REQUIRE(::rename(folder.c_str(), (folder + ".gone").c_str()) == 0);
    ExpectFinding(world, "app of brief", "wrong", folder + ": No such file");
    ExpectFinding(world, "app of brief", "wrong", "put it back");
    REQUIRE(::rename((folder + ".gone").c_str(), folder.c_str()) == 0);
    REQUIRE(::unlink((folder + "/server.js").c_str()) == 0);
    ExpectFinding(world, "app of brief", "wrong", folder + "/server.js: No such file");
    REQUIRE(::mkdir((folder + "/server.js").c_str(), 0755) == 0);
    ExpectFinding(world, "app of brief", "wrong", "is a folder");
  }

  TEST_CASE("a home that slcd would refuse, by the words with which it does") {
    World world;
    StartWeb(world);
    LeaveDaemon(world);
    struct stat before {};
    REQUIRE(::stat(world.folder().c_str(), &before) == 0);
    REQUIRE(::chmod(world.folder().c_str(), 0777) == 0);
    ExpectFinding(world, "home", "wrong", world.folder() + " is writable by everybody");
    ExpectFinding(world, "home", "wrong", "chmod o-w " + world.folder());
    ExpectFinding(world, "slcd", "warn", "see to the home first");
    REQUIRE(::chmod(world.folder().c_str(), before.st_mode & 07777) == 0);
    ExpectFinding(world, "slcd", "warn", "any command starts it");
  }

  TEST_CASE("a service's file that others may write decides what its owner runs") {
    World world;
    StartWeb(world);
    const std::string file = world.home() + "/services/1.json";
    REQUIRE(::chmod(file.c_str(), 0666) == 0);
    // Nobody else gets there.
    ExpectFinding(world, "home", "warn", file);
    for (const std::string& folder : {world.home(), world.home() + "/services"}) {
      REQUIRE(::chmod(folder.c_str(), 0755) == 0);
    }
    ExpectFinding(world, "home", "wrong", file + " (mode 666)");
    ExpectFinding(world, "home", "wrong", "chmod 600 " + file);
    for (const std::string& folder : {world.home(), world.home() + "/services"}) {
      REQUIRE(::chmod(folder.c_str(), 0700) == 0);
    }
    REQUIRE(::chmod(file.c_str(), 0600) == 0);
  }

  TEST_CASE("a home that is another's than all that lies in it") {
    if (!Possible(::geteuid() == 0, "only root can give a folder away")) return;
    World world;
    StartWeb(world);
    REQUIRE(::chown(world.home().c_str(), 65534, 65534) == 0);
    const Ran ran = world.Slc({"doctor"});
    REQUIRE(::chown(world.home().c_str(), 0, 0) == 0);
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.out, "-> chown root " + world.home() + "\n"), ran.out);
    CHECK_MESSAGE(!Contains(ran.out, "chown nobody"), ran.out);
  }

  TEST_CASE("a home on a file system that is read-only") {
    if (!Possible(::geteuid() == 0, "only root can mount")) return;
    World world;
    StartWeb(world);
    LeaveDaemon(world);
    const Ran ran = DoctorAfter(world,
                                "mount --bind \"$SLC_HOME\" \"$SLC_HOME\" && "
                                "mount -o remount,bind,ro \"$SLC_HOME\"");
    CHECK_MESSAGE(ran.code == 1, ran.out, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "is read-only"), ran.out);
    CHECK_MESSAGE(Contains(ran.out, "see to the home first"), ran.out);
    CHECK_MESSAGE(!Contains(ran.out, "any command starts it"), ran.out);
    CHECK_MESSAGE(!Contains(ran.out, "chmod"), ran.out);
  }

  TEST_CASE("whoever may not look into the home is told that it cannot be told") {
    if (!Possible(::geteuid() == 0, "only root can become somebody else")) return;
    World world;
    StartWeb(world);
    // With the home's name to be seen, and without.
    for (const mode_t mode : {mode_t{0755}, mode_t{0700}}) {
      CAPTURE(mode);
      REQUIRE(::chmod(world.folder().c_str(), mode) == 0);
      const Ran ran = DoctorAsNobody(world);
      CHECK_MESSAGE(ran.code == 1, ran.out, ran.err);
      CHECK_MESSAGE(Contains(ran.out, "it cannot be told which services there are"), ran.out);
      CHECK_MESSAGE(Contains(ran.out, "it cannot be told whether it runs"), ran.out);
      for (const char* claim : {"readable", "nothing is to", "does not exist"}) {
        CHECK_MESSAGE(!Contains(ran.out, claim), claim, " in ", ran.out);
      }
    }
  }

  TEST_CASE("a slcd whose run folder was removed") {
    World world;
    world.ExpectInLog("");
    const App app = StartWeb(world);
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    // So that it does not see to it by itself.
    Kill(*daemon, SIGSTOP);
    std::filesystem::remove_all(world.home() + "/run");
    ExpectFinding(world, "slcd", "wrong", "it lives (pid " + std::to_string(daemon->pid) + ")");
    ExpectFinding(world, "port of web", "ok", std::to_string(app.port));
    ExpectFinding(world, "state of web", "ok", "its master lives");
    const Ran ran = world.Slc({"doctor"});
    for (const char* claim : {"stranger", "are gone"}) {
      CHECK_MESSAGE(!Contains(ran.out, claim), claim, " in ", ran.out);
    }
    KillAllOf(world.home());
  }

  TEST_CASE("a master that slcd does not know, and its workers, which are no leftovers") {
    World world;
    StartWeb(world);
    const std::string program = world.folder() + "/slc-master";
    const auto sleep = FindProgram("sleep", world.env()["PATH"]);
    REQUIRE(sleep);
    std::filesystem::copy_file(*sleep, program);
    Running master =
        world.BeginProgram({"sh", "-c", "exec \"$0\" 60 9<\"$SLC_HOME/run/instances/1\"", program});
    Options marked;
    marked.env["SLC_COOKIE"] = CookieOf(world, "1.77");
    Running worker = world.BeginProgram({"sleep", "60"}, marked);
    const std::string comm = "/proc/" + std::to_string(master.pid()) + "/comm";
    WaitUntil([&] { return ReadText(comm) == "slc-master\n"; }, 10'000, "the master to begin");
    LetProcessesAge();
    const json answer = world.Json({"doctor"});
    const std::string text = FindingOf(answer, "master of web", "wrong").at("text");
    CHECK_MESSAGE(Contains(text, "pid " + std::to_string(master.pid())), text);
    // Not those that slcd knows.
    const std::string its = "its workers may serve: pid " + std::to_string(worker.pid());
    CHECK_MESSAGE(EndsWith(text, its), text);
    FindingOf(answer, "orphans", "warn");
    master.Signal(SIGKILL);
    master.Wait();
    ExpectFinding(world, "orphans", "wrong", "kill " + std::to_string(worker.pid()));
    worker.Signal(SIGKILL);
    worker.Wait();
  }

  TEST_CASE("workers that end again and again, too late for a back-off") {
    World world;
    world.ExpectInLog("web");
    StartWeb(world, {"--min-uptime", "0"});
    for (int i = 0; i < 3; ++i) {
      const auto before = world.ReadyPids("web");
      REQUIRE(before.size() == 1);
      Kill(*IdentifyProcess(before[0]));
      WaitUntil(
          [&] {
            const auto now = world.ReadyPids("web");
            return now.size() == 1 && now != before;
          },
          20'000, "its successor");
    }
    WaitUntil([&] { return Contains(world.Slc({"doctor"}).out, "ends of web"); }, 5'000,
              "the journal to tell");
    ExpectFinding(world, "ends of web", "warn", "3 workers ended unasked in the last hour");
    ExpectFinding(world, "ends of web", "warn", "slc why web");
    CHECK(world.Slc({"doctor"}).code == 0);
  }

  TEST_CASE("a journal that is a folder") {
    World world;
    StartWeb(world);
    LeaveDaemon(world);
    const std::string journal = world.home() + "/journal";
    REQUIRE(::rename(journal.c_str(), (journal + ".away").c_str()) == 0);
    REQUIRE(::mkdir(journal.c_str(), 0700) == 0);
    ExpectFinding(world, "journal", "wrong", journal + " is not a file");
    REQUIRE(::rmdir(journal.c_str()) == 0);
    REQUIRE(::rename((journal + ".away").c_str(), journal.c_str()) == 0);
  }
}
