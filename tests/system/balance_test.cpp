// The ways of --balance: by each of them no request fails while workers are replaced, killed, added
// and taken away, and while the way itself is changed.
//
// SLC_LONG=1: on every version of Node, and Express 5 too.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/dice.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;

namespace {

const Words kModes{"rr", "sticky", "slots", "shared"};

const char* const kSlotApp =
    "require('http').createServer((request, response) => {\n"
    "  response.end(process.env.SLC_SLOT);\n"
    "}).listen(process.env.PORT);\n";

Words Lanes(const App& app) {
  return {"name=busy,connections=6,url=" + app.url("/slow?ms=10"),
          "name=think,connections=20,think=0-200,url=" + app.url(),
          "name=close,mode=close,connections=4,rate=80,url=" + app.url()};
}

void Roll(World& world, const App& app) {
  const auto before = world.ReadyPids(app.name);
  world.Must({"ctl", "soft-restart", app.name});
  for (const int pid : world.ReadyPids(app.name)) {
    CHECK(std::count(before.begin(), before.end(), pid) == 0);
  }
}

void RollAndResize(const std::string& mode, const std::string& folder, int version) {
  CAPTURE(mode);
  CAPTURE(version);
  World world;
  if (version != 0) world.UseNode(version);
  const App app =
      world.StartApp(folder, {"--size", "3", "--balance", mode, "--drain-linger", "400ms"});
  if (mode == "slots") world.ExpectMoreSockets(app.name, 3);
  LoadClient load(world, Lanes(app));
  Roll(world, app);
  for (const int size : {4, 2, 3}) {
    world.Must({"ctl", "set-size", app.name, std::to_string(size)});
    CHECK(world.ReadyPids(app.name).size() == static_cast<std::size_t>(size));
  }
  Roll(world, app);
  const LoadReport report = load.Stop();
  MESSAGE(mode, ", ", folder, version == 0 ? "" : ", Node " + std::to_string(version), ": ",
          report.ok(), " requests, ", report.failed(), " failed", Figures(report));
  CheckNoneFailed(report);
}

// By how many connections each slot was answered.
std::map<std::string, int> Slots(const App& app, int connections) {
  std::map<std::string, int> slots;
  for (int i = 0; i < connections; ++i) ++slots[Get(app.url()).body];
  return slots;
}

// GET / from that address, on a connection of its own: the body.
std::string GetFrom(const std::string& source, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, source.c_str(), &address.sin_addr) == 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET / HTTP/1.0\r\n\r\n";
  REQUIRE(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string::npos ? "" : text.substr(end + 4);
}

std::map<std::string, std::string> SlotsOfClients(const App& app, int clients) {
  std::map<std::string, std::string> slots;
  for (int i = 0; i < clients; ++i) {
    const std::string source = "127.0.0." + std::to_string(i + 2);
    slots[source] = GetFrom(source, app.port);
  }
  return slots;
}

int Differences(const std::map<std::string, std::string>& one,
                const std::map<std::string, std::string>& other) {
  int count = 0;
  for (const auto& [client, slot] : one) count += other.at(client) == slot ? 0 : 1;
  return count;
}

// Sockets that listen on that port, by /proc/net/tcp and tcp6.
int Listening(std::uint16_t port) {
  std::array<char, 16> wanted;
  std::snprintf(wanted.data(), wanted.size(), ":%04X", static_cast<unsigned>(port));
  int count = 0;
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const std::string& line : LinesOf(ReadText(file))) {
      std::istringstream words(line);
      std::string number;
      std::string local;
      std::string remote;
      std::string state;
      words >> number >> local >> remote >> state;
      if (state == "0A" && EndsWith(local, wanted.data())) ++count;
    }
  }
  return count;
}

}  // namespace

TEST_SUITE("balance") {
  TEST_CASE("rolls and changes of size lose no request, whichever the way") {
    for (const std::string& mode : kModes) RollAndResize(mode, "express4", 0);
  }

  TEST_CASE("long: on every version of Node, and with Express 5" * doctest::skip(!Long())) {
    for (const std::string& mode : kModes) {
      for (const int version : {16, 18, 20, 22, 24}) RollAndResize(mode, "express4", version);
      for (const int version : {18, 20, 22, 24}) RollAndResize(mode, "express5", version);
    }
  }

  TEST_CASE("the way is changed by a soft restart, without a failed request") {
    World world;
    const App app = world.StartApp("express4", {"--size", "3", "--drain-linger", "400ms"});
    world.ExpectMoreSockets(app.name, 2);
    LoadClient load(world, Lanes(app));
    for (const std::string mode : {"slots", "sticky", "shared", "slots", "rr", "shared", "rr"}) {
      CAPTURE(mode);
      const auto before = world.ReadyPids(app.name);
      const Ran ran = world.Must({"start", SourcePath("tests/apps/express4"), "--balance", mode});
      CHECK_MESSAGE(Contains(ran.out, "balance"), ran.out);
      Roll(world, app);
    }
    const LoadReport report = load.Stop();
    MESSAGE("seven changes, ", report.ok(), " requests, ", report.failed(), " failed",
            Figures(report));
    CheckNoneFailed(report);
  }

  TEST_CASE("slots: each has its socket, and connections go to all of them alike") {
    World world;
    const std::string folder = world.MakeFolder("slots", {{"server.js", kSlotApp}});
    const App app = world.StartPath(folder, {"--size", "3", "--balance", "slots"});
    CHECK(Listening(app.port) == 3);
    const auto slots = Slots(app, 300);
    REQUIRE(slots.size() == 3);
    // By chance 100 each; below 60 in one of a hundred million runs.
    for (const auto& [slot, count] : slots) CHECK_MESSAGE(count >= 60, slot);
    // A smaller size closes none: that would reset what is queued in it.
    world.Must({"ctl", "set-size", app.name, "1"});
    CHECK(Listening(app.port) == 3);
    CHECK(Slots(app, 60) == std::map<std::string, int>{{"0", 60}});
    world.Must({"ctl", "set-size", app.name, "4"});
    CHECK(Listening(app.port) == 4);
    CHECK(Slots(app, 200).size() == 4);
    // A second one on the same port is refused, though the kernel would let it in.
    const std::string other = world.MakeFolder("other", {{"server.js", kSlotApp}});
    const Ran refused = world.Slc(
        {"start", other, "--size", "1", "--balance", "slots", "--port", std::to_string(app.port)});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(Contains(refused.err, "is in use by pid"), refused.err);
    world.Must({"ctl", "stop", app.name});
    CHECK(Listening(app.port) == 0);
  }

  TEST_CASE("slots: a killed worker's queue goes to the others, a killed master is not noticed") {
    World world;
    // Who answers no ping is not asked: the queue of one that only hangs would go to the others
    // too.
    const App app = world.StartApp("express4", {"--size", "3", "--balance", "slots", "--no-agent",
                                                "--env", "APP_BOOT_MS=1000"});
    world.ExpectMoreSockets(app.name, 2);
    for (int round = 0; round < 2; ++round) {
      CAPTURE(round);
      if (round == 1) {
        // What a master has taken over is worth as much.
        LoadClient load(world, Lanes(app));
        load.AwaitKept();
        for (int i = 0; i < 3; ++i) {
          const int master = world.MasterPid(app.name);
          world.KillMaster(app.name);
          WaitUntil([&] { return world.MasterPid(app.name) != master; }, 10'000, "its successor");
        }
        world.WaitForState(app.name, "running");
        CheckNoneFailed(load.Stop());
        CHECK(Listening(app.port) == 3);
      }
      const int victim = world.ReadyPids(app.name).at(1);
      const ProcessIdentity identity = *IdentifyProcess(victim);
      Kill(identity, SIGSTOP);
      WaitUntil([&] { return ReadUsage(victim)->state == 'T'; }, 5'000, "a stopped worker");
      std::vector<std::unique_ptr<RawConnection>> connections;
      constexpr std::size_t kRequests = 300;
      for (std::size_t i = 0; i < kRequests; ++i) {
        connections.push_back(std::make_unique<RawConnection>(app.port));
        REQUIRE(connections.back()->SendGet("/"));
      }
      const auto answered = [&] {
        return static_cast<std::size_t>(
            std::count_if(connections.begin(), connections.end(), [](const auto& each) {
              each->Receive(0);
              return Contains(each->received(), "200 OK");
            }));
      };
      // Until nobody but the stopped one has any left.
      std::size_t before = 0;
      WaitUntil(
          [&] {
            const std::size_t now = answered();
            const bool still = now == before && now > kRequests / 2;
            before = now;
            return still;
          },
          10'000, "the answers of the others");
      const std::size_t queued = kRequests - before;
      CHECK(queued > kRequests / 6);
      const Millis start = BootNow();
      Kill(identity, SIGKILL);
      WaitUntil([&] { return answered() == kRequests; }, 10'000, "all answers");
      const Millis took = BootNow() - start;
      for (const auto& connection : connections) CHECK(connection->end().empty());
      // A boot takes a second; 100 ms is what is promised, for a machine that does nothing else.
      CHECK(took < 500);
      MESSAGE(queued, " connections in a killed worker's queue, all answered after ", took, " ms");
      world.WaitForSuccessor(app.name, victim, 3);
    }
  }

  TEST_CASE("sticky: a client stays with its slot") {
    World world;
    const std::string folder = world.MakeFolder("slots", {{"server.js", kSlotApp}});
    const App app = world.StartPath(folder, {"--size", "4", "--balance", "sticky"});
    constexpr int kClients = 200;
    const auto first = SlotsOfClients(app, kClients);
    std::map<std::string, int> clients;
    for (const auto& [client, slot] : first) ++clients[slot];
    CHECK(clients.size() == 4);
    // Drawn by lot, but always the same.
    for (const auto& [slot, count] : clients) CHECK_MESSAGE(count >= 25, slot);
    CHECK(Differences(first, SlotsOfClients(app, kClients)) == 0);
    Roll(world, app);
    CHECK(Differences(first, SlotsOfClients(app, kClients)) == 0);
    world.KillMaster(app.name);
    world.WaitForState(app.name, "running");
    CHECK(Differences(first, SlotsOfClients(app, kClients)) == 0);
    // A lost slot moves only its own clients, and they come back.
    world.Must({"ctl", "set-size", app.name, "3"});
    const auto fewer = SlotsOfClients(app, kClients);
    CHECK(Differences(first, fewer) == clients.at("3"));
    world.Must({"ctl", "set-size", app.name, "4"});
    CHECK(Differences(first, SlotsOfClients(app, kClients)) == 0);
  }

  TEST_CASE(
      "after a roll that has failed half-way the newest generation says whether it is sticky") {
    World world;
    const std::string folder =
        world.MakeFolder("half", {{"server.js",
                                   "if (process.env.SLC_SLOT === '1' && require('fs').existsSync("
                                   "'broken')) process.exit(1);\n" +
                                       std::string(kSlotApp)}});
    const App app = world.StartPath(folder, {"--size", "2"});
    const auto before = world.ReadyPids(app.name);
    WriteText(folder + "/broken", "");
    CHECK(world.Slc({"start", folder, "--balance", "sticky"}).code == 1);
    std::filesystem::remove(folder + "/broken");
    CHECK(Slots(app, 20).size() == 1);
    // That of the second slot is of the old generation, and is the last to get ready.
    const auto after = world.ReadyPids(app.name);
    std::vector<int> kept;
    std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                          std::back_inserter(kept));
    REQUIRE(kept.size() == 1);
    REQUIRE(::kill(kept[0], SIGKILL) == 0);
    world.WaitForSuccessor(app.name, kept[0], 2);
    CHECK(Slots(app, 20).size() == 1);
  }

  TEST_CASE("sticky: a client of a busy worker waits, the others do not") {
    World world;
    const std::string folder = world.MakeFolder(
        "busy",
        {{"server.js",
          "require('http').createServer((request, response) => {\n"
          "  if (request.url === '/block') {\n"
          "    response.end('soon');\n"
          "    setTimeout(() => { const end = Date.now() + 800; while (Date.now() < end); }, 50);\n"
          "  } else response.end(process.env.SLC_SLOT);\n"
          "}).listen(process.env.PORT);\n"}});
    const App app = world.StartPath(folder, {"--size", "2", "--balance", "sticky"});
    const std::string own = GetFrom("127.0.0.1", app.port);
    std::string other;
    for (const auto& [client, slot] : SlotsOfClients(app, 40)) {
      if (slot != own) other = client;
    }
    REQUIRE(!other.empty());
    RawConnection blocked(app.port);
    REQUIRE(blocked.SendGet("/block"));
    REQUIRE(Contains(blocked.Answer(), "soon"));
    // It blocks 50 ms after its answer.
    LetPass(100);
    // More than a busy worker is given.
    std::vector<std::unique_ptr<RawConnection>> waiting;
    for (int i = 0; i < 70; ++i) {
      waiting.push_back(std::make_unique<RawConnection>(app.port));
      REQUIRE(waiting.back()->SendGet("/"));
    }
    const Millis start = BootNow();
    CHECK(GetFrom(other, app.port) != own);
    CHECK(BootNow() - start < 300);
    for (const auto& connection : waiting) {
      CHECK(connection->WaitFor("200 OK", 5'000));
      CHECK(Contains(connection->received(), own));
    }
  }

  TEST_CASE("socket.io works with sticky, by polling alone") {
    World world;
    constexpr int kClients = 30;
    for (const std::string mode : {"sticky", "rr"}) {
      CAPTURE(mode);
      const App app =
          world.StartApp("socketio", {"--name", mode, "--size", "3", "--balance", mode});
      Running clients = world.BeginProgram({"node", SourcePath("tests/apps/socketio/client.js"),
                                            app.url(), std::to_string(kClients)});
      // For as long they use it.
      LetPass(3000);
      clients.Signal(SIGTERM);
      const auto report = nlohmann::json::parse(clients.Wait().out);
      MESSAGE(mode, ": ", report.dump().substr(0, 200));
      if (mode == "rr") {
        // What the test would find if sticky did nothing.
        CHECK(report.at("lost").get<int>() + report.at("refused").get<int>() > kClients);
        continue;
      }
      CHECK(report.at("lost") == 0);
      CHECK(report.at("refused") == 0);
      CHECK(report.at("echoed").get<int>() > 10 * kClients);
      for (const auto& [address, slots] : report.at("slots").items()) {
        CHECK_MESSAGE(slots.size() == 1, address);
      }
    }
  }

  TEST_CASE("a way that cannot be had is refused, and says why") {
    World world;
    const Ran unknown =
        world.Slc({"start", SourcePath("tests/apps/express4"), "--balance", "fair"});
    CHECK(unknown.code == 2);
    CHECK_MESSAGE(Contains(unknown.err, "rr, sticky, slots, shared"), unknown.err);
    const Ran python = world.Slc({"start", SourcePath("tests/apps/py/app.py"), "--interpreter",
                                  "python3", "--balance", "slots"});
    CHECK(python.code == 1);
    CHECK_MESSAGE(Contains(python.err, "--balance slots is for Node"), python.err);
  }
}
