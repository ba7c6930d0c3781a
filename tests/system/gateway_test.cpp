// The gateway: slcd's HTTP side, by curl.
#include <unistd.h>

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

struct Curled {
  int status = 0;  // 0: no answer
  std::string body;
  json value() const { return json::parse(body, nullptr, false); }
};

Curled Curl(World& world, Words words) {
  const Words fixed{"curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}"};
  words.insert(words.begin(), fixed.begin(), fixed.end());
  const Ran ran = world.BeginProgram(words).Wait();
  const std::size_t end = ran.out.rfind('\n');
  if (end == std::string::npos) return {};
  return {std::atoi(ran.out.c_str() + end + 1), ran.out.substr(0, end)};
}

struct Gateway {
  std::uint16_t port = FreePort();
  std::string listen() const { return "127.0.0.1:" + std::to_string(port); }
  std::string url(const std::string& path) const { return "http://" + listen() + path; }
};

json StatusOf(World& world) { return world.Json({"gateway", "--json"})["gateway"]; }

std::string NewToken(World& world, const std::string& name, const Words& options = {}) {
  Words words{"token", "add", name};
  words.insert(words.end(), options.begin(), options.end());
  return std::string(Trim(world.Must(words).out));
}

Words WithToken(const std::string& token, Words words) {
  words.insert(words.begin(), {"-H", "Authorization: Bearer " + token});
  return words;
}

}  // namespace

TEST_SUITE("gateway") {
  TEST_CASE("it is off until it is started, shows services, changes them, and stops") {
    World world;
    const Gateway gateway;
    CHECK(StatusOf(world)["state"] == "off");
    const App app = world.StartApp("express4", {"--name", "web", "--size", "1"});
    const Ran started = world.Must({"gateway", "start", "--listen", gateway.listen()});
    CHECK(Contains(started.out, "listens on http://" + gateway.listen()));
    CHECK(StatusOf(world)["state"] == "running");
    CHECK(Curl(world, {gateway.url("/healthz")}).status == 200);
    const json services = Curl(world, {gateway.url("/api/Services")}).value();
    REQUIRE(services.size() == 1);
    CHECK(services[0]["name"] == "web");
    const Curled restarted =
        Curl(world, {"-X", "POST", "-H", "Content-Type: application/json", "-d",
                     R"({"rolling":true})", gateway.url("/api/Services/1/restart")});
    CHECK(restarted.status == 200);
    CHECK(world.View("web").generation == 2);
    CHECK(Contains(world.Must({"events", "web"}).out, "by user "));
    world.Must({"gateway", "stop"});
    CHECK(StatusOf(world)["state"] == "off");
    CHECK(Curl(world, {gateway.url("/healthz")}).status == 0);
  }

  TEST_CASE("a page's request and one to a name that is not ours are refused") {
    World world;
    const Gateway gateway;
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    CHECK(Curl(world, {"-H", "Host: evil.example", gateway.url("/api/Services")}).status == 403);
    CHECK(Curl(world, {"-H", "Origin: http://evil.example", "-X", "POST",
                       gateway.url("/api/Api/shutdown")})
              .status == 403);
    world.Must({"gateway", "start", "--host", "ops.example"});
    CHECK(Curl(world, {"-H", "Host: ops.example", gateway.url("/api/Services")}).status == 200);
  }

  TEST_CASE("a token may do what its scopes say, and nothing once it is removed") {
    World world;
    const Gateway gateway;
    const App app = world.StartApp("plain/server.js", {"--name", "web", "--size", "1"});
    const std::string reader = NewToken(world, "reader");
    const std::string operators = NewToken(world, "ops", {"--scope", "operate"});
    const std::string admin = NewToken(world, "admin", {"--scope", "admin"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    const std::string list = gateway.url("/api/Services");
    const std::string stop = gateway.url("/api/Services/1/stop");
    const std::string start = gateway.url("/api/Services/1/start");
    const std::string shutdown = gateway.url("/api/Api/shutdown");
    CHECK(Curl(world, {list}).status == 401);
    CHECK(Curl(world, WithToken("slc_wrong", {list})).status == 401);
    CHECK(Curl(world, WithToken(reader, {list})).status == 200);
    // As git and the clients of the original send it.
    CHECK(Curl(world, {"-u", "anybody:" + reader, list}).status == 200);
    CHECK(Curl(world, WithToken(reader, {"-X", "POST", stop})).status == 403);
    CHECK(world.View("web").state == "running");
    CHECK(Curl(world, WithToken(operators, {"-X", "POST", stop})).status == 200);
    CHECK(world.View("web").state == "stopped");
    CHECK(Curl(world, WithToken(operators, {"-X", "POST", start})).status == 200);
    CHECK(Curl(world, WithToken(operators, {"-X", "POST", shutdown})).status == 403);
    CHECK(Curl(world, WithToken(operators, {"-X", "DELETE", gateway.url("/api/Services/1")}))
              .status == 403);
    CHECK(Contains(world.Must({"events"}).out, "by token ops"));
    CHECK_FALSE(Contains(ReadText(world.home() + "/gateway.json"), operators));
    world.Must({"token", "rm", "ops"});
    CHECK(Curl(world, WithToken(operators, {list})).status == 401);
    CHECK(Curl(world, WithToken(admin, {list})).status == 200);
    const Ran twice = world.Slc({"token", "add", "admin"});
    CHECK(twice.code == 1);
    CHECK(Contains(twice.err, "slc token rm admin"));
  }

  TEST_CASE("off loopback it takes TLS and proof; users have passwords; who guesses has to wait") {
    World world;
    const Gateway gateway;
    const std::string any = "0.0.0.0:" + std::to_string(gateway.port);
    const Ran plain = world.Slc({"gateway", "start", "--listen", any});
    CHECK(plain.code == 1);
    CHECK(Contains(plain.err, "--tls-cert"));
    const World::Certificate certificate = world.MakeCertificate();
    const Words tls{"gateway",   "start",        "--listen",
                    any,         "--tls-cert",   certificate.certificate,
                    "--tls-key", certificate.key};
    const Ran nobody = world.Slc(tls);
    CHECK(nobody.code == 1);
    CHECK(Contains(nobody.err, "slc token add"));
    Words with_user = tls;
    with_user.insert(with_user.end(), {"--http-auth", "ops:s3cret:1"});
    world.Must(with_user);
    const std::string url = "https://localhost:" + std::to_string(gateway.port) + "/api/Services";
    const Words trusted{"--cacert", certificate.certificate};
    const auto curl = [&](const std::string& user) {
      Words words = trusted;
      words.insert(words.end(), {"-u", user, url});
      return Curl(world, words).status;
    };
    CHECK(curl("ops:s3cret:1") == 200);
    CHECK(curl("ops:s3cret:1") == 200);
    CHECK(curl("ops:wrong") == 401);
    CHECK(curl("other:s3cret:1") == 401);
    CHECK_FALSE(Contains(ReadText(world.home() + "/gateway.json"), "s3cret"));
    int refused = 0;
    WaitUntil([&] { return ++refused > 30 || curl("ops:guess") == 429; }, 60'000, "429");
    CHECK(refused <= 10);
  }

  TEST_CASE("killed, it is there again, and who connects meanwhile waits; so with slcd") {
    World world;
    const Gateway gateway;
    world.Must({"ctl", "create", "web"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    world.ExpectInLog("the gateway has ended (killed by SIGKILL");
    for (int i = 0; i < 5; ++i) {
      const int pid = StatusOf(world)["pid"];
      REQUIRE(pid > 0);
      REQUIRE(::kill(pid, SIGKILL) == 0);
      CHECK(Curl(world, {gateway.url("/api/Services")}).status == 200);
      CHECK(StatusOf(world)["pid"] != pid);
    }
    CHECK(Contains(world.Must({"events"}).out, "the gateway has ended"));
    world.KillDaemon();
    world.Must({"ctl"});
    WaitUntil([&] { return Curl(world, {gateway.url("/healthz")}).status == 200; }, 10'000,
              "the gateway of the next slcd");
  }

  TEST_CASE("a token that was taken away stays so when its file is damaged") {
    World world;
    const Gateway gateway;
    world.Must({"ctl", "create", "web"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    NewToken(world, "keep");
    const std::string gone = NewToken(world, "gone", {"--scope", "admin"});
    world.Must({"token", "rm", "gone"});
    CHECK(Curl(world, WithToken(gone, {gateway.url("/api/Services")})).status == 401);
    WriteText(world.home() + "/gateway.json", "{{{");
    world.ExpectInLog("the gateway: its file was damaged");
    world.KillDaemon();
    world.Must({"ctl"});
    WaitUntil([&] { return StatusOf(world)["state"] == "running"; }, 10'000, "the gateway");
    CHECK(StatusOf(world)["credentials"].empty());
    CHECK(Contains(world.Must({"gateway"}).out, "tokens and users are gone"));
    CHECK(Contains(world.Must({"events"}).out, "its file was damaged"));
    CHECK(Exists(world.home() + "/gateway.json.bad"));
    // Not even after another start.
    world.KillDaemon();
    world.Must({"ctl"});
    WaitUntil([&] { return StatusOf(world)["state"] == "running"; }, 10'000, "the gateway");
    CHECK(StatusOf(world)["credentials"].empty());
    // Nobody can prove anything now: only who the kernel knows gets in, and a token proves nothing.
    CHECK(NewToken(world, "new").size() == 68);
    CHECK(Curl(world, WithToken(gone, {gateway.url("/api/Services")})).status == 401);
  }

  TEST_CASE("a unix socket is 0600, and slcd's user needs no token there") {
    World world;
    const std::string path = world.folder() + "/api.sock";
    world.Must({"ctl", "create", "web"});
    NewToken(world, "ci");
    world.Must({"gateway", "start", "--listen", "unix:" + path});
    CHECK(Curl(world, {"--unix-socket", path, "http://localhost/api/Services"}).status == 200);
    // As Node's clients name it.
    CHECK(Curl(world,
               {"--unix-socket", path, "-H", "Host: " + path, "http://localhost//api/Services"})
              .status == 200);
    const Ran taken = world.Slc({"gateway", "start", "--listen", "unix:" + world.home()});
    CHECK(taken.code == 1);
    CHECK(Contains(taken.err, "something else"));
    world.Must({"gateway", "stop"});
    CHECK_FALSE(Exists(path));
  }

  TEST_CASE("it listens at several places, and a start that finds it starting is no other's") {
    World world;
    const Gateway gateway;
    const std::string path = world.folder() + "/api.sock";
    const Words start{"gateway", "start", "--listen", gateway.listen(), "--listen", "unix:" + path};
    for (int i = 0; i < 3; ++i) {
      // Finds no slcd, which then begins with the gateway it had.
      world.Must(start);
      CHECK(Curl(world, {gateway.url("/api/Services")}).status == 200);
      CHECK(Curl(world, {"--unix-socket", path, "http://localhost/api/Services"}).status == 200);
      world.Must({"ctl", "shutdown"});
    }
  }

  TEST_CASE("packages are listed through it as by slc ctl npmls") {
    World world;
    const Gateway gateway;
    const App app = world.StartApp("express4", {"--name", "web", "--size", "1"});
    world.Must({"ctl", "create", "bare"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    const auto list = [&](const std::string& id) {
      return Curl(world,
                  {"-X", "POST", gateway.url("/api/ServiceInstances/" + id + "/npmModuleList")});
    };
    const json tree = list("1").value();
    CHECK(tree["name"] == "express4-app");
    CHECK(tree["dependencies"]["express"]["dependencies"].size() > 10);
    CHECK(list("2").status == 500);
    CHECK(Contains(list("2").value()["error"]["message"].get<std::string>(), "no app yet"));
  }

  TEST_CASE("logs are dumped through it as by slc ctl log-dump") {
    World world;
    const Gateway gateway;
    const App app = world.StartApp("express4", {"--name", "web", "--size", "1"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    REQUIRE(Get(app.url("/log?n=3&text=hello")).status == 200);
    std::string log;
    WaitUntil(
        [&] {
          const json answer =
              Curl(world, {"-X", "POST", gateway.url("/api/Services/1/logs")}).value();
          log += answer[0]["response"].value("log", "");
          return Contains(log, "hello 3\n");
        },
        20'000, "the log");
    CHECK(Contains(log, "hello 1\n"));
    CHECK_FALSE(Contains(world.Must({"ctl", "log-dump", "web"}).out, "hello"));
  }

  TEST_CASE("logs and events are followed live, by many, and nothing is left when they go") {
    World world;
    const Gateway gateway;
    const App app = world.StartApp("express4", {"--name", "web", "--size", "1"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    const int daemon = world.Daemon()->pid;
    const auto readers = [&] {
      return LinesOf(ReadText("/proc/" + std::to_string(daemon) + "/task/" +
                              std::to_string(daemon) + "/children"));
    };
    {
      std::vector<Running> followers;
      const Words curl{"curl", "-sSN", "-H", "Accept: text/event-stream"};
      for (int i = 0; i < 5; ++i) {
        Words words = curl;
        words.push_back(gateway.url("/v1/services/web/logs?follow&lines=0"));
        followers.push_back(world.BeginProgram(words));
      }
      Words events = curl;
      events.push_back(gateway.url("/v1/events?follow&lines=0"));
      followers.push_back(world.BeginProgram(events));
      const auto hear = [&](std::size_t from, std::size_t to, const std::string& what) {
        for (std::size_t i = from; i < to; ++i) {
          WaitUntil([&] { return Contains(followers[i].out(), what); }, 20'000,
                    "follower " + std::to_string(i) + " to hear " + what);
        }
      };
      hear(0, followers.size(), ":\n");
      // A reader may begin a moment after its follower was answered.
      WaitUntil(
          [&] {
            REQUIRE(Get(app.url("/log?n=1&text=hello")).status == 200);
            return Contains(followers[0].out(), "hello");
          },
          20'000, "the first line");
      hear(0, 5, "data: {\"service\":\"web\"");
      world.Must({"ctl", "soft-restart", "web"});
      hear(5, 6, "\"kind\":\"roll_done\"");
      for (Running& follower : followers) follower.Signal(SIGTERM);
      for (Running& follower : followers) follower.Wait();
    }
    // Of all five followers of the log one reader; each ends with its last follower.
    WaitUntil(
        [&] {
          for (const std::string& pid : Split(Join(readers(), " "), ' ')) {
            if (Contains(ReadText("/proc/" + pid + "/comm"), "slc\n")) return false;
          }
          return true;
        },
        20'000, "the readers to end");
  }

  TEST_CASE("a hundred of one address who follow the same have one reader, and leave others room") {
    World world;
    const Gateway gateway;
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    std::vector<RawConnection> followers;
    for (int i = 0; i < 5; ++i) {
      // All at once: nobody's pipe is there when the others come.
      for (int k = 0; k < 20; ++k) {
        followers.emplace_back(gateway.port);
        REQUIRE(
            followers.back().Send("GET /v1/events?follow&lines=0 HTTP/1.1\r\nHost: localhost\r\n"
                                  "Accept: text/event-stream\r\n\r\n"));
      }
      for (RawConnection& one : followers) REQUIRE(one.WaitFor(":\n\n", 20'000));
    }
    // The reader may begin a moment after they were answered.
    for (int n = 0; n < 100 && !followers[0].WaitFor("\"service\":\"news", 200); ++n) {
      world.Must({"ctl", "create", "news" + std::to_string(n)});
    }
    for (RawConnection& one : followers) CHECK(one.WaitFor("\"service\":\"news", 20'000));
    const std::string daemon = std::to_string(world.Daemon()->pid);
    std::size_t readers = 0;
    for (const std::string& pid :
         Split(Trim(ReadText("/proc/" + daemon + "/task/" + daemon + "/children")), ' ')) {
      if (ReadText("/proc/" + pid + "/comm") == "slc\n") ++readers;
    }
    CHECK(readers == 1);
    CHECK(Curl(world, {gateway.url("/healthz")}).status == 200);
  }

  TEST_CASE("a port that is taken, a key that is none: said so, and what ran goes on") {
    World world;
    const Gateway gateway;
    const App app = world.StartApp("plain/server.js", {"--name", "web", "--size", "1"});
    world.Must({"gateway", "start", "--listen", gateway.listen()});
    const Ran taken =
        world.Slc({"gateway", "start", "--listen", "127.0.0.1:" + std::to_string(app.port)});
    CHECK(taken.code == 1);
    CHECK(Contains(taken.err, "in use"));
    CHECK(Curl(world, {gateway.url("/healthz")}).status == 200);
    const Ran missing = world.Slc({"gateway", "start", "--tls-cert", "none.pem", "--tls-key", "k"});
    CHECK(missing.code == 1);
    CHECK(Contains(missing.err, "No such file"));
    CHECK(Curl(world, {gateway.url("/healthz")}).status == 200);
  }
}
