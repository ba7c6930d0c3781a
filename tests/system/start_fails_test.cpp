// slc start of apps that do not come up: exit code 1, the reason, the last lines the app printed.
#include <unistd.h>

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// Starts what must not come up, and gives what was said about it.
Ran Fail(World& world, const std::string& path, const Words& options = {}) {
  Words words{"start", path, "--size", "1", "--port", std::to_string(FreePort())};
  words.insert(words.end(), options.begin(), options.end());
  Ran ran = world.Slc(words);
  INFO(ran.out << ran.err);
  CHECK(ran.code == 1);
  return ran;
}

std::string Plain(const std::string& app) { return SourcePath("tests/apps/plain/" + app); }

std::string FirstLine(const std::string& text) {
  const auto lines = LinesOf(text);
  return lines.empty() ? "" : lines[0];
}

int TailLines(const std::string& text) {
  int count = 0;
  for (const std::string& line : LinesOf(text)) count += line.rfind("  | ", 0) == 0 ? 1 : 0;
  return count;
}

}  // namespace

TEST_SUITE("start-fails") {
  TEST_CASE("a crash at start: the exit code, the error, what it printed on both streams") {
    World world;
    const Ran ran = Fail(world, Plain("crash-at-start.js"));
    CHECK(FirstLine(ran.err) ==
          "slc: cannot start crash-at-start: exit code 1: Error: cannot start without a database");
    CHECK(Contains(ran.err, "\n  | crash-at-start: about to connect\n"));
    CHECK(Contains(ran.err, "\n  | crash-at-start: no database\n"));
    CHECK(Contains(ran.err, "slc logs crash-at-start"));
    CHECK(FirstLine(ran.out) == "crash-at-start: crash-at-start.js (named on the command line)");
    CHECK(LinesOf(ran.out).size() == 1);
  }

  TEST_CASE("a syntax error: where and what") {
    World world;
    const Ran ran = Fail(world, Plain("syntax-error.js"));
    CHECK(Contains(FirstLine(ran.err), "SyntaxError: "));
    CHECK(Contains(ran.err, "  | " + Plain("syntax-error.js") + ":4\n"));
  }

  TEST_CASE("at most the last 20 lines are shown") {
    World world;
    const std::string folder =
        world.MakeFolder("chatty", {{"app.js",
                                     "for (let i = 1; i <= 50; i++) console.log('line ' + i);\n"
                                     "process.exit(3);\n"}});
    const Ran ran = Fail(world, folder);
    CHECK(FirstLine(ran.err) == "slc: cannot start chatty: exit code 3");
    CHECK(TailLines(ran.err) == 20);
    CHECK(Contains(ran.err, "  | line 31\n"));
    CHECK(Contains(ran.err, "  | line 50\n"));
    CHECK_FALSE(Contains(ran.err, "line 30\n"));
  }

  TEST_CASE("a signal is named") {
    World world;
    const std::string folder = world.MakeFolder(
        "segv", {{"app.js", "console.log('dying'); process.kill(process.pid, 'SIGSEGV');"}});
    const Ran ran = Fail(world, folder);
    CHECK(FirstLine(ran.err) == "slc: cannot start segv: killed by SIGSEGV (signal 11)");
    CHECK(Contains(ran.err, "  | dying\n"));
  }

  TEST_CASE("a missing module: npm install is suggested") {
    World world;
    const Ran ran =
        Fail(world, world.MakeFolder("modules", {{"app.js", "require('no-such-module')"}}));
    CHECK(Contains(FirstLine(ran.err), "Cannot find module 'no-such-module'"));
    CHECK(Contains(ran.err, "npm install"));
  }

  TEST_CASE("an app that ends with code 0 unasked has not come up") {
    World world;
    const Ran ran = Fail(world, Plain("exit-zero.js"));
    CHECK(FirstLine(ran.err) == "slc: cannot start exit-zero: exit code 0");
    CHECK(Contains(ran.err, "  | nothing to do\n"));
  }

  TEST_CASE("not ready in time: the time, and --ready alive") {
    World world;
    const Ran ran = Fail(world, Plain("never-listen.js"), {"--ready-timeout", "500ms"});
    CHECK(Contains(FirstLine(ran.err), "not ready within 0.5 s"));
    CHECK(Contains(FirstLine(ran.err), "--ready alive"));
    CHECK(Contains(ran.err, "  | thinking about it\n"));
    CHECK(ran.took >= 500);
    CHECK(ran.took < 10'000);
  }

  TEST_CASE("--ready alive helps the one that never listens") {
    World world;
    const App app = world.StartApp("plain/never-listen.js", {"--size", "1", "--ready", "alive"});
    CHECK(world.View(app.name).state == "running");
  }

  TEST_CASE("a port that another program uses: which port, which pid, which command") {
    World world;
    const std::string port = std::to_string(FreePort());
    Running other = world.BeginProgram({"node", Plain("server.js")}, {.env = {{"PORT", port}}});
    WaitUntil([&] { return Get("http://127.0.0.1:" + port).status == 200; }, 20'000,
              "the other program to listen");
    const Ran ran = Fail(world, Plain("server.js"), {"--port", port});
    CHECK(Contains(FirstLine(ran.err), "port " + port + " is in use by pid " +
                                           std::to_string(other.pid()) + " (node "));
  }

  TEST_CASE("two services on one port: the second is told who holds it") {
    World world;
    const App first = world.StartApp("plain/server.js", {"--size", "1"});
    const std::string folder = world.MakeFolder("second", {{"app.js", kMirror}});
    const Ran ran = Fail(world, folder, {"--port", std::to_string(first.port)});
    CHECK(Contains(FirstLine(ran.err), "port " + std::to_string(first.port) + " is in use by pid " +
                                           std::to_string(world.MasterPid(first.name)) +
                                           " (slc-master server "));
    CHECK(Get(first.url()).status == 200);
  }

  TEST_CASE("an app that says nothing of a port in use: the reason is the port all the same") {
    World world;
    const App first = world.StartApp("plain/server.js", {"--size", "1"});
    // As Express 5 does: the error goes to the callback of listen(), which does not look.
    const std::string folder = world.MakeFolder("mute", {{"app.js", R"(
      const server = require('http').createServer();
      server.on('error', () => console.log('listening'));
      server.listen(process.env.PORT);
      setInterval(() => {}, 1000);
    )"}});
    const Ran ran =
        Fail(world, folder, {"--port", std::to_string(first.port), "--ready-timeout", "2s"});
    CHECK_MESSAGE(Contains(FirstLine(ran.err),
                           "not ready within 2.0 s: port " + std::to_string(first.port) +
                               " is in use by pid " + std::to_string(world.MasterPid(first.name))),
                  ran.err);
  }

  TEST_CASE("on a full disk slcd comes up, and no service does: that is the reason") {
    if (!Possible(::geteuid() == 0, "only root can mount")) return;
    World world;
    const std::string script = world.folder() + "/full.sh";
    WriteText(script,
              "set -e\n"
              "mkdir -p \"$1\"\n"
              "mount -t tmpfs -o size=64k,mode=700 none \"$1\"\n"
              "mkdir -m 700 \"$1/logs\" \"$1/run\" \"$1/services\"\n"
              "cat /dev/zero >\"$1/fill\" 2>/dev/null || true\n"
              "export SLC_HOME=$1\n"
              "\"$2\" start \"$3\" && exit 9\n"
              "\"$2\" ctl info && \"$2\" ctl shutdown\n");
    Running start =
        world.BeginProgram({"unshare", "--mount", "/bin/sh", script, world.folder() + "/tiny",
                            BinaryPath("slc"), SourcePath("tests/apps/plain/server.js")});
    const Ran& ran = start.Wait();
    CHECK(ran.code == 0);
    CHECK_MESSAGE(Contains(ran.err, "services/1.json"), ran.err);
    CHECK_MESSAGE(Contains(ran.err, "No space left on device"), ran.err);
    CHECK_MESSAGE(Contains(ran.err, "free some space"), ran.err);
    CHECK_MESSAGE(Contains(ran.out, "slcd was shut down"), ran.out);
  }

  TEST_CASE("a script that is not there, named or in package.json") {
    World world;
    const std::string missing = world.folder() + "/nowhere.js";
    CHECK(FirstLine(Fail(world, missing).err) ==
          "slc: cannot start: " + missing + ": No such file or directory");
    const std::string folder = world.MakeFolder(
        "unbuilt", {{"package.json", R"({"scripts": {"start": "node dist/main.js"}})"}});
    const Ran ran = Fail(world, folder);
    CHECK(Contains(FirstLine(ran.err), folder + "/dist/main.js does not exist"));
    CHECK(Contains(FirstLine(ran.err), "build"));
    const std::string empty = world.MakeFolder("empty", {});
    CHECK(Contains(Fail(world, empty).err, "no script found in " + empty));
    CHECK(world.Views().empty());
  }

  TEST_CASE("a script that vanishes between two restarts: the restart says so") {
    World world;
    const std::string folder = world.MakeFolder("gone", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1"});
    const auto pids = world.ReadyPids("gone");
    REQUIRE(::rename((folder + "/app.js").c_str(), (folder + "/was.js").c_str()) == 0);
    const Ran ran = world.Slc({"ctl", "soft-restart", "gone"});
    CHECK(ran.code == 1);
    CHECK(Contains(ran.err, "script not found: " + folder + "/app.js"));
    CHECK(world.ReadyPids("gone") == pids);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("no node in PATH: how to name it") {
    World world;
    world.env()["PATH"] = world.folder();
    const Ran ran = Fail(world, Plain("server.js"));
    CHECK(Contains(FirstLine(ran.err), "node"));
    CHECK(Contains(FirstLine(ran.err), "--node"));
  }

  TEST_CASE("--json tells the same: code, message, log tail") {
    World world;
    const json value = world.Json(
        {"start", Plain("crash-at-start.js"), "--size", "1", "--port", std::to_string(FreePort())});
    CHECK(value["ok"] == false);
    CHECK(value["error"]["code"] == "not_ready");
    CHECK(value["error"]["message"] == "exit code 1: Error: cannot start without a database");
    CHECK(value["log_tail"][0] == "crash-at-start: about to connect");
  }

  TEST_CASE("one of several workers that does not come up fails the start") {
    World world;
    const std::string folder = world.MakeFolder(
        "half", {{"app.js", "if (process.env.SLC_SLOT === '1') throw new Error('slot one');\n" +
                                std::string(kMirror)}});
    const Ran ran =
        world.Slc({"start", folder, "--size", "2", "--port", std::to_string(FreePort())});
    CHECK(ran.code == 1);
    CHECK(Contains(FirstLine(ran.err), "exit code 1: Error: slot one"));
  }

  TEST_CASE("a failed start leaves the services that run alone") {
    World world;
    const App good = world.StartApp("plain/server.js", {"--size", "2"});
    const auto pids = world.ReadyPids(good.name);
    Fail(world, Plain("crash-at-start.js"));
    Fail(world, Plain("syntax-error.js"));
    CHECK(world.ReadyPids(good.name) == pids);
    CHECK(world.View(good.name).state == "running");
  }

  TEST_CASE("what was started and fixed then runs: slc start again is enough") {
    World world;
    const std::string folder =
        world.MakeFolder("fixed", {{"app.js", "throw new Error('not yet')"}});
    const std::string port = std::to_string(FreePort());
    CHECK(world.Slc({"start", folder, "--size", "2", "--port", port}).code == 1);
    WriteText(folder + "/app.js", kMirror);
    const Ran again = world.Slc({"start", folder});
    INFO(again.out << again.err);
    CHECK(again.code == 0);
    CHECK(Get("http://127.0.0.1:" + port).status == 200);
    CHECK(world.ReadyPids("fixed").size() == 2);
    CHECK(world.View("fixed").state == "running");
  }
}
