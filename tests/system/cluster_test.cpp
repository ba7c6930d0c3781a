// The master in the role of Node's cluster primary, on every version of Node we promise: each form
// of listen(), what an app may do with `cluster` and its channel, and how connections are shared
// out.
#include <sys/un.h>

#include <algorithm>
#include <csignal>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;

namespace {

const std::vector<int> kVersions{16, 18, 20, 22, 24};

// One World per version of Node: all of the matrix runs in it, one service after another.
class Matrix {
 public:
  explicit Matrix(int version) : version_(version) { world.UseNode(version); }

  // Starts tests/apps/plain/FILE as service "app" with two workers, unless `options` say otherwise.
  App Start(const std::string& file, const Words& options = {}) {
    Words all{"--name", "app", "--size", "2"};
    all.insert(all.end(), options.begin(), options.end());
    return world.StartApp("plain/" + file, all);
  }
  Ran TryStart(const std::string& file, const Words& options = {}) {
    Words all{"start", SourcePath("tests/apps/plain/" + file), "--name", "app", "--size", "2"};
    all.insert(all.end(), options.begin(), options.end());
    return world.Slc(all);
  }
  // Ends the service; nothing of it is left.
  void Remove() {
    world.Must({"ctl", "remove", "app"});
    CHECK(world.Workers().empty());
  }
  // What both workers say they listen on; they must agree.
  std::vector<std::string> Listening() {
    std::set<std::vector<std::string>> said;
    for (const ProcessView& process : world.View("app").processes) {
      if (process.worker != 0) said.insert(process.listening);
    }
    CHECK(said.size() == 1);
    return *said.begin();
  }
  void Roll() {
    const auto before = world.ReadyPids("app");
    world.Must({"ctl", "soft-restart", "app"});
    const auto after = world.ReadyPids("app");
    CHECK(after.size() == before.size());
    for (const int pid : after) CHECK(std::count(before.begin(), before.end(), pid) == 0);
  }
  int version() const { return version_; }

  World world;

 private:
  int version_;
};

std::string At(const std::string& host, int port) {
  return "http://" + host + ":" + std::to_string(port) + "/";
}

// Pids that answer `count` requests, each on a connection of its own.
std::set<std::string> Answering(const std::string& url, int count) {
  std::set<std::string> bodies;
  for (int i = 0; i < count; ++i) {
    const Response response = Get(url);
    CHECK_MESSAGE(response.status == 200, response.error);
    bodies.insert(response.body);
  }
  return bodies;
}

// GET / over a unix socket; the body, or "" if nobody answers.
std::string GetUnix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  const std::string request = "GET / HTTP/1.0\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string::npos ? "" : text.substr(end + 4);
}

// Sends a datagram to 127.0.0.1:port and waits up to a second for the answer; "" if none came.
std::string AskUdp(int port, const std::string& text) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::sendto(fd.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&address),
           sizeof address);
  pollfd entry{fd.get(), POLLIN, 0};
  std::array<char, 256> buffer;
  if (::poll(&entry, 1, 1000) <= 0) return {};
  const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
}

void ListenOnAddresses(Matrix& matrix) {
  struct Form {
    const char* options;
    std::vector<std::string> answering;
    std::vector<std::string> refusing;
    std::string shown;  // before ":PORT"
  };
  const std::vector<Form> forms{
      {"{}", {"127.0.0.1", "[::1]"}, {}, ""},  // no host: both families
      {R"({"host": "127.0.0.1"})", {"127.0.0.1"}, {"[::1]"}, "127.0.0.1"},
      {R"({"host": "0.0.0.0"})", {"127.0.0.1"}, {"[::1]"}, "0.0.0.0"},
      {R"({"host": "::1"})", {"[::1]"}, {"127.0.0.1"}, "[::1]"},
      {R"({"host": "::"})", {"127.0.0.1", "[::1]"}, {}, "[::]"},
      {R"({"host": "::", "ipv6Only": true})", {"[::1]"}, {"127.0.0.1"}, "[::]"},
      {R"({"backlog": 16})", {"127.0.0.1", "[::1]"}, {}, ""}};
  for (const Form& form : forms) {
    INFO("listen ", form.options);
    const App app = matrix.Start("listen.js", {"--env", std::string("APP_LISTEN=") + form.options});
    for (const std::string& host : form.answering) {
      CHECK_MESSAGE(Get(At(host, app.port)).status == 200, host);
    }
    for (const std::string& host : form.refusing) {
      CHECK_MESSAGE(Get(At(host, app.port)).status == 0, host);
    }
    const auto listening = matrix.Listening();
    REQUIRE(listening.size() == 1);
    if (!form.shown.empty()) CHECK(listening[0] == form.shown + ":" + std::to_string(app.port));
    CHECK(EndsWith(listening[0], ":" + std::to_string(app.port)));
    CHECK(Get(At(form.answering[0], app.port)).json().at("address").at("port") == app.port);
    matrix.Roll();
    CHECK(Get(At(form.answering[0], app.port)).status == 200);
    matrix.Remove();
    CHECK(Get(At(form.answering[0], app.port)).status == 0);
  }
}

void ListenWhereItCannot(Matrix& matrix) {
  const int port = FreePort();
  const Ran nobodys = matrix.TryStart("listen.js", {"--port", std::to_string(port), "--env",
                                                    R"(APP_LISTEN={"host": "192.0.2.1"})"});
  CHECK(nobodys.code == 1);
  CHECK_MESSAGE(Contains(nobodys.err, "listen on 192.0.2.1:" + std::to_string(port)), nobodys.err);
  CHECK_MESSAGE(Contains(nobodys.err, "EADDRNOTAVAIL"), nobodys.err);
  matrix.Remove();
  const Ran descriptor = matrix.TryStart("listen-fd.js");
  CHECK(descriptor.code == 1);
  CHECK_MESSAGE(Contains(descriptor.err, "listen on descriptor 3: name it with --listen"),
                descriptor.err);
  CHECK_MESSAGE(Contains(descriptor.err, "EBADF"), descriptor.err);
  matrix.Remove();
}

void ListenOnUnixSocket(Matrix& matrix) {
  const std::string path = matrix.world.folder() + "/app.sock";
  matrix.Start("unix-socket.js", {"--env", "APP_SOCKET=" + path});
  CHECK(matrix.Listening() == Words{path});
  std::set<std::string> pids;
  for (int i = 0; i < 20; ++i) pids.insert(GetUnix(path));
  CHECK(pids.count("") == 0);
  matrix.Roll();
  CHECK(!GetUnix(path).empty());
  matrix.Remove();
  CHECK(!Exists(path));
}

void ListenOnSeveralPorts(Matrix& matrix) {
  const int port = FreePort(2);
  const App app = matrix.Start("multi-port.js", {"--port", std::to_string(port)});
  const auto ports = Get(app.url()).json().at("ports").get<std::vector<int>>();
  REQUIRE(ports.size() == 4);
  CHECK(ports[0] == port);
  CHECK(ports[1] == port + 1);
  CHECK(std::set<int>(ports.begin(), ports.end()).size() == 4);
  for (const int each : ports) {
    // The workers agree, also about the two ports 0.
    for (int i = 0; i < 4; ++i) {
      const Response response = Get(At("127.0.0.1", each));
      CHECK(response.status == 200);
      CHECK(response.json().at("ports").get<std::vector<int>>() == ports);
    }
  }
  CHECK(matrix.Listening().size() == 4);
  matrix.Roll();
  CHECK(Get(app.url()).json().at("ports").get<std::vector<int>>() == ports);
  matrix.Remove();
  const App twice = matrix.Start("same-port-twice.js");
  for (int i = 0; i < 4; ++i) {
    WaitUntil([&] { return Get(twice.url()).json().at("second") != "pending"; }, 5'000,
              "the second listen()");
    CHECK(Get(twice.url()).json().at("second") == "EADDRINUSE");
  }
  matrix.Remove();
}

void ListenOnUdp(Matrix& matrix) {
  const App shared = matrix.Start("udp.js");
  const std::string answer = AskUdp(shared.port, "hello");
  CHECK(EndsWith(answer, " hello"));
  CHECK(matrix.Listening() == Words{"0.0.0.0:" + std::to_string(shared.port) + "/udp"});
  matrix.Roll();
  CHECK(EndsWith(AskUdp(shared.port, "again"), " again"));
  CHECK(AskUdp(shared.port, "again") != answer);
  matrix.Remove();
  // Binds by itself and tells nobody: readiness is up to --ready alive.
  const App own =
      matrix.Start("udp.js", {"--env", "APP_EXCLUSIVE=1", "--ready", "alive", "--size", "1"});
  CHECK(EndsWith(AskUdp(own.port, "hello"), " hello"));
  matrix.Remove();
}

void ListenByItself(Matrix& matrix) {
  const App exclusive = matrix.Start("exclusive.js", {"--size", "1"});
  CHECK(Get(exclusive.url()).status == 200);
  CHECK(EndsWith(matrix.Listening().at(0), ":" + std::to_string(exclusive.port)));
  matrix.Remove();
  // The second worker cannot have it.
  const Ran second = matrix.TryStart("exclusive.js", {"--port", std::to_string(FreePort())});
  CHECK(second.code == 1);
  CHECK_MESSAGE(Contains(second.err, "EADDRINUSE"), second.err);
  matrix.Remove();
  const App reuse = matrix.Start("reuse-port.js");
  CHECK(Answering(reuse.url(), 40).size() == 2);
  matrix.Roll();
  CHECK(Answering(reuse.url(), 4).size() >= 1);
  matrix.Remove();
}

// What an app listens on changes while it runs.
void CloseAndListenAgain(Matrix& matrix) {
  const std::string folder = matrix.world.MakeFolder("changing", {{"server.js", R"(
    const http = require('http');
    const port = Number(process.env.PORT);
    const own = { listens: 1 };
    let server;
    const open = (done) => {
      server = http.createServer((request, response) => {
        response.end(JSON.stringify({ pid: process.pid, listens: own.listens }));
      }).listen(port, done);
    };
    open();
    // The other port orders this worker to close and to open: /close, /open.
    process.on('SIGUSR2', () => {
      if (server) { server.close(); server.closeIdleConnections && server.closeIdleConnections(); server = null; return; }
      own.listens += 1;
      open();
    });
  )"}});
  const App app = matrix.world.StartPath(folder, {"--name", "app", "--size", "2"});
  const auto pids = matrix.world.ReadyPids("app");
  REQUIRE(pids.size() == 2);
  for (int round = 2; round <= 3; ++round) {
    // One closes: the other serves on.
    ::kill(pids[0], SIGUSR2);
    WaitUntil(
        [&] {
          std::size_t open = 0;
          for (const ProcessView& each : matrix.world.View("app").processes) {
            open += each.listening.size();
          }
          return open == 1;
        },
        5'000, "one worker to have closed");
    for (int i = 0; i < 6; ++i) CHECK(Get(app.url()).json().at("pid") == pids[1]);
    // Both: clients are refused, not kept waiting.
    ::kill(pids[1], SIGUSR2);
    WaitUntil([&] { return Get(app.url()).status == 0; }, 5'000, "a closed port");
    for (const int pid : pids) ::kill(pid, SIGUSR2);
    WaitUntil(
        [&] {
          std::size_t open = 0;
          for (const ProcessView& each : matrix.world.View("app").processes) {
            open += each.listening.size();
          }
          return open == 2;
        },
        5'000, "both workers to listen again");
    std::set<int> answering;
    for (int i = 0; i < 8; ++i) {
      const Response response = Get(app.url());
      REQUIRE_MESSAGE(response.status == 200, response.error);
      CHECK(response.json().at("listens") == round);
      answering.insert(response.json().at("pid").get<int>());
    }
    CHECK(answering.size() == 2);
  }
  CHECK(matrix.world.ReadyPids("app") == pids);
  matrix.Roll();
  matrix.Remove();
}

void UseTheChannel(Matrix& matrix) {
  // Values, look-alikes of internal messages and handles: each send is acknowledged.
  const App sends = matrix.Start("sends-messages.js");
  nlohmann::json state;
  WaitUntil(
      [&] {
        state = Get(sends.url()).json();
        return state.at("sent") == 18 && state.at("done") == 18;
      },
      10'000, "18 messages sent, all acknowledged");
  CHECK(state.at("failed").empty());
  CHECK(matrix.world.View("app").processes.size() == 3);
  matrix.Roll();
  matrix.Remove();
  const App ready = matrix.Start("message-ready.js", {"--wait-ready"});
  CHECK(Get(ready.url()).status == 200);
  matrix.Roll();
  matrix.Remove();
}

void SeeItself(Matrix& matrix) {
  const std::string folder = matrix.world.MakeFolder("mirror", {{"server.js", R"(
    const cluster = require('cluster');
    require('http').createServer((request, response) => {
      response.end(JSON.stringify({
        isWorker: cluster.isWorker, isMaster: cluster.isMaster, id: cluster.worker && cluster.worker.id,
        connected: process.connected, pid: process.pid, slot: process.env.SLC_SLOT,
        instance: process.env.NODE_APP_INSTANCE, channel: process.env.NODE_CHANNEL_FD === undefined,
        unique: process.env.NODE_UNIQUE_ID === undefined, argv: process.argv.length,
        version: process.versions.node.split('.')[0] }));
    }).listen(process.env.PORT);
  )"}});
  const App app = matrix.world.StartPath(folder, {"--name", "app", "--size", "2"});
  std::map<int, nlohmann::json> seen;
  for (int i = 0; i < 6; ++i) {
    const auto mirror = Get(app.url()).json();
    seen[mirror.at("pid").get<int>()] = mirror;
  }
  CHECK(seen.size() == 2);
  for (const ProcessView& process : matrix.world.View("app").processes) {
    if (process.worker == 0) continue;
    REQUIRE(seen.count(process.pid) == 1);
    const auto& mirror = seen[process.pid];
    CHECK(mirror.at("isWorker") == true);
    CHECK(mirror.at("isMaster") == false);
    CHECK(mirror.at("id") == process.worker);
    CHECK(mirror.at("connected") == true);
    CHECK(mirror.at("slot") == std::to_string(process.slot - 1));
    CHECK(mirror.at("instance") == std::to_string(process.slot - 1));
    CHECK(mirror.at("channel") == true);
    CHECK(mirror.at("unique") == true);
    CHECK(mirror.at("argv") == 2);
    CHECK(mirror.at("version") == std::to_string(matrix.version()));
  }
  matrix.Remove();
}

void LeaveByItself(Matrix& matrix) {
  for (const std::string path : {"/disconnect", "/kill"}) {
    INFO("a worker that leaves by ", path);
    const App app = matrix.Start("self-disconnect.js");
    const auto before = matrix.world.ReadyPids("app");
    const int leaving = std::atoi(Get(app.url(path)).body.c_str());
    CHECK(std::count(before.begin(), before.end(), leaving) == 1);
    WaitUntil([&] { return !IsAlive(leaving); }, 10'000, "the end of the worker that leaves");
    WaitUntil(
        [&] {
          const auto now = matrix.world.ReadyPids("app");
          return now.size() == 2 && std::count(now.begin(), now.end(), leaving) == 0;
        },
        10'000, "its successor");
    CHECK(Answering(app.url(), 6).size() == 2);
    matrix.Remove();
  }
}

void OtherKindsOfApps(Matrix& matrix) {
  const App module = matrix.Start("esm.mjs");
  CHECK(Answering(module.url(), 4).size() == 2);
  matrix.Roll();
  matrix.Remove();
  const App folder = matrix.Start("type-module");
  CHECK(Answering(folder.url(), 4).size() == 2);
  matrix.Remove();
  const App threads = matrix.Start("threads.js");
  WaitUntil([&] { return Get(threads.url()).json().at("thread") == "alive"; }, 10'000,
            "the thread");
  matrix.Roll();
  matrix.Remove();
  const App fork = matrix.Start("fork-child.js");
  nlohmann::json child;
  WaitUntil(
      [&] {
        child = Get(fork.url()).json().at("child");
        return !child.is_null();
      },
      10'000, "the child's word");
  CHECK(child.at("isWorker") == false);
  for (const auto& name : child.at("names")) {
    CHECK_MESSAGE((name == "NODE_APP_INSTANCE" || name == "NODE_ENV"), name);
  }
  matrix.Roll();
  matrix.Remove();
  const App own = matrix.Start("own-cluster.js");
  CHECK(Answering(own.url(), 6).size() == 2);
  matrix.Remove();
}

}  // namespace

TEST_SUITE("cluster") {
  TEST_CASE("every form of listen() works, on every version of Node") {
    for (const int version : kVersions) {
      INFO("Node ", version);
      const Millis start = BootNow();
      Matrix matrix(version);
      ListenOnAddresses(matrix);
      ListenWhereItCannot(matrix);
      ListenOnUnixSocket(matrix);
      ListenOnSeveralPorts(matrix);
      ListenOnUdp(matrix);
      ListenByItself(matrix);
      CloseAndListenAgain(matrix);
      MESSAGE("Node ", version, ": 17 forms of listen(), ", BootNow() - start, " ms");
    }
  }

  TEST_CASE("an app may do with its cluster and its channel what Node allows") {
    for (const int version : kVersions) {
      INFO("Node ", version);
      const Millis start = BootNow();
      Matrix matrix(version);
      UseTheChannel(matrix);
      SeeItself(matrix);
      LeaveByItself(matrix);
      OtherKindsOfApps(matrix);
      MESSAGE("Node ", version, ": ", BootNow() - start, " ms");
    }
  }

  TEST_CASE("a connection that a worker refuses goes to another, and waits when all refuse") {
    for (const int version : kVersions) {
      INFO("Node ", version);
      World world;
      world.UseNode(version);
      const App app = world.StartApp("plain/max-connections.js", {"--size", "3"});
      const auto ask = [](RawConnection& connection) { return connection.SendGet("/"); };
      std::vector<std::unique_ptr<RawConnection>> open;
      std::set<std::string> pids;
      const auto body = [](const std::string& answer) {
        return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n")));
      };
      for (int i = 0; i < 3; ++i) {
        open.push_back(std::make_unique<RawConnection>(app.port));
        REQUIRE(ask(*open.back()));
        const std::string answer = open.back()->Answer();
        REQUIRE_MESSAGE(Contains(answer, "200 OK"), open.back()->end());
        pids.insert(body(answer));
      }
      // One each: whoever had one refused the next.
      CHECK(pids.size() == 3);
      RawConnection fourth(app.port);
      RawConnection fifth(app.port);
      REQUIRE(ask(fourth));
      REQUIRE(ask(fifth));
      // All refuse: they wait, and the master does not spin for them.
      const ProcessIdentity master = *IdentifyProcess(world.MasterPid(app.name));
      const std::uint64_t ticks = ReadUsage(master.pid)->cpu_ticks;
      const Millis since = BootNow();
      CHECK(!fourth.WaitFor("200 OK", 1000));
      CHECK(!fifth.Receive(0));
      const double used = static_cast<double>(ReadUsage(master.pid)->cpu_ticks - ticks) * 1000.0 /
                          static_cast<double>(::sysconf(_SC_CLK_TCK));
      const double share = used / static_cast<double>(BootNow() - since);
      CHECK(share < 0.15);
      CHECK(fourth.end().empty());
      open[1].reset();
      CHECK(fourth.WaitFor("200 OK", 5000));
      CHECK(!fifth.Receive(0));
      open[0].reset();
      CHECK(fifth.WaitFor("200 OK", 5000));
      MESSAGE("Node ", version, ": master at ", static_cast<int>(share * 100),
              " % while 2 connections waited");
    }
  }

  TEST_CASE("what a worker had not accepted when it was killed goes to others") {
    constexpr int kRequests = 150;
    constexpr int kCredits = 64;  // un-accepted connections a worker may have at most
    for (const int version : kVersions) {
      INFO("Node ", version);
      World world;
      world.UseNode(version);
      const App app = world.StartApp("plain/server.js", {"--size", "2"});
      const int victim = world.ReadyPids(app.name).at(0);
      const ProcessIdentity identity = *IdentifyProcess(victim);
      Kill(identity, SIGSTOP);
      WaitUntil([&] { return ReadUsage(victim)->state == 'T'; }, 5'000, "a stopped worker");
      std::vector<std::unique_ptr<RawConnection>> connections;
      for (int i = 0; i < kRequests; ++i) {
        connections.push_back(std::make_unique<RawConnection>(app.port));
        REQUIRE(connections.back()->SendGet("/"));
      }
      std::vector<bool> answered(kRequests);
      const auto count = [&] {
        for (std::size_t i = 0; i < connections.size(); ++i) {
          connections[i]->Receive(0);
          answered[i] = Contains(connections[i]->received(), "200 OK");
        }
        return std::count(answered.begin(), answered.end(), true);
      };
      WaitUntil([&] { return count() >= kRequests - kCredits; }, 10'000,
                "the other worker's answers");
      // It was passed over once it was seen to be stuck; what it has by then it keeps while it
      // lives.
      Get(app.url());
      const auto trapped = kRequests - count();
      CHECK(trapped > 0);
      Kill(identity, SIGKILL);
      WaitUntil([&] { return count() == kRequests; }, 10'000, "all answers");
      for (const auto& connection : connections) CHECK(connection->end().empty());
      MESSAGE("Node ", version, ": ", trapped, " connections were with the killed worker, ",
              count(), " of ", kRequests, " answered");
      world.WaitForSuccessor(app.name, victim, 2);
    }
  }

  TEST_CASE("a worker without descriptors is no black hole: others get its connections") {
    // What is opened here is never closed; `hog` answers first.
    const char* const code =
        "const http = require('http'), fs = require('fs');"
        "http.createServer((req, res) => {"
        "  res.setHeader('connection', 'close');"
        "  if (req.url === '/hog') res.on('close', () => setTimeout(() => {"
        "    try { for (;;) fs.openSync('/dev/null'); } catch {}"
        "  }, 20));"
        "  res.end(String(process.pid));"
        "}).listen(process.env.PORT);";
    World world;
    const std::string folder = world.MakeFolder("hog", {{"app.js", code}});
    const int port = FreePort();
    const std::string url = "http://127.0.0.1:" + std::to_string(port);
    Running start =
        world.BeginProgram({"sh", "-c", "ulimit -n 200; exec \"$@\"", "sh", BinaryPath("slc"),
                            "start", folder, "--size", "2", "--port", std::to_string(port)});
    REQUIRE(start.Wait().code == 0);
    const std::string hog = Get(url + "/hog").body;
    REQUIRE_FALSE(hog.empty());
    WaitUntil([&] { return CountOpenFiles(std::atoi(hog.c_str())) >= 200; }, 10'000,
              "a worker with all its descriptors in use");
    for (int i = 0; i < 100; ++i) {
      const Response response = Get(url, 5'000);
      REQUIRE_MESSAGE(response.status == 200, i, ": ", response.error);
      CHECK(response.body != hog);
    }
  }

  TEST_CASE("an app may change the address it listens on") {
    World world;
    const auto code = [](const std::string& host) {
      return "require('http').createServer((q, s) => s.end('" + host +
             "')).listen(process.env.PORT, '" + host + "');";
    };
    const std::string folder = world.MakeFolder("mover", {{"app.js", code("0.0.0.0")}});
    const App app = world.StartPath(folder, {"--size", "2"});
    WriteText(folder + "/app.js", code("127.0.0.1"));
    const Ran roll = world.Slc({"ctl", "soft-restart", app.name});
    CHECK(roll.code == 1);
    CHECK_MESSAGE(Contains(roll.err, "by this service itself"), roll.err);
    CHECK_MESSAGE(Contains(roll.err, "The workers of before go on serving."), roll.err);
    CHECK(Get(app.url()).body == "0.0.0.0");
    world.Must({"ctl", "restart", app.name});
    CHECK(Get(app.url()).body == "127.0.0.1");
  }

  TEST_CASE("a worker that is not ready gets no request while a ready one is there") {
    World world;
    const std::string ready =
        "require('http').createServer((q, s) => s.end('old')).listen(process.env.PORT,"
        " () => process.send('ready'));";
    const std::string late =
        "require('http').createServer((q, s) => s.end('new')).listen(process.env.PORT);";
    const std::string folder = world.MakeFolder("late", {{"app.js", ready}});
    const App app =
        world.StartPath(folder, {"--size", "2", "--ready", "message", "--ready-timeout", "2s"});
    WriteText(folder + "/app.js", late);
    Running roll = world.Begin({"ctl", "soft-restart", app.name});
    int asked = 0;
    while (!roll.HasEnded()) {
      REQUIRE(Get(app.url()).body == "old");
      ++asked;
    }
    CHECK(roll.Wait().code == 1);
    CHECK(asked > 100);
  }

  TEST_CASE("connections are shared out evenly") {
    World world;
    const App app = world.StartApp("express4", {"--size", "4"});
    LoadClient load(world, {"name=keep,connections=64,think=50-150,url=" + app.url()});
    WaitUntil([&] { return load.connections() == 64; }, 10'000, "64 connections");
    // A few requests on each, then a burst on top.
    LoadClient burst(world, {"name=burst,connections=64,think=50-150,url=" + app.url()});
    WaitUntil([&] { return burst.connections() == 64; }, 10'000, "64 more");
    for (LoadClient* each : {&load, &burst}) {
      const LoadReport report = each->Stop();
      CHECK(report.passed);
      const LaneReport& lane = report.lanes.at(0);
      std::string text;
      CHECK(lane.connections_by_worker.size() == 4);
      for (const auto& [worker, connections] : lane.connections_by_worker) {
        text += " " + std::to_string(connections);
        // Within 10 % of 16.
        CHECK(connections >= 15);
        CHECK(connections <= 17);
      }
      MESSAGE("64 keep-alive connections over 4 workers:", text);
    }
  }

  TEST_CASE("a TLS session is resumed by every worker") {
    for (const int version : kVersions) {
      for (const std::string tls : {"TLSv1.2", "TLSv1.3"}) {
        INFO("Node ", version, " ", tls);
        World world;
        world.UseNode(version);
        const World::Certificate certificate = world.MakeCertificate();
        const App app = world.StartApp("express4", {"--size", "3", "--env", "APP_HTTPS=1", "--env",
                                                    "APP_KEY=" + certificate.key, "--env",
                                                    "APP_CERT=" + certificate.certificate});
        const auto visit = [&] {
          const Ran ran = world
                              .BeginProgram({world.NodePath(20),
                                             SourcePath("tests/system/clients/tls_sessions.cjs"),
                                             std::to_string(app.port), tls, "9"})
                              .Wait();
          REQUIRE_MESSAGE(ran.code == 0, ran.err);
          const auto result = nlohmann::json::parse(ran.out);
          INFO(ran.out);
          CHECK(result.at("firstResumed") == false);
          CHECK(result.at("workers").size() == 3);
          for (const auto& [worker, counts] : result.at("workers").items()) {
            CHECK(counts.at("resumed") == 3);
            CHECK(counts.at("full") == 0);
          }
        };
        visit();
        // The keys outlive the workers that made them.
        if (version == 20) {
          world.Must({"ctl", "soft-restart", app.name});
          visit();
        }
      }
    }
  }

  TEST_CASE("inspectors are numbered") {
    for (const int version : kVersions) {
      INFO("Node ", version);
      World world;
      world.UseNode(version);
      const int base = FreePort(8);
      const App app = world.StartApp(
          "plain/server.js",
          {"--size", "2", "--node-args", "--inspect=127.0.0.1:" + std::to_string(base)});
      world.Must({"ctl", "soft-restart", app.name});
      std::set<std::string> ports;
      const std::string log = ReadText(world.log_folder(app.name) + "/err.log");
      for (const std::string& line : LinesOf(log)) {
        const std::size_t at = line.find("Debugger listening on ws://127.0.0.1:");
        if (at == std::string::npos) continue;
        const std::string rest = line.substr(at + 37);
        ports.insert(rest.substr(0, rest.find('/')));
      }
      // Four workers, each its own.
      std::set<std::string> expected;
      for (int id = 1; id <= 4; ++id) expected.insert(std::to_string(base + id));
      CHECK_MESSAGE(ports == expected, log);
      CHECK(!Contains(log, "already in use"));
      CHECK(Answering(app.url(), 4).size() == 2);
    }
  }
}
