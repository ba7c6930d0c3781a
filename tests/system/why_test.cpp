// slc why: every cause of a service that is not up, or of an end that is over, made to happen.
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// Ends as it is told.
constexpr const char* kApp = R"(
require('http').createServer((request, response) => {
  response.end(String(process.pid));
  if (request.url === '/exit') {
    console.error('cannot reach the database');
    process.exitCode = 7;
    setTimeout(() => process.exit(), 20);
  }
  if (request.url === '/throw') setTimeout(() => { throw new TypeError('boom'); }, 20);
  if (request.url === '/eat') {
    const hoard = [];
    setInterval(() => hoard.push(Buffer.alloc(32 << 20, 1)), 20);
  }
  if (request.url === '/hang') request.socket.on('close', () => { for (;;); });
}).listen(process.env.PORT);
)";

struct Service {
  std::string folder;
  std::uint16_t port = 0;
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port) + path;
  }
};

Service Start(World& world, int size = 1, const Words& options = {}) {
  Service service{world.MakeFolder("web", {{"app.js", kApp}}), FreePort()};
  Words words{"start",  service.folder,
              "--size", std::to_string(size),
              "--port", std::to_string(service.port)};
  words.insert(words.end(), options.begin(), options.end());
  world.Must(words);
  return service;
}

// Asks until it is on record that this process has ended.
json WhyOf(World& world, int pid) {
  json why;
  WaitUntil(
      [&] {
        why = world.Json({"why", "web"});
        return why.contains("last_end") && why["last_end"].is_object() &&
               why["last_end"]["pid"] == pid;
      },
      10'000, "the end of pid " + std::to_string(pid) + " on record");
  return why;
}

// Asks until so many workers are said to hang: that is noticed when slcd pings, each 10 s.
json WhyWithHangs(World& world, std::size_t count) {
  json why;
  WaitUntil(
      [&] {
        why = world.Json({"why", "web"});
        return why["hangs"].size() == count;
      },
      30'000, std::to_string(count) + " workers that hang");
  return why;
}

// Clients of which each worker is handed some, whether it takes them or not.
std::vector<RawConnection> AskSix(const Service& service) {
  std::vector<RawConnection> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(service.port);
    CHECK(clients.back().SendGet("/"));
  }
  return clients;
}

std::string TailOf(const json& why) {
  std::string tail;
  for (const auto& line : why["log_tail"]) tail += line.get<std::string>() + "\n";
  return tail;
}

}  // namespace

TEST_SUITE("why") {
  TEST_CASE("a worker that served and crashed: its exit code and its last error lines") {
    World world;
    const Service service = Start(world);
    int pid = world.ReadyPids("web").at(0);
    CHECK(Get(service.url("/exit")).status == 200);
    json why = WhyOf(world, pid);
    CHECK(why["last_end"]["text"] == "exit code 7");
    CHECK(why["last_end"]["worker"] == 1);
    CHECK(Contains(TailOf(why), "cannot reach the database"));
    CHECK(why["changes"].empty());
    CHECK(why["good_generation"] == "1");

    world.WaitForState("web", "running");
    WaitUntil([&] { return world.ReadyPids("web").size() == 1; }, 10'000, "its successor");
    pid = world.ReadyPids("web").at(0);
    CHECK(Get(service.url("/throw")).status == 200);
    why = WhyOf(world, pid);
    CHECK(Contains(TailOf(why), "TypeError: boom"));
    // Not of another worker.
    CHECK_FALSE(Contains(TailOf(why), "cannot reach the database"));

    WaitUntil([&] { return world.Json({"why", "web"})["up"] == true; }, 10'000, "all is well");
    const std::string text = world.Must({"why", "web"}).out;
    CHECK(Contains(text, "web is up: running, 1 worker serves"));
    CHECK(Contains(text, "(pid " + std::to_string(pid) + ") ended"));
    CHECK(Contains(text, "TypeError: boom"));
  }

  TEST_CASE("somebody's kill -9 is told from the OOM killer's") {
    World world;
    Start(world);
    const int pid = world.ReadyPids("web").at(0);
    Kill(*IdentifyProcess(pid));
    const json why = WhyOf(world, pid);
    CHECK_MESSAGE(Contains(why["last_end"]["text"], "killed by SIGKILL (signal 9)"), why.dump());
    // The tests of memory limits beside us make the machine's count rise; our cgroup's does not.
    CHECK_FALSE(Contains(why["last_end"]["text"], "struck in its cgroup"));
  }

  TEST_CASE("an OOM kill") {
    const std::string root = "/sys/fs/cgroup/memory";
    if (!Possible(::geteuid() == 0 && Exists(root + "/memory.limit_in_bytes"),
                  "no memory cgroup (v1) to be made here")) {
      return;
    }
    World world;
    const std::string cgroup = root + "/slc-test-" + std::to_string(::getpid());
    const std::string script = world.folder() + "/limited.sh";
    WriteText(script,
              "set -e\n"
              "mkdir \"$1\"\n"
              "echo 200M >\"$1/memory.limit_in_bytes\"\n"
              "echo $$ >\"$1/cgroup.procs\"\n"
              "shift; exec \"$@\"\n");
    const Service service{world.MakeFolder("web", {{"app.js", kApp}}), FreePort()};
    const Ran started =
        world
            .BeginProgram({"/bin/sh", script, cgroup, BinaryPath("slc"), "start", service.folder,
                           "--size", "1", "--port", std::to_string(service.port)})
            .Wait();
    REQUIRE_MESSAGE(started.code == 0, started.err);
    const int pid = world.ReadyPids("web").at(0);
    const int master = world.MasterPid("web");
    CHECK(Get(service.url("/eat")).status == 200);
    const json why = WhyOf(world, pid);
    CHECK_MESSAGE(Contains(why["last_end"]["text"],
                           "killed by SIGKILL (signal 9): out of memory: the kernel's OOM killer"),
                  why.dump());
    CHECK(world.MasterPid("web") == master);
    world.End();
    ::rmdir(cgroup.c_str());
  }

  TEST_CASE("a change that does not come up: what changed, by name, and that the old ones serve") {
    World world;
    const Service service = Start(world);
    const int pid = world.ReadyPids("web").at(0);
    WriteText(service.folder + "/package.json", R"({"name": "web", "version": "2.0.0"})");
    WriteText(service.folder + "/app.js", "throw new Error('no ' + 'config')");
    CHECK(world.Slc({"ctl", "env-set", "web", "TOKEN=s3cret"}).code == 1);
    json why;
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return why["last_end"].is_object();
        },
        10'000, "the end on record");
    CHECK(why["last_end"]["generation"] == 2);
    CHECK(why["good_generation"] == "1");
    REQUIRE(why["changes"].size() == 1);
    const std::string changes = why["changes"][0];
    CHECK(Contains(changes, "generation 2: "));
    CHECK(Contains(changes, "env TOKEN added"));
    CHECK(Contains(changes, "the script was written"));
    CHECK(Contains(TailOf(why), "Error: no config"));
    CHECK_FALSE(Contains(why.dump(), "s3cret"));
    CHECK(world.ReadyPids("web") == std::vector<int>{pid});
    const std::string text = world.Must({"why", "web"}).out;
    CHECK(Contains(text, "web is up: failed, 1 worker serves"));
    CHECK(Contains(text, "the workers of before go on"));
  }

  TEST_CASE("code that became another under a running generation") {
    World world;
    const Service service = Start(world);
    const int pid = world.ReadyPids("web").at(0);
    WriteText(service.folder + "/app.js", "throw new Error('half a deploy')");
    CHECK(Get(service.url("/exit")).status == 200);
    WhyOf(world, pid);
    json why;
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return Contains(TailOf(why), "half a deploy");
        },
        10'000, "the successor's end on record");
    CHECK(why["up"] == false);
    CHECK(why["changes"].empty());
    REQUIRE(why["on_disk"].size() == 1);
    CHECK(Contains(why["on_disk"][0], "the script was written"));
    WriteText(service.folder + "/app.js", kApp);
    world.WaitForState("web", "running");
  }

  TEST_CASE("a port that somebody else holds, a worker that does not get ready, a stop") {
    World world;
    const App other = world.StartApp("plain/server.js", {"--size", "1", "--name", "other"});
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    CHECK(world.Slc({"start", folder, "--size", "1", "--port", std::to_string(other.port)}).code ==
          1);
    json why;
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return why["last_end"].is_object();
        },
        10'000, "the end on record");
    const std::string holder = "port " + std::to_string(other.port) + " is held by pid " +
                               std::to_string(world.MasterPid("other"));
    CHECK_MESSAGE(StartsWith(why["port"].get<std::string>(), holder), why.dump());
    CHECK(Contains(why["last_end"]["text"], "is in use by pid"));

    WriteText(folder + "/app.js", "setInterval(() => {}, 1000);");
    CHECK(world.Slc({"start", folder, "--ready-timeout", "1s"}).code == 1);
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return Contains(why["last_end"].dump(), "not ready within 1.0 s");
        },
        10'000, "the worker that was given up");
    CHECK(why["last_end"]["kind"] == "worker_given_up");

    world.Must({"ctl", "stop", "web"});
    WaitUntil(
        [&] {
          return world.Json({"why", "web"})["stopped_by"].is_object();
        },
        10'000, "who stopped it");
    why = world.Json({"why", "web"});
    CHECK(why["stopped_by"]["who"]["uid"] == ::getuid());
    CHECK(Contains(world.Must({"why", "web"}).out, "it stays stopped until somebody starts it"));
  }

  TEST_CASE("a bad deploy that was refused, and what respawned on it") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kApp}});
    const Service service{folder, FreePort()};
    world.Must({"start", folder, "--size", "1", "--port", std::to_string(service.port)});
    world.Must({"ctl", "env-set", "web", "SOME=thing"});
    WriteText(folder + "/app.js", "throw new Error('half a deploy')");
    CHECK(world.Slc({"ctl", "soft-restart", "web"}).code == 1);
    CHECK(Get(service.url("/exit")).status == 200);
    json why;
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return why["last_end"]["generation"] == 2 && Contains(TailOf(why), "half a deploy");
        },
        10'000, "the end of a worker of the generation that had served");
    CHECK_MESSAGE(why["changes"].empty(), why.dump());
    REQUIRE(why["on_disk"].size() == 1);
    CHECK(Contains(why["on_disk"][0], "the script was written"));
    CHECK(Contains(why["on_disk"][0], "before the worker of that end was started"));
    WriteText(folder + "/app.js", kApp);
    world.Must({"ctl", "restart", "web"});
  }

  TEST_CASE("a worker that is killed together with its master") {
    World world;
    Start(world);
    const auto master = *IdentifyProcess(world.MasterPid("web"));
    const auto worker = *IdentifyProcess(world.ReadyPids("web").at(0));
    Kill(master, SIGSTOP);
    Kill(worker);
    world.KillMaster("web");
    json why;
    WaitUntil(
        [&] {
          why = world.Json({"why", "web"});
          return why["last_end"].is_object();
        },
        10'000, "the end on record");
    CHECK(why["last_end"]["kind"] == "workers_lost");
    CHECK(why["master_end"].is_null());
    CHECK(Contains(world.Must({"why", "web"}).out, "workers were lost with their master: 1 that"));
    world.WaitForState("web", "running");
  }

  TEST_CASE("a name that nobody bears, that another bore before, and a slcd that does not start") {
    World world;
    Service service = Start(world);
    CHECK(world.Slc({"ctl", "stop", "nope"}).code == 1);
    const auto recorded = [&] { return world.Must({"events"}).out; };
    WaitUntil([&] { return Contains(recorded(), "stop failed"); }, 10'000, "the record of that");
    const Ran nope = world.Slc({"why", "nope"});
    CHECK(nope.code == 1);
    CHECK(Contains(nope.err, "nope"));

    int pid = world.ReadyPids("web").at(0);
    CHECK(Get(service.url("/exit")).status == 200);
    WhyOf(world, pid);
    world.Must({"ctl", "remove", "web"});
    service = Start(world);
    CHECK(world.Json({"why", "web"})["last_end"].is_null());

    pid = world.ReadyPids("web").at(0);
    CHECK(Get(service.url("/exit")).status == 200);
    WhyOf(world, pid);
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 10'000, "the end of slcd");
    const std::string run = world.home() + "/run";
    REQUIRE(::rename(run.c_str(), (run + ".away").c_str()) == 0);
    WriteText(run, "in its place");
    const Ran unable = world.Slc({"why", "web"});
    CHECK(unable.code == 3);
    CHECK_MESSAGE(Contains(unable.out, "how web is now cannot be told"), unable.out);
    CHECK(Contains(unable.out, "(pid " + std::to_string(pid) + ") ended"));
    CHECK_FALSE(Contains(unable.out, "\\x0a"));
    REQUIRE(::unlink(run.c_str()) == 0);
    REQUIRE(::rename((run + ".away").c_str(), run.c_str()) == 0);
  }

  TEST_CASE("what ended before slcd was killed, and of a service that was removed") {
    World world;
    const Service service = Start(world);
    const int pid = world.ReadyPids("web").at(0);
    CHECK(Get(service.url("/exit")).status == 200);
    WhyOf(world, pid);
    world.WaitForState("web", "running");
    world.KillDaemon();
    CHECK(WhyOf(world, pid)["last_end"]["status"] == 7 << 8);
    world.Must({"ctl", "remove", "web"});
    const json why = world.Json({"why", "web"});
    CHECK(why["last_end"]["pid"] == pid);
    CHECK(Contains(why["state"], "cannot be told"));
    CHECK(world.Slc({"why", "never-was"}).code == 1);
  }

  TEST_CASE("workers in an endless loop: one of two, both, and none after a soft restart") {
    World world;
    const Service service = Start(world, 2, {"--drain-timeout", "500ms"});
    const std::vector<int> pids = world.ReadyPids("web");
    const std::string first = Get(service.url("/hang")).body;
    std::vector<RawConnection> waiting = AskSix(service);
    json why = WhyWithHangs(world, 1);
    CHECK(why["up"] == false);
    CHECK(why["state"] == "web is up: running, 1 worker serves of 2");
    CHECK_MESSAGE(Contains(why["hangs"][0], "(pid " + first + ") has not answered for "),
                  why.dump());
    CHECK(Contains(world.Must({"why", "web"}).out, "1 worker serves on"));
    CHECK(
        Contains(world.Must({"ctl", "status", "web"}).out, "(pid " + first + ") has not answered"));
    for (const auto& process : world.Json({"ctl", "status", "web"})[0]["processes"]) {
      const bool hangs = std::to_string(process["pid"].get<int>()) == first;
      CHECK((process["stuck_ms"].get<Millis>() >= 1000) == hangs);
    }

    const std::string second = Get(service.url("/hang")).body;
    CHECK(second != first);
    for (RawConnection& client : AskSix(service)) waiting.push_back(std::move(client));
    why = WhyWithHangs(world, 2);
    CHECK(why["up"] == false);
    CHECK(why["state"] == "web is down: running, but no worker takes connections");
    const std::string text = world.Must({"why", "web"}).out;
    CHECK(Contains(text, "(pid " + second + ") has not answered"));
    CHECK(Contains(text, "nobody serves: new connections wait in the kernel's queue"));
    CHECK_FALSE(Contains(text, "nothing is left to be done"));

    world.Must({"ctl", "soft-restart", "web"});
    why = world.Json({"why", "web"});
    CHECK_MESSAGE(why["up"] == true, why.dump());
    CHECK(why["hangs"].empty());
    for (const int pid : world.ReadyPids("web"))
      CHECK(std::count(pids.begin(), pids.end(), pid) == 0);
    // Those who had waited with a worker that hung were not lost with it.
    for (RawConnection& client : waiting) CHECK(client.WaitFor("200 OK"));
  }

  TEST_CASE("a stopped worker hangs until it goes on, whoever its master is") {
    World world;
    const Service service = Start(world);
    const int pid = world.ReadyPids("web").at(0);
    const auto worker = *IdentifyProcess(pid);
    Kill(worker, SIGSTOP);
    std::vector<RawConnection> waiting = AskSix(service);
    WhyWithHangs(world, 1);
    const int master = world.MasterPid("web");
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    Kill(*IdentifyProcess(master));
    WaitUntil([&] { return world.MasterPid("web") != master; }, 10'000, "another master");
    world.WaitForState("web", "running");
    CHECK(WhyWithHangs(world, 1)["up"] == false);
    Kill(worker, SIGCONT);
    CHECK(WhyWithHangs(world, 0)["up"] == true);
    CHECK(world.ReadyPids("web") == std::vector<int>{pid});
    for (RawConnection& client : waiting) CHECK(client.WaitFor("200 OK"));
  }
}
