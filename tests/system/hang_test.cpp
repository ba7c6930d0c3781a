// Workers whose event loop does not turn: whichever the way of --balance, they are told of, what
// waits for them goes to others, and with --hang-timeout they are replaced.
//
// SLC_LONG=1: on every version of Node.
#include <algorithm>
#include <csignal>
#include <memory>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/dice.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// The loop stands still for as long as it is told, when the answer is on its way: 0 is for ever.
constexpr const char* kApp = R"(
const server = require('http').createServer((request, response) => {
  response.end(String(process.pid));
  const [, block] = /^.block=(\d+)/.exec(request.url) || [];
  if (block === undefined) return;
  request.socket.on('close', () => {
    const end = Date.now() + Number(block || 0);
    while (block === '0' || Date.now() < end);
  });
});
// An idle connection outlives a block.
server.keepAliveTimeout = 30000;
setTimeout(() => server.listen(process.env.PORT), Number(process.env.BOOT_MS || 0));
)";

App StartHanging(World& world, const Words& options) {
  return world.StartPath(world.MakeFolder("web", {{"server.js", kApp}}), options);
}

std::size_t Hanging(World& world) { return world.Json({"why", "web"})["hangs"].size(); }

// That is noticed when slcd pings, each 10 s, and a second after.
void AwaitHanging(World& world, std::size_t count) {
  WaitUntil([&] { return Hanging(world) == count; }, 30'000,
            std::to_string(count) + " workers that hang");
}

using Clients = std::vector<std::unique_ptr<RawConnection>>;

Clients Ask(const App& app, std::size_t count) {
  Clients clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawConnection>(app.port));
    REQUIRE(clients.back()->SendGet("/"));
  }
  return clients;
}

std::size_t Answered(const Clients& clients) {
  return static_cast<std::size_t>(
      std::count_if(clients.begin(), clients.end(), [](const auto& client) {
        client->Receive(0);
        return Contains(client->received(), "200 OK");
      }));
}

void AwaitAnswers(const Clients& clients) {
  WaitUntil([&] { return Answered(clients) == clients.size(); }, 20'000, "all answers");
}

ProcessIdentity StopOne(World& world, std::size_t which) {
  const int pid = world.ReadyPids("web").at(which);
  const ProcessIdentity identity = *IdentifyProcess(pid);
  Kill(identity, SIGSTOP);
  WaitUntil([&] { return ReadUsage(pid)->state == 'T'; }, 5'000, "a stopped worker");
  return identity;
}

void OneOfTwoSlots(int version) {
  CAPTURE(version);
  World world;
  if (version != 0) world.UseNode(version);
  const App app =
      StartHanging(world, {"--size", "2", "--balance", "slots", "--drain-timeout", "500ms"});
  world.ExpectMoreSockets(app.name, 1);
  const std::string hanging = Get(app.url("/block=0")).body;
  // By chance each goes to one of the two: that none of them waits happens once in a million runs.
  const Clients waiting = Ask(app, 20);
  AwaitHanging(world, 1);
  const json why = world.Json({"why", "web"});
  CHECK_MESSAGE(Contains(why["hangs"][0], "(pid " + hanging + ") has not answered for "),
                why.dump());
  CHECK(why["state"] == "web is up: running, 1 worker serves of 2");
  // It hangs still, but nobody waits for it any more, nor will.
  AwaitAnswers(waiting);
  for (int i = 0; i < 40; ++i) {
    const Millis start = BootNow();
    CHECK(Get(app.url()).body != hanging);
    CHECK(BootNow() - start < 1000);
  }
  const int master = world.MasterPid(app.name);
  world.KillMaster(app.name);
  WaitUntil([&] { return world.MasterPid(app.name) != master; }, 10'000, "its successor");
  world.WaitForState(app.name, "running");
  AwaitAnswers(Ask(app, 40));
  CHECK(Hanging(world) == 1);
  world.Must({"ctl", "soft-restart", "web"});
  CHECK(Hanging(world) == 0);
}

// Of the worker with that pid, when its successor serves: where it has to be named.
void CheckToldOf(World& world, int pid) {
  const std::string which = "(pid " + std::to_string(pid) + ") hung";
  WaitUntil(
      [&] {
        return Contains(world.Must({"events", "web"}).out, which);
      },
      10'000, "the hang on record");
  const json end = world.Json({"why", "web"})["last_end"];
  CHECK_MESSAGE(end["kind"] == "worker_hung", end.dump());
  CHECK(end["pid"] == pid);
  CHECK(end["text"] == "hung, its event loop had not turned for 1.0 s");
  const std::string events = world.Must({"events", "web"}).out;
  CHECK_MESSAGE(Contains(events, "which hung"), events);
  CHECK(Contains(world.Must({"ctl", "status", "web", "--wide"}).out,
                 "last end: hung, its event loop had not turned for 1.0 s"));
}

void ReplaceOneOf(int size, const std::string& balance, int version) {
  CAPTURE(size);
  CAPTURE(balance);
  CAPTURE(version);
  World world;
  if (version != 0) world.UseNode(version);
  const App app = StartHanging(world, {"--size", std::to_string(size), "--balance", balance,
                                       "--hang-timeout", "1s", "--stop-timeout", "500ms"});
  if (balance == "slots") world.ExpectMoreSockets(app.name, static_cast<std::size_t>(size - 1));
  const Millis start = BootNow();
  // One that is stopped cannot be asked to end either.
  const ProcessIdentity hanging = StopOne(world, 0);
  const Clients waiting = Ask(app, 20);
  world.WaitForSuccessor("web", hanging.pid, static_cast<std::size_t>(size));
  AwaitAnswers(waiting);
  // A quarter of the timeout until it is asked, the timeout, a boot, the stop timeout.
  CHECK(BootNow() - start < 5'000);
  WaitUntil([&] { return !IsAlive(hanging); }, 5'000, "its end");
  for (const auto& client : waiting) CHECK(client->end().empty());
  CheckToldOf(world, hanging.pid);
  world.WaitForState("web", "running");
}

}  // namespace

TEST_SUITE("hang") {
  TEST_CASE("slots: a worker that hangs is told of, and others take what waits for it") {
    OneOfTwoSlots(0);
  }

  TEST_CASE("long: so on every version of Node" * doctest::skip(!Long())) {
    for (const int version : {16, 18, 20, 22, 24}) {
      OneOfTwoSlots(version);
      for (const std::string balance : {"rr", "slots", "shared"}) ReplaceOneOf(2, balance, version);
    }
  }

  TEST_CASE("slots: one that goes on has its own queue again, and all that wait are answered") {
    World world;
    const App app = StartHanging(world, {"--size", "2", "--balance", "slots"});
    world.ExpectMoreSockets(app.name, 1);
    const ProcessIdentity first = StopOne(world, 0);
    const ProcessIdentity second = StopOne(world, 1);
    const Clients waiting = Ask(app, 40);
    AwaitHanging(world, 2);
    CHECK(world.Json({"why", "web"})["state"] ==
          "web is down: running, but no worker takes connections");
    CHECK(Answered(waiting) == 0);
    Kill(first, SIGCONT);
    AwaitAnswers(waiting);
    AwaitHanging(world, 1);
    Kill(second, SIGCONT);
    AwaitHanging(world, 0);
    std::set<std::string> seen;
    for (int i = 0; i < 60; ++i) seen.insert(Get(app.url()).body);
    CHECK(seen.size() == 2);
    CHECK(world.ReadyPids("web").size() == 2);
  }

  TEST_CASE("shared: workers that hang are told of when connections wait") {
    World world;
    const App app = StartHanging(world, {"--size", "2", "--balance", "shared"});
    const ProcessIdentity first = StopOne(world, 0);
    const ProcessIdentity second = StopOne(world, 1);
    const Clients waiting = Ask(app, 10);
    AwaitHanging(world, 2);
    Kill(second, SIGCONT);
    AwaitAnswers(waiting);
    Kill(first, SIGCONT);
    AwaitHanging(world, 0);
  }

  TEST_CASE("shared: one that hangs is told of though others take all that comes") {
    World world;
    const App app = StartHanging(world, {"--size", "2", "--balance", "shared"});
    const ProcessIdentity stopped = StopOne(world, 0);
    WaitUntil(
        [&] {
          for (int i = 0; i < 50; ++i) CHECK(Get(app.url()).status == 200);
          return Hanging(world) == 1;
        },
        30'000, "a worker that hangs");
    Kill(stopped, SIGCONT);
    AwaitHanging(world, 0);
  }

  TEST_CASE("--hang-timeout: one that hangs is replaced, and nobody who waits for it is lost") {
    for (const std::string balance : {"rr", "sticky", "slots", "shared"}) {
      ReplaceOneOf(1, balance, 0);
      ReplaceOneOf(2, balance, 0);
    }
  }

  TEST_CASE("--hang-timeout: who is slow, or goes on in time, is not ended") {
    World world;
    const App app =
        StartHanging(world, {"--size", "1", "--hang-timeout", "3s", "--env", "BOOT_MS=4000"});
    const int pid = world.ReadyPids("web").at(0);
    for (int i = 0; i < 3; ++i) {
      CHECK(Get(app.url("/block=1500")).body == std::to_string(pid));
      CHECK(Get(app.url()).body == std::to_string(pid));
    }
    CHECK(world.ReadyPids("web") == std::vector<int>{pid});
    // It is told to hang after 3 s at least and 3.9 s at most (later where there is no CPU for who
    // judges), and its successor serves 4 s after that: by then it has gone on, and drains.
    RawConnection kept(app.port);
    REQUIRE(kept.SendGet("/"));
    REQUIRE(Contains(kept.Answer(), "200 OK"));
    CHECK(Get(app.url("/block=5500")).body == std::to_string(pid));
    REQUIRE(kept.SendGet("/"));
    const Clients waiting = Ask(app, 5);
    world.WaitForSuccessor("web", pid, 1);
    AwaitAnswers(waiting);
    CHECK(Contains(kept.Answer(), "200 OK"));
  }

  TEST_CASE("--hang-timeout: a master that was stopped itself, or killed, blames nobody for it") {
    World world;
    const App app = StartHanging(world, {"--size", "2", "--hang-timeout", "1s"});
    const std::vector<int> pids = world.ReadyPids("web");
    const ProcessIdentity stopped = *IdentifyProcess(world.MasterPid("web"));
    for (int i = 0; i < 4; ++i) {
      Kill(stopped, SIGSTOP);
      // Longer than the timeout; slcd replaces a master that has not answered for 2 s.
      LetPass(1'200);
      Kill(stopped, SIGCONT);
      LetPass(500);
    }
    CHECK(world.ReadyPids("web") == pids);
    // Its successor asks anew, and finds who hangs.
    const ProcessIdentity hanging = StopOne(world, 1);
    world.KillMaster("web");
    world.WaitForSuccessor("web", hanging.pid, 2);
    CheckToldOf(world, hanging.pid);
    WaitUntil([&] { return !IsAlive(hanging); }, 10'000, "its end");
    const auto left = world.ReadyPids("web");
    CHECK(std::count(left.begin(), left.end(), pids.at(0)) == 1);
  }

  TEST_CASE("--hang-timeout: a debugger may hold a worker for as long as it likes") {
    World world;
    const App app = StartHanging(
        world, {"--size", "1", "--hang-timeout", "1s", "--node-args", "--inspect=127.0.0.1:0"});
    const int pid = world.ReadyPids("web").at(0);
    // It has been asked by then whether it has one.
    LetPass(700);
    CHECK(Get(app.url("/block=3000")).body == std::to_string(pid));
    CHECK(Get(app.url()).body == std::to_string(pid));
    CHECK(world.ReadyPids("web") == std::vector<int>{pid});
  }

  TEST_CASE("--hang-timeout: one that hangs as soon as it is ready waits longer and longer") {
    World world;
    const std::string folder = world.MakeFolder(
        "web", {{"server.js",
                 "require('http').createServer().listen(process.env.PORT, () => {\n"
                 "  setTimeout(() => { for (;;); }, 20);\n"
                 "});\n"}});
    world.StartPath(folder, {"--size", "1", "--hang-timeout", "1s"});
    const auto restarts = [&] {
      std::uint32_t most = 0;
      for (const ProcessView& process : world.View("web").processes) {
        most = std::max(most, process.restarts);
      }
      return most;
    };
    const Millis start = BootNow();
    WaitUntil([&] { return restarts() >= 4; }, 60'000, "four of them");
    // The pauses alone take 0.1, 0.2, 0.4 s, a fifth less at least; each stands for a second first.
    CHECK(BootNow() - start >= 4'000);
    world.WaitForState("web", "backoff");
    CHECK(world.Json({"why", "web"})["up"] == false);
  }

  TEST_CASE("--hang-timeout is refused where nobody could answer") {
    World world;
    const Ran python = world.Slc({"start", SourcePath("tests/apps/py/app.py"), "--interpreter",
                                  "python3", "--hang-timeout", "2s"});
    CHECK(python.code == 1);
    CHECK_MESSAGE(Contains(python.err, "--hang-timeout is for Node"), python.err);
    const Ran without = world.Slc(
        {"start", SourcePath("tests/apps/express4"), "--no-agent", "--hang-timeout", "2s"});
    CHECK(without.code == 1);
    CHECK_MESSAGE(Contains(without.err, "--no-agent"), without.err);
    const Ran shorter =
        world.Slc({"start", SourcePath("tests/apps/express4"), "--hang-timeout", "500ms"});
    CHECK(shorter.code == 2);
  }
}
