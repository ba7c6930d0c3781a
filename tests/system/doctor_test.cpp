// slc doctor: says of a home whether all is well, finds each trouble that is made here, and changes
// nothing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/doctor_expect.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

std::string WrongOnes(const json& answer) {
  std::string text;
  for (const json& finding : answer.at("findings")) {
    if (finding.at("level") == "wrong") text += finding.dump() + "\n";
  }
  return text;
}

// A folder that holds a node and nothing else, as version managers have one a version.
std::string FolderWithNode(World& world) {
  std::string folder = world.folder() + "/versions";
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  const auto node = FindProgram("node", world.env()["PATH"]);
  REQUIRE(node);
  REQUIRE(::symlink(node->c_str(), (folder + "/node").c_str()) == 0);
  return folder;
}

}  // namespace

TEST_SUITE("doctor") {
  TEST_CASE("without a home all is well, and none is made") {
    World world;
    const Ran ran = world.Slc({"doctor"});
    CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
    CHECK(Contains(ran.out, "does not exist yet"));
    CHECK(!Exists(world.home()));
  }

  TEST_CASE("with a service that runs nothing is wrong, in text and in JSON") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    const Ran ran = world.Slc({"doctor"});
    CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
    for (const char* check :
         {"home", "disk", "slcd", "masters", "kernel", "open files", "clock", "state of web",
          "app of web", "program of web", "port of web", "orphans"}) {
      CHECK_MESSAGE(Contains(ran.out, std::string(" ") + check + "  "), check, " in ", ran.out);
    }
    const json answer = world.Json({"doctor"});
    CHECK_MESSAGE(answer.at("ok") == true, WrongOnes(answer));
    // A unit is not installed here, and no crontab.
    const json boot = FindingOf(answer, "boot", "warn");
    const std::string cure = Exists("/run/systemd/system") ? "slc service install" : "crontab -e";
    CHECK_MESSAGE(Contains(boot.at("advice"), cure), boot.dump());
    FindingOf(answer, "state", "ok");
    CHECK(Contains(ran.out, "1 service, readable"));
  }

  TEST_CASE("folders that others reach, and files that hold no service") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    LeaveDaemon(world);
    REQUIRE(::chmod((world.home() + "/logs").c_str(), 0755) == 0);
    ExpectFinding(world, "home", "warn", "/logs");
    REQUIRE(::chmod((world.home() + "/logs").c_str(), 0777) == 0);
    ExpectFinding(world, "home", "wrong", "chmod 700");
    REQUIRE(::chmod((world.home() + "/logs").c_str(), 0700) == 0);
    WriteText(world.home() + "/services/9.json", "{");
    ExpectFinding(world, "state", "wrong", "9.json");
    REQUIRE(::unlink((world.home() + "/services/9.json").c_str()) == 0);
    WriteText(world.home() + "/services/9.json.bad", "{");
    ExpectFinding(world, "state", "wrong", "9.json.bad");
    REQUIRE(::unlink((world.home() + "/services/9.json.bad").c_str()) == 0);
    // Nothing was started to find all that out.
    CHECK(!world.Daemon());
    ExpectFinding(world, "slcd", "warn", "does not run");
    ExpectFinding(world, "orphans", "warn", "slc ctl status");
  }

  TEST_CASE("a slcd that holds its lock and does not answer") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGSTOP);
    ExpectFinding(world, "slcd", "wrong", "pid " + std::to_string(daemon->pid));
    Kill(*daemon, SIGCONT);
    ExpectFinding(world, "slcd", "ok", "runs");
  }

  TEST_CASE("a program that boot does not find") {
    World world;
    const std::string folder = FolderWithNode(world);
    Options shell;
    shell.env["PATH"] = folder + ":/usr/bin:/bin";
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"}, shell);
    // The world is below /tmp, where this node would not be after a reboot.
    if (StartsWith(folder, "/tmp/"))
      ExpectFinding(world, "program of web", "warn", "after a reboot");
    REQUIRE(::unlink((folder + "/node").c_str()) == 0);
    const bool another = Exists("/usr/bin/node") || Exists("/bin/node");
    if (!another) ExpectFinding(world, "program of web", "wrong", "--node");
  }

  TEST_CASE("a node that only the PATH of the shell had, and that is gone") {
    World world;
    const std::string folder = FolderWithNode(world);
    Options shell;
    shell.env["PATH"] = folder;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"}, shell);
    REQUIRE(::unlink((folder + "/node").c_str()) == 0);
    // The PATH of whoever asks the doctor is not that of the boot.
    ExpectFinding(world, "program of web", "wrong", "node is not found at boot");
    ExpectFinding(world, "program of web", "wrong", "(" + folder + ")");
    ExpectFinding(world, "program of web", "wrong", "--node");
    CHECK(world.Slc({"doctor"}).code == 1);
  }

  TEST_CASE("a stranger on the port") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    ExpectFinding(world, "port of web", "ok", std::to_string(app.port));
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    Running stranger =
        world.BeginProgram({"python3", "-m", "http.server", std::to_string(app.port)});
    WaitUntil([&] { return FindPortHolder(app.port).has_value(); }, 10'000, "the stranger");
    ExpectFinding(world, "port of web", "wrong", "pid " + std::to_string(stranger.pid()));
  }

  TEST_CASE("a log that cannot be written, and a service that fails") {
    World world;
    world.ExpectInLog("web");
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    const std::string folder = world.log_folder("web");
    REQUIRE(::rename(folder.c_str(), (folder + ".away").c_str()) == 0);
    WriteText(folder, "in the way");
    ExpectFinding(world, "log of web", "wrong", "not a folder");
    REQUIRE(::unlink(folder.c_str()) == 0);
    REQUIRE(::rename((folder + ".away").c_str(), folder.c_str()) == 0);

    const Ran failed = world.Slc({"start", SourcePath("tests/apps/plain/crash-at-start.js"),
                                  "--name", "crashes", "--size", "1"});
    CHECK(failed.code == 1);
    ExpectFinding(world, "state of crashes", "wrong", "slc logs crashes");
    world.Must({"ctl", "remove", "crashes"});
  }

  TEST_CASE("a process of a worker that nobody knows") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    struct stat home {};
    REQUIRE(::stat(world.home().c_str(), &home) == 0);
    Options marked;
    marked.env["SLC_COOKIE"] =
        std::to_string(home.st_dev) + "-" + std::to_string(home.st_ino) + "-1.77";
    Running orphan = world.BeginProgram({"sleep", "60"}, marked);
    LetProcessesAge();
    ExpectFinding(world, "orphans", "wrong", std::to_string(orphan.pid()));
    orphan.Signal(SIGKILL);
    orphan.Wait();
    ExpectFinding(world, "orphans", "ok", "none");
  }

  TEST_CASE("workers that a roll has just started are nobody's orphans") {
    World world;
    world.StartApp("plain/server.js", {"--size", "6", "--name", "web"});
    int looks = 0;
    for (int i = 0; i < 3; ++i) {
      Running roll = world.Begin({"ctl", "soft-restart", "web"});
      while (!roll.HasEnded()) {
        const json findings = world.Json({"doctor", "--json"})["findings"];
        ++looks;
        for (const json& finding : findings) {
          const bool orphans = finding["check"] == "orphans" && finding["level"] == "wrong";
          CHECK_MESSAGE(!orphans, finding.dump());
        }
      }
      CHECK(roll.Wait().code == 0);
    }
    CHECK(looks > 3);
  }

  TEST_CASE("a limit that is too low for the workers there are to be") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    const Ran ran =
        world.BeginProgram({"sh", "-c", "ulimit -n 100; exec \"$0\" doctor", BinaryPath("slc")})
            .Wait();
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.out, "wrong  open files"), ran.out);
  }

  TEST_CASE("a home that is full") {
    if (!Possible(::geteuid() == 0, "only root can mount")) return;
    World world;
    const std::string script =
        "mkdir -p \"$SLC_HOME\" && mount -t tmpfs -o size=64k,mode=700 none \"$SLC_HOME\" && "
        "{ head -c 1000000 /dev/zero >\"$SLC_HOME/x\" || true; } 2>/dev/null && "
        "\"$0\" doctor; code=$?; umount \"$SLC_HOME\"; exit $code";
    const Ran ran =
        world.BeginProgram({"unshare", "-m", "sh", "-c", script, BinaryPath("slc")}).Wait();
    CHECK_MESSAGE(ran.code == 1, ran.out, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "is full"), ran.out);
    CHECK_MESSAGE(Contains(ran.out, "in memory"), ran.out);
  }
}
