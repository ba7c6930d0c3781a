// Drain: rolling restarts, changes of size and failed rolls cost no request. Counted by slc-load,
// which tells refused, reset, cut, timed out and wrong answers apart; none is allowed, and no FIN
// that crossed a request either.
//
// SLC_LONG=1: at least 20 rolls and 1,000,000 requests, every load also by itself, Express 5 on
// Node 18-24.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;

namespace {

// Twice the longest think time of load (b): a client that thinks that long still finds its
// connection.
const Words kLinger{"--drain-linger", "600ms"};

Words With(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The six loads of a service that speaks http and one that speaks https.
struct SixLoads {
  Words keepalive;    // (a) never pausing: a request is always outstanding
  Words thinking;     // (b)
  Words per_request;  // (c) a connection per request
  Words slow;         // (d) requests of 2 s
  Words large;        // (e) 1 MB down and up
  Words https;        // (f)

  // Two cores also run eight workers, slcd, two masters and slc-load: the rates keep answers below
  // a second when something else runs on them.
  SixLoads(const std::string& http, const std::string& tls)
      : keepalive{"name=a-busy,connections=6,url=" + http + "slow?ms=10",
                  "name=a-flat-out,connections=1,url=" + http},
        thinking{"name=b-think,connections=30,think=0-300,url=" + http},
        per_request{"name=c-close,mode=close,connections=6,rate=100,url=" + http},
        slow{"name=d-slow,connections=6,url=" + http + "slow?ms=2000"},
        large{"name=e-down,connections=2,rate=12,expect=1048576,url=" + http + "big",
              "name=e-up,connections=2,rate=8,method=POST,body=1048576,url=" + http + "upload"},
        https{"name=f-tls-think,connections=6,think=0-300,url=" + tls,
              "name=f-tls-close,mode=close,connections=2,rate=12,url=" + tls} {}

  Words all() const {
    Words lanes;
    for (const Words* each : {&keepalive, &thinking, &per_request, &slow, &large, &https}) {
      lanes.insert(lanes.end(), each->begin(), each->end());
    }
    return lanes;
  }
};

// The http and the https service of the six loads, four workers each.
struct Pair {
  Pair(World& world, const std::string& app, int size) : world_(world) {
    const World::Certificate certificate = world.MakeCertificate();
    const Words options = With({"--size", std::to_string(size)}, kLinger);
    http = world.StartApp(app, With(options, {"--name", "http"}));
    tls = world.StartApp(app, With(options, {"--name", "tls", "--env", "APP_HTTPS=1", "--env",
                                             "APP_KEY=" + certificate.key, "--env",
                                             "APP_CERT=" + certificate.certificate}));
    workers_ = static_cast<std::size_t>(size);
  }

  SixLoads loads() const {
    return {http.url(), "https://127.0.0.1:" + std::to_string(tls.port) + "/"};
  }

  // Both at once; every worker is another one afterwards.
  void Roll() {
    const auto http_before = world_.ReadyPids(http.name);
    const auto tls_before = world_.ReadyPids(tls.name);
    Running first = world_.Begin({"ctl", "soft-restart", http.name});
    Running second = world_.Begin({"ctl", "soft-restart", tls.name});
    for (Running* roll : {&first, &second}) {
      const Ran& ran = roll->Wait(180'000);
      CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
    }
    CheckReplaced(http_before, world_.ReadyPids(http.name));
    CheckReplaced(tls_before, world_.ReadyPids(tls.name));
  }

  App http;
  App tls;

 private:
  void CheckReplaced(const std::vector<int>& before, const std::vector<int>& after) const {
    REQUIRE(before.size() == workers_);
    CHECK(after.size() == workers_);
    for (const int pid : after) CHECK(std::count(before.begin(), before.end(), pid) == 0);
  }

  World& world_;
  std::size_t workers_ = 0;
};

LoadReport RollUnder(World& world, Pair& pair, const Words& lanes, int rolls) {
  LoadClient load(world, lanes);
  for (int i = 0; i < rolls; ++i) pair.Roll();
  return load.Stop();
}

void ReplaceServer(const std::string& folder, const std::string& text) {
  WriteText(folder + "/server.js", text);
}

// Waits until somebody in the service is in this state.
void WaitForWorker(World& world, const std::string& service, const std::string& state) {
  WaitUntil(
      [&] {
        const auto view = world.TryView(service);
        return view && std::any_of(view->processes.begin(), view->processes.end(),
                                   [&](const ProcessView& each) { return each.state == state; });
      },
      30'000, "a worker of " + service + " that is " + state);
}

// From "started worker N" to "is ready" in the service's log, ms, of each worker.
std::vector<Millis> BootTimes(World& world, const std::string& service) {
  const auto at = [](const std::string& line) {  // 2026-11-22T17:16:38.688Z
    const auto number = [&](std::size_t from, std::size_t count) {
      return static_cast<Millis>(std::strtol(line.substr(from, count).c_str(), nullptr, 10));
    };
    return ((number(11, 2) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1000 + number(20, 3);
  };
  std::map<std::string, Millis> started;
  std::vector<Millis> boots;
  for (const std::string& line : LinesOf(ReadText(world.log_folder(service) + "/out.log"))) {
    const std::size_t pid = line.find("(pid ");
    if (pid == std::string::npos) continue;
    const std::string who = line.substr(pid, line.find(')', pid) - pid);
    if (Contains(line, "supervisor started worker ")) started[who] = at(line);
    if (Contains(line, ") is ready") && started.count(who) > 0)
      boots.push_back(at(line) - started[who]);
  }
  return boots;
}

}  // namespace

TEST_SUITE("drain") {
  TEST_CASE("six loads together lose no request over rolling restarts of four workers") {
    constexpr int kRolls = 5;
    World world;
    Pair pair(world, "express4", 4);
    const LoadReport report = RollUnder(world, pair, pair.loads().all(), kRolls);
    MESSAGE("Express 4, ", kRolls, " rolls, ", report.ok(), " requests, ", report.failed(),
            " failed", Figures(report));
    CheckNoneFailed(report);
    // Every worker there ever was has served, or the roll has not been under load.
    CHECK(report.lane("c-close").requests_by_worker.size() == 4 * (kRolls + 1));
  }

  TEST_CASE("long: 20 rolls and a million requests" * doctest::skip(!Long())) {
    constexpr int kRolls = 20;
    constexpr std::int64_t kRequests = 1'000'000;
    World world;
    Pair pair(world, "express4", 4);
    std::int64_t requests = 0;
    int rolls = 0;
    while (rolls < kRolls || requests < kRequests) {
      Words lanes = pair.loads().all();
      lanes.push_back("name=more,connections=4,url=" + pair.http.url());
      const LoadReport report = RollUnder(world, pair, lanes, 5);
      CheckNoneFailed(report);
      requests += report.ok();
      rolls += 5;
      MESSAGE(rolls, " rolls, ", requests, " requests so far", Figures(report));
      if (!report.passed) break;
    }
  }

  TEST_CASE("long: every load by itself" * doctest::skip(!Long())) {
    World world;
    Pair pair(world, "express4", 4);
    const SixLoads loads = pair.loads();
    for (const Words* lanes : {&loads.keepalive, &loads.thinking, &loads.per_request, &loads.slow,
                               &loads.large, &loads.https}) {
      const LoadReport report = RollUnder(world, pair, *lanes, 20);
      MESSAGE("20 rolls", Figures(report));
      CheckNoneFailed(report);
    }
  }

  TEST_CASE("Express 5 loses no request either") {
    const std::vector<int> versions =
        Long() ? std::vector<int>{18, 20, 22, 24} : std::vector<int>{24};
    for (const int version : versions) {
      World world;
      world.UseNode(version);
      const int rolls = Long() ? 20 : 2;
      Pair pair(world, "express5", Long() ? 4 : 2);
      const LoadReport report = RollUnder(world, pair, pair.loads().all(), rolls);
      MESSAGE("Express 5, Node ", version, ", ", rolls, " rolls, ", report.ok(), " requests, ",
              report.failed(), " failed", Figures(report));
      CheckNoneFailed(report);
    }
  }

  TEST_CASE("a service of one worker is soft-restarted without a failed request") {
    World world;
    Pair pair(world, "express4", 1);
    const LoadReport report = RollUnder(world, pair, pair.loads().all(), 2);
    MESSAGE("one worker, 2 rolls, ", report.ok(), " requests, ", report.failed(), " failed",
            Figures(report));
    CheckNoneFailed(report);
  }

  TEST_CASE("without the agent a connection per request survives rolls") {
    World world;
    const App app = world.StartApp("express4", {"--size", "4", "--no-agent"});
    CHECK(world.View(app.name).agent_version.empty());
    LoadClient load(world, {"name=c-close,mode=close,connections=8,rate=200,url=" + app.url(),
                            "name=c-slow,mode=close,connections=4,url=" + app.url("/slow?ms=500")});
    constexpr int kRolls = 4;
    for (int i = 0; i < kRolls; ++i) world.Must({"ctl", "soft-restart", app.name});
    const LoadReport report = load.Stop();
    MESSAGE("no agent, ", kRolls, " rolls, ", report.ok(), " requests, ", report.failed(),
            " failed", Figures(report));
    CheckNoneFailed(report);
    // Every worker has served, but perhaps one of the last generation: a roll is over as soon as
    // its last predecessor is gone, which without an agent is at once, and then the load ends.
    CHECK(report.lane("c-close").requests_by_worker.size() >= 4 * kRolls);
  }

  TEST_CASE("a version that crashes at start is given up, and the old workers serve on") {
    World world;
    const std::string folder = world.CopyApp("express4");
    const App app = world.StartPath(folder, With({"--size", "3"}, kLinger));
    const auto old_pids = world.ReadyPids(app.name);
    const std::string good = ReadText(folder + "/server.js");
    LoadClient load(world, {"name=think,connections=10,think=0-200,url=" + app.url(),
                            "name=close,mode=close,connections=4,rate=60,url=" + app.url()});

    ReplaceServer(folder, "console.log('on my way');\nthrow new TypeError('broken on purpose');\n");
    const Ran ran = world.Slc({"ctl", "soft-restart", app.name});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "TypeError: broken on purpose"), ran.err);  // the reason
    CHECK_MESSAGE(Contains(ran.err, "| on my way"), ran.err);                   // the last lines
    CHECK(world.ReadyPids(app.name) == old_pids);
    const ServiceView failed = world.View(app.name);
    CHECK_MESSAGE(Contains(failed.reason, "broken on purpose"), failed.reason);
    const Ran wide = world.Must({"ctl", "status", app.name, "--wide"});
    CHECK_MESSAGE(Contains(wide.out, "broken on purpose"), wide.out);

    ReplaceServer(folder, good);
    WriteText(folder + "/version.txt", "2\n");
    world.Must({"ctl", "soft-restart", app.name});
    const ServiceView mended = world.View(app.name);
    CHECK(mended.state == "running");
    CHECK(mended.reason.empty());
    CHECK(Get(app.url()).headers["x-version"] == "2");
    for (const int pid : world.ReadyPids(app.name)) {
      CHECK(std::count(old_pids.begin(), old_pids.end(), pid) == 0);
    }
    const LoadReport report = load.Stop();
    MESSAGE("a broken and a good version, ", report.ok(), " requests, ", report.failed(),
            " failed");
    CheckNoneFailed(report);
  }

  TEST_CASE("a version that never gets ready is killed in time, and the old workers serve on") {
    World world;
    const std::string folder = world.MakeFolder(
        "lazy", {{"package.json", R"({"name": "lazy"})"},
                 {"server.js", ReadText(SourcePath("tests/apps/plain/server.js"))}});
    // Long enough for a plain server on two busy cores.
    const App app = world.StartPath(folder, {"--size", "2", "--ready-timeout", "4s"});
    const auto old_pids = world.ReadyPids(app.name);
    LoadClient load(world, {"name=think,connections=8,think=0-200,url=" + app.url(),
                            "name=close,mode=close,connections=4,rate=60,url=" + app.url()});
    const std::string good = ReadText(folder + "/server.js");
    ReplaceServer(folder, "console.log('thinking about it');\nsetInterval(() => {}, 1000);\n");
    const Ran ran = world.Slc({"ctl", "soft-restart", app.name});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "not ready within 4"), ran.err);
    CHECK_MESSAGE(Contains(ran.err, "thinking about it"), ran.err);
    // A second for the kill and for two busy cores.
    CHECK(ran.took >= 4000);
    CHECK(ran.took < 6000);
    CHECK(world.ReadyPids(app.name) == old_pids);
    CHECK(Contains(world.View(app.name).reason, "not ready within"));
    // The one that never got ready is gone.
    WaitUntil([&] { return world.Workers().size() == old_pids.size(); }, 5'000,
              "the end of the successor that never got ready");
    ReplaceServer(folder, good);
    world.Must({"ctl", "soft-restart", app.name});
    CHECK(world.View(app.name).state == "running");
    const LoadReport report = load.Stop();
    MESSAGE("never ready, then good, ", report.ok(), " requests, ", report.failed(), " failed");
    CheckNoneFailed(report);
  }

  TEST_CASE("a WebSocket stays open until the drain timeout, a long poll ends by itself") {
    World world;
    constexpr Millis kDrainTimeout = 2500;
    const App app = world.StartApp(
        "express4", {"--size", "1", "--drain-timeout", "2500ms", "--drain-linger", "200ms"});
    RawConnection socket(app.port);
    REQUIRE(
        socket.Send("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                    "Upgrade: echo\r\n\r\n"));
    REQUIRE(socket.WaitFor("101 Switching Protocols"));
    REQUIRE(socket.Send("before"));
    REQUIRE(socket.WaitFor("before"));
    RawConnection poll(app.port);
    REQUIRE(poll.SendGet("/slow?ms=1500"));
    RawConnection never_used(app.port);
    REQUIRE(never_used.connected());
    // The request has reached the worker: a later one on another connection was answered.
    REQUIRE(Get(app.url()).status == 200);

    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    WaitForWorker(world, app.name, "draining");
    const Millis drained_at = BootNow();
    const std::string answer = poll.Answer();
    CHECK_MESSAGE(Contains(answer, "200 OK"), answer, poll.end());
    CHECK_MESSAGE(Contains(answer, "Connection: close"), answer);
    CHECK(poll.WaitForEnd(1000));
    CHECK(never_used.WaitForEnd(1000));
    CHECK(never_used.end() == "FIN");
    // Still there, and still the old worker.
    REQUIRE(socket.Send("during"));
    CHECK(socket.WaitFor("during", 1000));
    CHECK(BootNow() - drained_at < kDrainTimeout);
    REQUIRE(socket.WaitForEnd(10'000));
    const Millis lasted = BootNow() - drained_at;
    CHECK(socket.end() == "FIN");
    // Seen draining up to 100 ms late; ended by the stop signal at once, two busy cores.
    CHECK(lasted > kDrainTimeout - 300);
    CHECK(lasted < kDrainTimeout + 1500);
    const Ran& ran = roll.Wait();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    MESSAGE("WebSocket open for ", lasted, " ms of the drain, timeout ", kDrainTimeout);
  }

  TEST_CASE("at the drain timeout a WebSocket gets a FIN, also of an app that ignores SIGTERM") {
    World world;
    const std::string folder = world.MakeFolder("deaf", {{"server.js", R"(
      const server = require('http').createServer((request, response) => response.end('ok'));
      server.on('upgrade', (request, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n');
        socket.resume().on('end', () => socket.end());
      });
      server.listen(process.env.PORT);
      process.on('SIGTERM', () => console.log('got SIGTERM'));
      setInterval(() => {}, 1000);
    )"}});
    const App app = world.StartPath(folder, {"--size", "1", "--drain-timeout", "1s",
                                             "--drain-linger", "200ms", "--stop-timeout", "2s"});
    const auto old = IdentifyProcess(world.ReadyPids(app.name).front());
    REQUIRE(old);
    RawConnection socket(app.port);
    REQUIRE(
        socket.Send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                    "Upgrade: echo\r\n\r\n"));
    REQUIRE(socket.WaitFor("101 Switching Protocols"));
    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    WaitForWorker(world, app.name, "draining");
    REQUIRE(socket.WaitForEnd(10'000));
    CHECK(socket.end() == "FIN");
    // Not the kernel on behalf of a killed process: it lives until SIGKILL, 2 s later.
    CHECK(IdentifyProcess(old->pid) == old);
    const auto log = [&] { return ReadText(world.log_folder(app.name) + "/out.log"); };
    WaitUntil([&] { return Contains(log(), "got SIGTERM"); }, 5'000, "the stop signal");
    const Ran& ran = roll.Wait();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(!IdentifyProcess(old->pid));
  }

  TEST_CASE("an idle connection is closed after --drain-linger, not before") {
    World world;
    constexpr Millis kIdle = 1500;  // far from the default
    const App app = world.StartApp("express4", {"--size", "1", "--drain-linger", "1500ms"});
    RawConnection idle(app.port);
    REQUIRE(idle.SendGet("/"));
    REQUIRE(idle.WaitFor("200 OK"));
    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    WaitForWorker(world, app.name, "draining");
    const Millis drained_at = BootNow();
    REQUIRE(idle.WaitForEnd(10'000));
    const Millis lasted = BootNow() - drained_at;
    CHECK(idle.end() == "FIN");
    // Seen draining up to 100 ms late; the agent looks every 20 ms, two busy cores.
    CHECK(lasted > kIdle - 300);
    CHECK(lasted < kIdle + 1500);
    CHECK(roll.Wait().code == 0);
  }

  TEST_CASE("an app that listens for it is told to shut down in both customary ways") {
    World world;
    const App app = world.StartApp("plain/shutdown-message.js", {"--size", "1"});
    const std::string line = "worker:1 got ";
    world.Must({"ctl", "soft-restart", app.name});
    const auto heard = [&] {
      Words words;
      for (const std::string& each : LinesOf(ReadText(world.log_folder(app.name) + "/out.log"))) {
        const std::size_t at = each.find(line);
        if (at != std::string::npos) words.push_back(each.substr(at + line.size()));
      }
      return words;
    };
    WaitUntil([&] { return heard().size() >= 3; }, 5'000, "what the app heard");
    CHECK(heard() ==
          Words{"\"shutdown\"", R"({"cmd":"CLUSTER_CONTROL_shutdown"})", "\"disconnect\""});
  }

  TEST_CASE("an HTTP/2 stream in flight ends well, and its client is sent away") {
    for (const int version : {16, 18, 20, 22, 24}) {
      INFO("Node ", version);
      World world;
      world.UseNode(version);
      const World::Certificate certificate = world.MakeCertificate();
      const App app =
          world.StartApp("plain/http2.js", {"--size", "2", "--env", "APP_KEY=" + certificate.key,
                                            "--env", "APP_CERT=" + certificate.certificate});
      Running client =
          world.BeginProgram({world.NodePath(20), SourcePath("tests/system/clients/http2.cjs"),
                              "https://127.0.0.1:" + std::to_string(app.port), "/slow?ms=1500"});
      WaitUntil([&] { return Contains(client.out(), "waiting") || client.HasEnded(); }, 10'000,
                "the client's slow request");
      world.Must({"ctl", "soft-restart", app.name});
      const Ran& ran = client.Wait();
      INFO(ran.out, ran.err);
      REQUIRE(LinesOf(ran.out).size() == 2);
      const auto result = nlohmann::json::parse(LinesOf(ran.out)[1]);
      CHECK(result.at("first") == 200);
      CHECK(result.at("slow") == 200);
      CHECK(result.at("slowBody").get<std::string>().size() > 1);
      CHECK(result.at("goaway") == true);
      CHECK(result.at("again") == 200);
      CHECK(result.at("error") == "");
    }
  }

  TEST_CASE("set-size up and down under load fails no request") {
    World world;
    const App app = world.StartApp("express4", With({"--size", "2"}, kLinger));
    LoadClient load(world, {"name=busy,connections=6,url=" + app.url("/slow?ms=10"),
                            "name=think,connections=20,think=0-300,url=" + app.url(),
                            "name=close,mode=close,connections=4,rate=80,url=" + app.url(),
                            "name=slow,connections=4,url=" + app.url("/slow?ms=1000")});
    for (const int size : {4, 1, 3, 2, 4, 2}) {
      world.Must({"ctl", "set-size", app.name, std::to_string(size)});
      const ServiceView view = world.View(app.name);
      CHECK(view.state == "running");
      CHECK(world.ReadyPids(app.name).size() == static_cast<std::size_t>(size));
      std::set<SlotNumber> slots;
      for (const ProcessView& process : view.processes) {
        if (process.worker != 0) slots.insert(process.slot);
      }
      // The highest slots left.
      CHECK(slots.size() == static_cast<std::size_t>(size));
      CHECK(*slots.rbegin() == static_cast<SlotNumber>(size));
    }
    const LoadReport report = load.Stop();
    MESSAGE("six changes of size, ", report.ok(), " requests, ", report.failed(), " failed",
            Figures(report));
    CheckNoneFailed(report);
  }

  TEST_CASE("set-size applies at once during a roll, which goes on") {
    World world;
    const App app =
        world.StartApp("express4", With({"--size", "3", "--env", "APP_BOOT_MS=500"}, kLinger));
    LoadClient load(world, {"name=think,connections=10,think=0-200,url=" + app.url(),
                            "name=close,mode=close,connections=4,rate=60,url=" + app.url()});
    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    WaitForWorker(world, app.name, "draining");
    const auto generation = world.View(app.name).generation;
    world.Must({"ctl", "set-size", app.name, "4"});
    const Ran& ran = roll.Wait();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    const ServiceView view = world.WaitForState(app.name, "running");
    CHECK(world.ReadyPids(app.name).size() == 4);
    for (const ProcessView& process : view.processes) CHECK(process.generation == generation);
    const LoadReport report = load.Stop();
    MESSAGE(report.ok(), " requests, ", report.failed(), " failed");
    CheckNoneFailed(report);
  }

  TEST_CASE("stop, restart and remove cancel a roll") {
    for (const std::string verb : {"stop", "restart", "remove"}) {
      INFO("slc ctl ", verb);
      World world;
      const App app = world.StartApp("express4", {"--size", "3", "--env", "APP_BOOT_MS=700"});
      const auto old_pids = world.ReadyPids(app.name);
      Running roll = world.Begin({"ctl", "soft-restart", app.name});
      WaitForWorker(world, app.name, "starting");
      const Ran done = world.Must({"ctl", verb, app.name});
      const Ran& ran = roll.Wait();
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, verb), ran.err);
      if (verb == "restart") {
        CHECK(world.View(app.name).state == "running");
        const auto pids = world.ReadyPids(app.name);
        CHECK(pids.size() == 3);
        for (const int pid : pids) CHECK(std::count(old_pids.begin(), old_pids.end(), pid) == 0);
        CHECK(world.Workers().size() == 3);
        CHECK(Get(app.url()).status == 200);
      } else {
        CHECK(world.Workers().empty());
        CHECK(Get(app.url()).status == 0);
        const auto view = world.TryView(app.name);
        if (verb == "stop") {
          REQUIRE(view);
          CHECK(view->state == "stopped");
          world.Must({"ctl", "start", app.name});
          CHECK(world.ReadyPids(app.name).size() == 3);
        } else {
          CHECK(!view);
        }
      }
      MESSAGE(verb, " during a roll answered after ", done.took, " ms");
    }
  }

  TEST_CASE("a second soft restart during a roll is refused, and the first goes on") {
    World world;
    const App app = world.StartApp("express4", {"--size", "2", "--env", "APP_BOOT_MS=700"});
    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    WaitForWorker(world, app.name, "starting");
    const Ran second = world.Slc({"ctl", "soft-restart", app.name});
    CHECK(second.code == 1);
    CHECK_MESSAGE(Contains(second.err, "under way"), second.err);
    const Ran set = world.Slc({"ctl", "env-set", app.name, "A=1"});
    CHECK(set.code == 1);
    CHECK_MESSAGE(Contains(set.err, "under way"), set.err);
    const Ran& ran = roll.Wait();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    const ServiceView view = world.View(app.name);
    CHECK(view.generation == 2);
    CHECK(view.environment.count("A") == 0);
  }

  TEST_CASE("a roll without load takes no longer than its workers") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "4"});
    constexpr Millis kLingerOfDefault = 500;
    std::vector<Millis> durations;
    for (int i = 0; i < 5; ++i) {
      durations.push_back(world.Must({"ctl", "soft-restart", app.name}).took);
    }
    std::vector<Millis> boots = BootTimes(world, app.name);
    REQUIRE(boots.size() >= 24);
    std::sort(durations.begin(), durations.end());
    std::sort(boots.begin(), boots.end());
    const Millis boot = boots[boots.size() / 2];
    const Millis median = durations[durations.size() / 2];
    MESSAGE("soft-restart of 4 workers that boot in ", boot, " ms (median): ", durations.front(),
            " ... ", durations.back(), " ms, median ", median);
    // 4 x (boot + linger) + 10 %, of issue 2, section 8.
    CHECK(median <= 4 * (boot + kLingerOfDefault) * 11 / 10);
    // Nobody was connected, so nobody had to be waited for: four times a boot and an end. As long
    // again as a boot for the end of a process and for two busy cores.
    CHECK(median <= 4 * 3 * std::max<Millis>(boot, 40));
  }
}
