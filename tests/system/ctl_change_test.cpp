// slc ctl, the commands that change something: they answer when it has happened.
#include <poll.h>

#include <csignal>
#include <future>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

std::vector<ProcessIdentity> Identities(const std::vector<int>& pids) {
  std::vector<ProcessIdentity> all;
  for (const int pid : pids) {
    const auto identity = IdentifyProcess(pid);
    REQUIRE(identity);
    all.push_back(*identity);
  }
  return all;
}

std::size_t Alive(const std::vector<ProcessIdentity>& processes) {
  std::size_t count = 0;
  for (const ProcessIdentity& each : processes) count += IsAlive(each) ? 1 : 0;
  return count;
}

// A request that is under way while the test goes on.
std::future<Response> Ask(const std::string& url) {
  return std::async(std::launch::async, [url] { return Get(url, 20'000); });
}

// True once a worker of the app works on the request: it printed so.
void WaitForLine(World& world, const App& app, const std::string& text) {
  WaitUntil([&] { return Contains(ReadText(world.log_folder(app.name) + "/out.log"), text); },
            20'000, "the line \"" + text + "\" in the log");
}

// Answers after 2 s, says when it has begun.
const char* const kSlow =
    "require('http').createServer((request, response) => {\n"
    "  console.log('begun ' + request.url);\n"
    "  setTimeout(() => response.end('whole'), 2000);\n"
    "}).listen(process.env.PORT);\n";

}  // namespace

TEST_SUITE("ctl-change") {
  TEST_CASE("stop ends workers, master and port; start brings them back on the same port") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const auto workers = Identities(world.ReadyPids(app.name));
    const auto master = Identities({world.MasterPid(app.name)});
    const Ran stop = world.Must({"ctl", "stop", app.name});
    CHECK(stop.out == "Service \"server\" hard stopped\n");
    CHECK(stop.err == "");
    CHECK(Alive(workers) == 0);
    WaitUntil([&] { return Alive(master) == 0; }, 5'000, "the master to end");
    CHECK(Get(app.url()).status == 0);
    CHECK(world.View(app.name).state == "stopped");
    CHECK(world.View(app.name).wanted == false);
    const Ran start = world.Must({"ctl", "start", app.name});
    CHECK(StartsWith(start.out, "Service \"server\" started: 2 workers, generation 2, "));
    CHECK(Get(app.url()).status == 200);
    CHECK(world.ReadyPids(app.name).size() == 2);
  }

  TEST_CASE("stop and start are content with what is so already") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const auto pids = world.ReadyPids(app.name);
    world.Must({"ctl", "start", app.name});
    CHECK(world.ReadyPids(app.name) == pids);
    world.Must({"ctl", "stop", app.name});
    world.Must({"ctl", "stop", app.name});
    world.Must({"ctl", "soft-stop", app.name});
    CHECK(world.View(app.name).state == "stopped");
  }

  TEST_CASE(
      "stop ends grandchildren that have left the process tree, one of which ignores SIGTERM") {
    World world;
    const App app =
        world.StartApp("plain/double-fork.js", {"--size", "1", "--stop-timeout", "500ms"});
    const json answer = Get(app.url()).json();
    const auto orphans = Identities(answer["orphans"].get<std::vector<int>>());
    REQUIRE(orphans.size() == 2);
    REQUIRE(Alive(orphans) == 2);
    world.Must({"ctl", "stop", app.name});
    CHECK(Alive(orphans) == 0);
  }

  TEST_CASE("a worker that is replaced, or one too many, takes along what it has started") {
    World world;
    const App app = world.StartApp("plain/double-fork.js", {"--size", "1"});
    const auto ask = [&] {
      const json answer = Get(app.url()).json();
      return Identities(answer["orphans"].get<std::vector<int>>());
    };
    const auto first = ask();
    REQUIRE(Alive(first) == 2);
    world.Must({"ctl", "soft-restart", app.name});
    WaitUntil([&] { return Alive(first) == 0; }, 5'000, "the old worker's orphans to be gone");
    const auto second = ask();
    CHECK(Alive(second) == 2);
    world.Must({"ctl", "set-size", app.name, "0"});
    WaitUntil([&] { return Alive(second) == 0; }, 5'000, "the last worker's orphans to be gone");
  }

  TEST_CASE("a worker that ignores SIGTERM is killed after the stop timeout") {
    World world;
    const App app =
        world.StartApp("plain/ignore-sigterm.js", {"--size", "2", "--stop-timeout", "500ms"});
    const auto workers = Identities(world.ReadyPids(app.name));
    const Ran stop = world.Must({"ctl", "stop", app.name});
    CHECK(stop.took >= 500);
    CHECK(stop.took < 4'000);
    CHECK(Alive(workers) == 0);
    WaitForLine(world, app, "SIGTERM ignored");
    WaitForLine(world, app, "killed by SIGKILL");
  }

  TEST_CASE("the stop signal is the one that was chosen") {
    World world;
    const std::string folder = world.MakeFolder(
        "signals",
        {{"app.js",
          "for (const name of ['SIGTERM', 'SIGINT', 'SIGUSR2'])\n"
          "  process.on(name, () => { console.log('got ' + name); process.exit(0); });\n" +
              std::string(kMirror)}});
    const App app = world.StartPath(folder, {"--size", "1", "--stop-signal", "int"});
    world.Must({"ctl", "stop", app.name});
    const std::string log = ReadText(world.log_folder(app.name) + "/out.log");
    CHECK(Contains(log, "got SIGINT"));
    CHECK_FALSE(Contains(log, "got SIGTERM"));
  }

  TEST_CASE("stop does not wait for requests, soft-stop does") {
    World world;
    const std::string folder = world.MakeFolder("slow", {{"app.js", kSlow}});
    const App app = world.StartPath(folder, {"--size", "1"});
    auto cut = Ask(app.url("/one"));
    WaitForLine(world, app, "begun /one");
    CHECK(world.Must({"ctl", "stop", app.name}).out == "Service \"slow\" hard stopped\n");
    CHECK(cut.get().status == 0);

    world.Must({"ctl", "start", app.name});
    auto whole = Ask(app.url("/two"));
    WaitForLine(world, app, "begun /two");
    CHECK(world.Must({"ctl", "soft-stop", app.name}).out == "Service \"slow\" soft stopped\n");
    CHECK(whole.get().body == "whole");
    CHECK(Get(app.url()).status == 0);
  }

  TEST_CASE("soft-stop gives up on a request after the drain timeout") {
    World world;
    const std::string folder = world.MakeFolder("slow", {{"app.js", kSlow}});
    const App app = world.StartPath(folder, {"--size", "1", "--drain-timeout", "300ms"});
    auto cut = Ask(app.url("/one"));
    WaitForLine(world, app, "begun /one");
    const Ran stop = world.Must({"ctl", "soft-stop", app.name});
    CHECK(stop.took >= 300);
    CHECK(stop.took < 1'900);
    CHECK(cut.get().status == 0);
  }

  TEST_CASE("stop overtakes a soft-stop that is under way") {
    World world;
    const std::string folder = world.MakeFolder("slow", {{"app.js", kSlow}});
    const App app = world.StartPath(folder, {"--size", "1"});
    auto cut = Ask(app.url("/one"));
    WaitForLine(world, app, "begun /one");
    Running soft = world.Begin({"ctl", "soft-stop", app.name});
    WaitUntil([&] { return world.View(app.name).state == "stopping"; }, 5'000,
              "the soft-stop to begin");
    const Ran stop = world.Must({"ctl", "stop", app.name});
    CHECK(stop.took < 1'500);
    CHECK(cut.get().status == 0);
    // What was asked for has happened, though not as asked.
    const Ran& overtaken = soft.Wait();
    CHECK(overtaken.code == 1);
    CHECK(Contains(overtaken.err, "overtaken"));
  }

  TEST_CASE("restart replaces all workers at once, with the code of now") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2"});
    const auto before = Identities(world.ReadyPids("app"));
    WriteText(folder + "/app.js",
              "require('http').createServer((q, r) => r.end('new')).listen(process.env.PORT);");
    const Ran ran = world.Must({"ctl", "restart", "app"});
    CHECK(StartsWith(ran.out, "Service \"app\" restarted: 2 workers, generation 2, "));
    CHECK(Alive(before) == 0);
    CHECK(Get(app.url()).body == "new");
  }

  TEST_CASE(
      "soft-restart and cluster-restart replace all workers, a request under way is finished") {
    World world;
    const std::string folder = world.MakeFolder("slow", {{"app.js", kSlow}});
    const App app = world.StartPath(folder, {"--size", "2"});
    for (const char* verb : {"soft-restart", "cluster-restart"}) {
      const auto before = Identities(world.ReadyPids("slow"));
      auto whole = Ask(app.url(std::string("/") + verb));
      WaitForLine(world, app, std::string("begun /") + verb);
      const Ran ran = world.Must({"ctl", verb, "slow"});
      CHECK(StartsWith(ran.out, "Service \"slow\" soft restarted: 2 workers, generation "));
      CHECK(whole.get().body == "whole");
      CHECK(Alive(before) == 0);
      CHECK(world.ReadyPids("slow").size() == 2);
    }
  }

  TEST_CASE("a restart of a stopped service starts it") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    for (const char* verb : {"restart", "soft-restart"}) {
      world.Must({"ctl", "stop", app.name});
      world.Must({"ctl", verb, app.name});
      CHECK(Get(app.url()).status == 200);
    }
  }

  TEST_CASE("a soft-restart to broken code fails with its reason, and the old workers serve on") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2"});
    const auto pids = world.ReadyPids("app");
    WriteText(folder + "/app.js", "console.log('trying'); throw new Error('broken deploy');");
    const Ran ran = world.Slc({"ctl", "soft-restart", "app"});
    CHECK(ran.code == 1);
    CHECK(ran.out == "");
    CHECK(Contains(ran.err, "cannot soft-restart app: exit code 1: Error: broken deploy"));
    CHECK(Contains(ran.err, "\n  | trying\n"));
    CHECK(world.ReadyPids("app") == pids);
    CHECK(Get(app.url()).status == 200);
    const std::string status = world.Must({"ctl", "status", "app"}).out;
    CHECK(Contains(status, "generation 2 did not come up: exit code 1: Error: broken deploy"));
    CHECK(Contains(ran.err, "The workers of before go on serving."));
    // Mended, the next one replaces both.
    WriteText(folder + "/app.js", kMirror);
    world.Must({"ctl", "soft-restart", "app"});
    CHECK(world.View("app").state == "running");
    CHECK(world.View("app").reason == "");
    const auto after = world.ReadyPids("app");
    CHECK(after.size() == 2);
    for (const int pid : pids) CHECK(std::find(after.begin(), after.end(), pid) == after.end());
  }

  TEST_CASE("a restart to broken code keeps no old worker, and says that nothing serves now") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2"});
    WriteText(folder + "/app.js", "throw new Error('broken deploy');");
    const Ran ran = world.Slc({"ctl", "restart", "app"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "Nothing of app serves now."), ran.err);
    CHECK(world.ReadyPids("app").empty());
    WriteText(folder + "/app.js", kMirror);
    const Ran mended = world.Must({"ctl", "restart", "app"});
    CHECK(mended.err.empty());
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("during a soft-restart a second one is refused with its progress, stop cancels it") {
    World world;
    const App app = world.StartApp("express4", {"--size", "2", "--name", "web"});
    world.Must({"ctl", "env-set", "web", "APP_BOOT_MS=3000", "--no-restart"});
    Running roll = world.Begin({"ctl", "soft-restart", "web"});
    world.WaitForState("web", "rolling");
    for (const Words& words :
         {Words{"ctl", "soft-restart", "web"}, {"ctl", "env-set", "web", "A=1"}}) {
      const Ran refused = world.Slc(words);
      CHECK(refused.code == 1);
      CHECK(Contains(refused.err, "is under way"));
    }
    CHECK(world.View("web").environment.count("A") == 0);
    world.Must({"ctl", "stop", "web"});
    const Ran& cancelled = roll.Wait();
    CHECK(cancelled.code == 1);
    CHECK(Contains(cancelled.err, "overtaken by a later 'stop'"));
    CHECK(world.View("web").state == "stopped");
  }

  TEST_CASE("two starts at once: the same is done once, another says what it is") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", R"js(
      if (!require('fs').existsSync(__dirname + '/ready')) throw new Error('not deployed');
      setTimeout(() => require('http').createServer((q, s) => s.end()).listen(process.env.PORT),
                 2000);
    )js"}});
    const Words start{"start", folder, "--size", "1", "--port", std::to_string(FreePort())};
    CHECK(world.Slc(start).code == 1);
    WriteText(folder + "/ready", "");
    Running first = world.Begin(start);
    WaitUntil([&] { return world.View("web").generation == 2; }, 10'000, "the first start");
    world.Must(start);
    const Ran& one = first.Wait();
    CHECK_MESSAGE(one.code == 0, one.err);
    CHECK(world.View("web").generation == 2);

    Words with = start;
    with.insert(with.end(), {"--env", "A=1"});
    Running third = world.Begin(with);
    WaitUntil([&] { return world.View("web").generation == 3; }, 10'000, "the third start");
    with.back() = "A=2";
    world.Must(with);
    const Ran& overtaken = third.Wait();
    CHECK(overtaken.code == 1);
    CHECK_MESSAGE(Contains(overtaken.err, "overtaken by a later 'slc start'"), overtaken.err);
    CHECK(Contains(overtaken.err, "slc ctl status web"));
  }

  TEST_CASE("env-set --no-restart leaves a restart that is under way to its end") {
    World world;
    world.StartApp("express4", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "env-set", "web", "APP_BOOT_MS=3000", "--no-restart"});
    Running restart = world.Begin({"ctl", "restart", "web"});
    WaitUntil([&] { return world.View("web").generation == 2; }, 10'000, "the new generation");
    world.Must({"ctl", "env-set", "web", "A=1", "--no-restart"});
    const Ran& restarted = restart.Wait();
    CHECK_MESSAGE(restarted.code == 0, restarted.out, restarted.err);
    CHECK(world.View("web").environment.count("A") == 1);
  }

  TEST_CASE("set-size goes up and down and to nothing, and is kept") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const auto first = world.ReadyPids(app.name);
    CHECK(world.Must({"ctl", "set-size", app.name, "3"}).out ==
          "Service \"server\" size was set to 3\n");
    CHECK(world.ReadyPids(app.name).size() == 3);
    world.Must({"ctl", "set-size", app.name, "1"});
    // The highest slots leave.
    CHECK(world.ReadyPids(app.name) == first);
    CHECK(world.View(app.name).processes.size() == 2);
    world.Must({"ctl", "set-size", app.name, "0"});
    CHECK(world.View(app.name).processes.size() == 1);
    CHECK(world.View(app.name).cluster_size == 0);
    CHECK(world.Workers().empty());
    world.Must({"ctl", "set-size", app.name, "1"});
    CHECK(Get(app.url()).status == 200);
    const Ran cpu = world.Must({"ctl", "set-size", app.name, "cpu"});
    CHECK(cpu.out ==
          "Service \"server\" size was set to cpu (" + std::to_string(UsableCpus()) + ")\n");
    CHECK(world.ReadyPids(app.name).size() == UsableCpus());
    CHECK(world.View(app.name).size == "cpu");
  }

  TEST_CASE("set-size of a stopped service counts from its next start") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    world.Must({"ctl", "stop", app.name});
    world.Must({"ctl", "set-size", app.name, "2"});
    CHECK(world.View(app.name).state == "stopped");
    world.Must({"ctl", "start", app.name});
    CHECK(world.ReadyPids(app.name).size() == 2);
  }

  TEST_CASE("env-set and env-unset reach the app when they answer; no change does nothing") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2"});
    const Ran set = world.Must({"ctl", "env-set", "app", "A=1", "B=x=y"});
    CHECK(set.out ==
          "Service \"app\" environment updated\n    Name  Value\n    A     1\n    B     x=y\n");
    const json seen = Get(app.url()).json()["env"];
    CHECK(seen["A"] == "1");
    CHECK(seen["B"] == "x=y");
    const auto pids = world.ReadyPids("app");
    world.Must({"ctl", "env-set", "app", "A=1"});
    world.Must({"ctl", "env-unset", "app", "NEVER_SET"});
    CHECK(world.ReadyPids("app") == pids);
    world.Must({"ctl", "env-unset", "app", "A", "B"});
    CHECK_FALSE(Get(app.url()).json()["env"].contains("A"));
    CHECK(world.View("app").environment.empty());
  }

  TEST_CASE("env-set that the app cannot live with: what is recorded, what serves, what to do") {
    World world;
    const std::string code = "if (process.env.LEVEL === 'bad') throw new Error('no such level');";
    const std::string folder = world.MakeFolder("app", {{"app.js", code + kMirror}});
    const App app = world.StartPath(folder, {"--size", "2", "--env", "LEVEL=good"});
    const auto pids = world.ReadyPids("app");
    const Ran failed = world.Slc({"ctl", "env-set", "app", "LEVEL=bad"});
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(Contains(failed.err, "no such level"));
    CHECK(Contains(failed.err, "the change of LEVEL was recorded all the same"));
    CHECK(Contains(failed.err, "the workers that serve still have the old environment"));
    CHECK(Contains(failed.err, "slc ctl soft-restart app"));
    CHECK(Contains(failed.err, "slc ctl env-unset app LEVEL"));
    CHECK_FALSE(Contains(failed.err, "LEVEL=bad"));
    CHECK(world.ReadyPids("app") == pids);
    CHECK(world.View("app").environment["LEVEL"] == "bad");
    CHECK(Get(app.url()).json()["env"]["LEVEL"] == "good");
    // For programs.
    const json again = world.Json({"ctl", "env-set", "app", "OTHER=1"});
    REQUIRE(again["notes"].size() == 1);
    CHECK(Contains(again["notes"][0].get<std::string>(), "the change of OTHER was recorded"));
    world.Must({"ctl", "env-set", "app", "LEVEL=fine"});
    CHECK(Get(app.url()).json()["env"]["LEVEL"] == "fine");
    CHECK(Get(app.url()).json()["env"]["OTHER"] == "1");
  }

  TEST_CASE("env-set --no-restart only records; the next soft-restart brings it") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1"});
    const auto pids = world.ReadyPids("app");
    world.Must({"ctl", "env-set", "app", "A=1", "--no-restart"});
    CHECK(world.ReadyPids("app") == pids);
    CHECK_FALSE(Get(app.url()).json()["env"].contains("A"));
    world.Must({"ctl", "soft-restart", "app"});
    CHECK(Get(app.url()).json()["env"]["A"] == "1");
  }

  TEST_CASE("a crashed worker comes back with its own generation's environment") {
    World world;
    const App app = world.StartApp("express4", {"--size", "1", "--env", "A=old"});
    world.Must({"ctl", "env-set", app.name, "A=new", "--no-restart"});
    const int before = world.ReadyPids(app.name).at(0);
    Get(app.url("/crash"));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 1 && now[0] != before;
        },
        20'000, "the successor");
    CHECK(Get(app.url("/env?name=A")).json()["value"] == "old");
  }

  TEST_CASE("after a generation that failed a crashed worker comes back with the one that works") {
    World world;
    const std::string folder = world.MakeFolder(
        "app", {{"app.js", "if (process.env.A === 'bad') throw new Error('A is bad');\n" +
                               std::string(kMirror)}});
    const App app = world.StartPath(folder, {"--size", "1", "--env", "A=good"});
    CHECK(world.Slc({"ctl", "env-set", app.name, "A=bad"}).code == 1);
    const int before = world.ReadyPids(app.name).at(0);
    Kill(*IdentifyProcess(before));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 1 && now[0] != before;
        },
        20'000, "the successor");
    CHECK(Get(app.url()).json()["env"]["A"] == "good");
  }

  TEST_CASE("env-set PORT moves the app") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const std::string port = std::to_string(FreePort());
    world.Must({"ctl", "env-set", app.name, "PORT=" + port});
    CHECK(Get("http://127.0.0.1:" + port).status == 200);
    CHECK(Get(app.url()).status == 0);
    CHECK(world.View(app.name).port == std::stoi(port));
  }

  TEST_CASE("create makes a service without an app, which slc start fills in under the same id") {
    World world;
    CHECK(world.Must({"ctl", "create", "web", "--size", "2"}).out ==
          "Created Service id: 1 name: \"web\" group: \"default\" scale: 1\n");
    CHECK(world.View("web").state == "new");
    const Ran early = world.Slc({"ctl", "start", "web"});
    CHECK(early.code == 1);
    CHECK(Contains(early.err, "has no app yet"));
    const App app = world.StartApp("plain/server.js", {"--name", "web"});
    CHECK(world.View("web").id == 1);
    CHECK(world.ReadyPids("web").size() == 2);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("remove stops and forgets, and the id is not given again") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto workers = Identities(world.ReadyPids("web"));
    const Ran ran = world.Must({"ctl", "remove", "web"});
    CHECK(StartsWith(ran.out, "Destroyed service: web\n"));
    CHECK(Alive(workers) == 0);
    CHECK(Get(app.url()).status == 0);
    CHECK(world.Views().empty());
    CHECK_FALSE(Exists(world.home() + "/services/1.json"));
    CHECK(world.Slc({"ctl", "status", "web"}).code == 1);
    world.Must({"ctl", "create", "web"});
    CHECK(world.View("web").id == 2);
  }

  TEST_CASE("a service is meant by name or by id") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "stop", "1"});
    CHECK(world.View("web").state == "stopped");
    world.Must({"ctl", "start", "1"});
    world.Must({"ctl", "set-size", "1", "2"});
    CHECK(world.ReadyPids("web").size() == 2);
    world.Must({"ctl", "remove", "1"});
    CHECK(world.Views().empty());
  }

  TEST_CASE("every command that changes something has its JSON") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    for (const Words& words :
         {Words{"start", SourcePath("tests/apps/plain/server.js"), "--name", "web"},
          {"ctl", "create", "other"},
          {"ctl", "stop", "web"},
          {"ctl", "start", "web"},
          {"ctl", "soft-stop", "web"},
          {"ctl", "restart", "web"},
          {"ctl", "soft-restart", "web"},
          {"ctl", "cluster-restart", "web"},
          {"ctl", "set-size", "web", "2"},
          {"ctl", "env-set", "web", "A=1"},
          {"ctl", "env-unset", "web", "A"}}) {
      INFO(Join(words, " "));
      const json value = world.Json(words);
      CHECK(value["ok"] == true);
      CHECK(value["took_ms"].is_number());
      CHECK(value["notes"].is_array());
      CHECK(value["service"]["name"] == (words[1] == "create" ? "other" : "web"));
    }
    CHECK(world.Json({"ctl", "remove", "other"})["ok"] == true);
    const json failed = world.Json({"ctl", "stop", "nobody"});
    CHECK(failed["ok"] == false);
    CHECK(failed["error"]["code"] == "not_found");
    CHECK(world.Json({"ctl", "shutdown"})["ok"] == true);
  }

  TEST_CASE("--no-wait answers before it has happened") {
    World world;
    const App app =
        world.StartApp("plain/ignore-sigterm.js", {"--size", "1", "--stop-timeout", "1s"});
    const Ran ran = world.Must({"ctl", "stop", app.name, "--no-wait"});
    CHECK(ran.out == "Service \"ignore-sigterm\" stopping...\n");
    CHECK(ran.took < 1'000);
    CHECK_FALSE(world.View(app.name).wanted);
    world.WaitForState(app.name, "stopped");
  }

  TEST_CASE("Ctrl-C detaches from any change and it goes on") {
    World world;
    const App app =
        world.StartApp("plain/ignore-sigterm.js", {"--size", "1", "--stop-timeout", "1500ms"});
    Running stop = world.Begin({"ctl", "stop", app.name});
    WaitUntil([&] { return world.View(app.name).state == "stopping"; }, 5'000, "the stop to begin");
    stop.Signal(SIGINT);
    const Ran& ran = stop.Wait(1'400);
    CHECK(ran.code == 130);
    CHECK(ran.out == "");
    CHECK(Contains(ran.err, "slcd goes on to stop " + app.name));
    world.WaitForState(app.name, "stopped");
  }

  TEST_CASE("what takes over a second shows progress on a terminal, and none in a pipe") {
    World world;
    const App app =
        world.StartApp("plain/ignore-sigterm.js", {"--size", "1", "--stop-timeout", "1500ms"});
    const Ran piped = world.Must({"ctl", "restart", app.name});
    CHECK(piped.took > 1'500);
    CHECK(piped.err == "");
    REQUIRE(LinesOf(piped.out).size() == 2);
    CHECK(Contains(LinesOf(piped.out)[1], "was killed (SIGKILL): it had not ended 1.5 s after"));
    // script(1) gives it a terminal.
    const Ran shown =
        world
            .BeginProgram(
                {"script", "-qefc", BinaryPath("slc") + " ctl restart " + app.name, "/dev/null"},
                {.env = {{"TERM", "xterm"}}})
            .Wait();
    CHECK(shown.code == 0);
    CHECK(Contains(shown.out, "\rrestarting ignore-sigterm"));
    // The line is wiped away before the result.
    CHECK(Contains(shown.out, "\r\x1b[KService \"ignore-sigterm\" restarted: "));
  }

  TEST_CASE("shutdown of a slcd that does not run starts nothing") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    CHECK(world.Must({"ctl", "shutdown"}).out ==
          "slcd was shut down\n  the service that ran will be started by the next slc command; "
          "`slc ctl stop` keeps one down\n");
    // It answers before it is gone.
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    const std::string before = world.DaemonLog();
    CHECK(world.Must({"ctl", "shutdown"}).out == "slcd was not running\n");
    CHECK(world.DaemonLog() == before);
    // Masters without a slcd are shut down all the same.
    world.Must({"ctl", "ls"});
    world.WaitForState(app.name, "running");
    world.KillDaemon();
    CHECK(world.Must({"ctl", "shutdown"}).out ==
          "slcd was shut down\n  the service that ran will be started by the next slc command; "
          "`slc ctl stop` keeps one down\n");
    CHECK(world.Workers().empty());
  }

  TEST_CASE("a slcd that is killed while it shuts down is started again for that") {
    World world;
    // Its worker takes 5 s to be stopped.
    const App app = world.StartApp("plain/ignore-sigterm.js", {"--size", "1"});
    Running shutdown = world.Begin({"ctl", "shutdown"});
    WaitUntil([&] { return Contains(world.DaemonLog(), "stopping all services"); }, 5'000,
              "slcd to shut down");
    world.KillDaemon();
    CHECK_MESSAGE(shutdown.Wait().code == 0, shutdown.Wait().err);
    CHECK(StartsWith(shutdown.Wait().out, "slcd was shut down\n"));
    CHECK(world.Workers().empty());
    // It answers before it is gone.
    WaitUntil([&] { return world.Supervisors().empty(); }, 5'000, "slcd and its master to leave");
  }

  TEST_CASE("a slcd that does not answer is replaced, and what was asked is done by the next") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const ProcessIdentity daemon = *world.Daemon();
    Kill(daemon, SIGSTOP);
    world.ExpectInLog("has not answered for 10 s and was killed");
    const Ran ran = world.Slc({"ctl", "soft-restart", app.name});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(Contains(ran.err, "slcd does not answer"));
    // 5 s of silence, 3 s for an answer to anything, 10 s of slcd --replace, and the roll.
    CHECK(ran.took < 22'000);
    CHECK(!IsAlive(daemon));
    CHECK(world.View(app.name).generation == 2);
    CHECK(world.View(app.name).state == "running");
    // A master has started a slcd --replace, too: which of the two kills, and which gets the lock,
    // is open, and only the killer knows why.
    const std::string pid = "(pid " + std::to_string(daemon.pid) + ") ";
    const std::string events = world.Must({"events"}).out;
    CHECK_MESSAGE((Contains(events, "slcd " + pid + "has not answered for 10 s and was killed") ||
                   Contains(events, "the one before " + pid + "had ended without telling why")),
                  events);
  }

  TEST_CASE("nothing leaks: many changes later slcd and master hold as many files as before") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const int daemon = world.Daemon()->pid;
    const int master = world.MasterPid(app.name);
    world.Must({"ctl", "soft-restart", app.name});
    // The connection of the command before may still be open on slcd's side.
    Words daemon_files;
    Words master_files;
    WaitUntil(
        [&] {
          daemon_files = OpenFiles(daemon);
          master_files = OpenFiles(master);
          ::poll(nullptr, 0, 50);
          return daemon_files == OpenFiles(daemon) && master_files == OpenFiles(master);
        },
        5'000, "descriptors that stay the same");
    for (int i = 0; i < 5; ++i) {
      world.Must({"ctl", "set-size", app.name, "3"});
      world.Must({"ctl", "set-size", app.name, "2"});
      world.Must({"ctl", "restart", app.name});
      world.Must({"ctl", "soft-restart", app.name});
      for (int j = 0; j < 20; ++j) world.Must({"ctl", "ls"});
    }
    const Millis deadline = BootNow() + 5'000;
    while (BootNow() < deadline &&
           (OpenFiles(daemon) != daemon_files || OpenFiles(master) != master_files)) {
      ::poll(nullptr, 0, 50);
    }
    CHECK_MESSAGE(OpenFiles(daemon) == daemon_files, Join(daemon_files, " "),
                  "\n  after: ", Join(OpenFiles(daemon), " "));
    CHECK_MESSAGE(OpenFiles(master) == master_files, Join(master_files, " "),
                  "\n  after: ", Join(OpenFiles(master), " "));
  }
}
