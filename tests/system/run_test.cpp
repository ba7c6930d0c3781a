// slc run: slcd in the foreground with one service, as in a container.
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

namespace {

// An `slc run` whose app answers.
Running RunApp(World& world, const std::string& app, int port, const Words& options = {}) {
  Words words{"run", SourcePath("tests/apps/" + app), "--port", std::to_string(port)};
  words.insert(words.end(), options.begin(), options.end());
  Running run = world.Begin(words);
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
  WaitUntil([&] { return Get(url, 1000).status == 200; }, 20'000, "an answer of " + app);
  return run;
}

}  // namespace

TEST_SUITE("run") {
  TEST_CASE("SIGTERM and SIGINT drain: the request under way is answered, exit code 0") {
    for (const int signal : {SIGTERM, SIGINT}) {
      World world;
      const int port = FreePort();
      Running run = RunApp(world, "express4", port, {"--size", "2"});
      CHECK(world.Json({"ctl", "status"}).is_array());
      LoadClient load(world, {"name=slow,connections=4,requests=4,url=http://127.0.0.1:" +
                              std::to_string(port) + "/slow?ms=1000"});
      WaitUntil([&] { return load.connections() == 4; }, 5'000, "four requests");
      run.Signal(signal);
      const LoadReport report = load.Stop();
      CHECK(report.ok() == 4);
      CHECK(report.failed() == 0);
      const Ran& ran = run.Wait(20'000);
      CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
      CHECK(Contains(ran.out, "worker:1 "));
      CHECK(world.Workers().empty());
      CHECK(world.Supervisors().empty());
    }
  }

  TEST_CASE("SIGHUP is a soft-restart: new workers, no failed request") {
    World world;
    const int port = FreePort();
    Running run = RunApp(world, "express4", port, {"--size", "2", "--name", "web"});
    world.WaitForState("web", "running");
    const auto before = world.ReadyPids("web");
    LoadClient load(world, {"connections=4,url=http://127.0.0.1:" + std::to_string(port) + "/"});
    run.Signal(SIGHUP);
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids("web");
          return now.size() == 2 && now[0] != before[0] && now[0] != before[1] &&
                 now[1] != before[0] && now[1] != before[1] && world.View("web").state == "running";
        },
        20'000, "two new workers");
    CHECK(load.Stop().failed() == 0);
    CHECK(world.View("web").generation == 2);
    run.Signal(SIGTERM);
    CHECK(run.Wait(20'000).code == 0);
  }

  TEST_CASE("SIGHUP means the service that was started, not a stopped one of the same home") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "older"});
    world.Must({"ctl", "stop", "older"});
    world.Must({"ctl", "shutdown"});
    Running run = RunApp(world, "express4", FreePort(), {"--size", "1", "--name", "web"});
    world.WaitForState("web", "running");
    run.Signal(SIGHUP);
    WaitUntil([&] { return world.View("web").generation == 2; }, 20'000, "a soft restart");
    world.WaitForState("web", "running");
    CHECK(world.View("older").state == "stopped");
    run.Signal(SIGTERM);
    CHECK(run.Wait(20'000).code == 0);
  }

  TEST_CASE("an app that ends ends it, with the app's code or 128 + signal") {
    struct Row {
      const char* code;
      int expected;
    };
    for (const Row& row :
         {Row{"process.exit(7)", 7}, Row{"process.kill(process.pid, 'SIGSEGV')", 139},
          Row{"throw new Error('on the rocks')", 1}}) {
      CAPTURE(row.code);
      World world;
      const std::string folder = world.MakeFolder("brief", {{"app.js", row.code}});
      Running run =
          world.Begin({"run", folder, "--size", "1", "--port", std::to_string(FreePort())});
      const Ran& ran = run.Wait(20'000);
      CHECK_MESSAGE(ran.code == row.expected, ran.out, ran.err);
      CHECK(world.Supervisors().empty());
    }
  }

  TEST_CASE("an app that ends for good later, by its restart policy, ends it with its code") {
    struct Row {
      const char* policy;
      const char* code;
      int expected;
    };
    for (const Row& row : {Row{"never", "process.exit(7)", 7}, Row{"never", "process.exit(0)", 0},
                           Row{"never", "process.kill(process.pid, 'SIGKILL')", 137},
                           Row{"on-failure", "process.exit(0)", 0}}) {
      CAPTURE(row.policy);
      CAPTURE(row.code);
      World world;
      const int port = FreePort();
      const std::string folder = world.MakeFolder("brief", {{"app.js", std::string(R"(
require('http').createServer((request, response) => {
  response.end('ok');
  if (request.url === '/end') setTimeout(() => )") + row.code + R"(, 50);
}).listen(process.env.PORT);)"}});
      Running run = world.Begin({"run", folder, "--size", "1", "--name", "brief", "--restart",
                                 row.policy, "--port", std::to_string(port)});
      world.WaitForState("brief", "running");
      Get("http://127.0.0.1:" + std::to_string(port) + "/end");
      const Ran& ran = run.Wait(20'000);
      CHECK_MESSAGE(ran.code == row.expected, ran.out, ran.err);
      CHECK(world.Supervisors().empty());
    }
  }

  TEST_CASE("a job that is done before it was ready has ended well where that is no failure") {
    World world;
    const std::string folder =
        world.MakeFolder("job", {{"app.js", "process.stdout.write('done\\n'); process.exit(0)"}});
    Running run = world.Begin({"run", folder, "--size", "1", "--restart", "on-failure", "--port",
                               std::to_string(FreePort())});
    const Ran& ran = run.Wait(20'000);
    CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
    CHECK(Contains(ran.out, "done"));
  }

  TEST_CASE("an app that ends for good after a soft-restart that failed ends it all the same") {
    World world;
    const int port = FreePort();
    const std::string good = R"(
require('http').createServer((request, response) => {
  response.end('ok');
  if (request.url === '/end') setTimeout(() => process.exit(5), 50);
}).listen(process.env.PORT);)";
    const std::string folder = world.MakeFolder("app", {{"app.js", good}});
    Running run = world.Begin({"run", folder, "--size", "1", "--name", "app", "--restart", "never",
                               "--port", std::to_string(port)});
    world.WaitForState("app", "running");
    WriteText(folder + "/app.js", "process.exit(9)");
    run.Signal(SIGHUP);
    world.WaitForState("app", "failed");
    CHECK_FALSE(run.HasEnded());
    Get("http://127.0.0.1:" + std::to_string(port) + "/end");
    const Ran& ran = run.Wait(20'000);
    CHECK_MESSAGE(ran.code == 5, ran.out, ran.err);
  }

  TEST_CASE("SIGTERM before the app is ready: exit code 0") {
    World world;
    const std::string folder =
        world.MakeFolder("slow", {{"app.js", "setInterval(() => {}, 1000);"}});
    Running run = world.Begin(
        {"run", folder, "--size", "1", "--name", "slow", "--port", std::to_string(FreePort())});
    WaitUntil([&] { return !world.Workers().empty(); }, 20'000, "a worker");
    run.Signal(SIGTERM);
    const Ran& ran = run.Wait(20'000);
    CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
  }

  TEST_CASE("an app that cannot be started says why") {
    World world;
    const Ran gone = world.Slc({"run", world.folder() + "/nothing-here"});
    CHECK(gone.code == 1);
    CHECK(Contains(gone.err, "nothing-here"));
    const std::string folder =
        world.MakeFolder("web", {{"app.js", "setInterval(() => {}, 1000);"}});
    const Ran late = world.Slc({"run", folder, "--size", "1", "--ready-timeout", "1s", "--port",
                                std::to_string(FreePort())});
    CHECK(late.code == 1);
    CHECK_MESSAGE(Contains(late.err, "not ready"), late.out, late.err);
  }

  TEST_CASE("beside another slcd, or with other services that are to run, it is refused") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "other"});
    const std::string folder = SourcePath("tests/apps/express4");
    const Ran beside = world.Slc({"run", folder, "--name", "web"});
    CHECK(beside.code == 1);
    CHECK_MESSAGE(Contains(beside.err, "another slcd"), beside.err);
    const auto pids = world.ReadyPids("other");
    Kill(*world.Daemon(), SIGTERM);
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    world.ExpectInLog("another service that is to run");
    const Ran alone = world.Slc({"run", folder, "--name", "web"});
    CHECK(alone.code == 1);
    CHECK_MESSAGE(Contains(alone.err, "another service that is to run, other"), alone.err);
    world.Must({"ctl", "ls"});
    world.WaitForState("other", "running");
    CHECK(world.ReadyPids("other") == pids);
  }
}
