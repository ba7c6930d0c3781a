// Looks into workers: what comes out is whole and true, or nothing comes out and it is said why.
//
// SLC_LONG=1: on every version of Node.
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// An Express application with something to be found in each kind of look.
constexpr const char* kApp = R"(
const express = require('express');
const app = express();
function burnCpu(ms) {
  let sum = 0;
  for (const end = Date.now() + ms; Date.now() < end;) for (let i = 0; i < 1e4; i++) sum += Math.sqrt(i);
  return sum;
}
class Leaked { constructor(id) { this.id = id; } }
const leaked = [];
app.get('/', (request, response) => response.send(String(process.pid)));
app.get('/hot', (request, response) => response.send(String(burnCpu(50))));
app.get('/leak', (request, response) => {
  for (let i = 0; i < Number(request.query.count); i++) leaked.push(new Leaked(i));
  response.send('leaked');
});
app.get('/hang', (request, response) => {
  response.send('hangs');
  setImmediate(() => { for (;;); });
});
app.get('/open', (request, response) => {
  require('inspector').open(0, '0.0.0.0');
  response.send('open');
});
// It answers in the agent's place, and what it writes is no result.
app.get('/forge', (request, response) => {
  process.prependListener('internalMessage', (message, handle) => {
    if (message.cmd !== 'NODE_SLC' || message.act !== 'inspect') return;
    process.send({ cmd: 'NODE_SLC', act: 'inspected', id: message.id });
    message.act = 'ping';
    new (require('net').Socket)({ handle }).end(Buffer.concat([Buffer.alloc(4), Buffer.from('more')]));
  });
  response.send('forges');
});
const hoard = [];
process.on('SIGUSR2', () => {
  if (hoard.length) return hoard.splice(0).forEach((fd) => require('fs').closeSync(fd));
  try { for (;;) hoard.push(require('fs').openSync('/dev/null')); } catch { /* full */ }
});
app.listen(process.env.PORT);
)";

App StartLooked(World& world, const Words& options = {}) {
  const std::string folder = world.MakeFolder("web", {{"server.js", kApp}});
  std::filesystem::create_symlink(SourcePath("tests/apps/express5/node_modules"),
                                  folder + "/node_modules");
  return world.StartPath(folder, options);
}

// As the status shows it.
ProcessView Process(World& world, WorkerId worker) {
  for (const ProcessView& process : world.View("web").processes) {
    if (process.worker == worker) return process;
  }
  FAIL("no worker ", worker);
  return {};
}

WorkerId FirstWorker(World& world) {
  for (const ProcessView& process : world.View("web").processes) {
    if (process.worker > 0 && process.state == "ready") return process.worker;
  }
  FAIL("no worker is ready");
  return 0;
}

std::string IdOf(World& world, WorkerId worker) {
  return "1.1." + std::to_string(Process(world, worker).pid);
}

// The message of a refusal.
std::string Refused(World& world, const Words& words, int code = 1) {
  const Ran ran = world.Slc(words);
  CHECK_MESSAGE(ran.code == code, ran.err);
  CHECK(ran.out.empty());
  return ran.err;
}

std::size_t FilesIn(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (Contains(name, "cpuprofile") || Contains(name, "heapsnapshot")) ++count;
  }
  return count;
}

json ReadJson(const std::string& path) { return json::parse(ReadText(path)); }

// Somebody does on that address of this machine.
bool Listening(const char* address, int port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(::inet_pton(AF_INET, address, &to.sin_addr) == 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

std::vector<int> Versions() {
  return Variable("SLC_LONG").empty() ? std::vector<int>{20} : std::vector<int>{16, 18, 20, 22, 24};
}

}  // namespace

TEST_SUITE("inspect") {
  TEST_CASE("a CPU profile has the function that is hot, and one is made at a time") {
    for (const int version : Versions()) {
      CAPTURE(version);
      World world;
      world.UseNode(version);
      const App app = StartLooked(world, {"--size", "1"});
      const WorkerId worker = FirstWorker(world);
      const std::string id = IdOf(world, worker);
      CHECK(Contains(Refused(world, {"ctl", "cpu-stop", id}), "is not being profiled"));
      CHECK(world.Must({"ctl", "cpu-start", id, "--interval", "500"}).out ==
            "Profiler started, use cpu-stop to get profile\n");
      CHECK(Process(world, worker).inspection.profiling_since > 0);
      CHECK(Contains(world.Must({"ctl", "status", "web"}).out, " yes\n"));
      CHECK(Contains(Refused(world, {"ctl", "cpu-start", id}), "being profiled already, since 20"));
      CHECK(Contains(Refused(world, {"ctl", "cpu-start", "web.1.0"}), "the supervisor"));
      for (int i = 0; i < 5; ++i) REQUIRE(Get(app.url("/hot")).status == 200);
      CHECK(world.Must({"ctl", "cpu-stop", id}).out ==
            "CPU profile written to `node." + id + ".cpuprofile`, load into Chrome Dev Tools\n");
      const json profile = ReadJson(world.folder() + "/node." + id + ".cpuprofile");
      CHECK(profile["samples"].size() == profile["timeDeltas"].size());
      std::set<int> hot;
      for (const json& node : profile["nodes"]) {
        if (node["callFrame"]["functionName"] == "burnCpu") hot.insert(node["id"].get<int>());
      }
      const auto in_hot = std::count_if(profile["samples"].begin(), profile["samples"].end(),
                                        [&](const json& each) { return hot.count(each) > 0; });
      CHECK(in_hot * 20 > static_cast<long>(profile["samples"].size()));
      WaitUntil([&] { return Process(world, worker).inspection.profiling_since == 0; }, 5'000,
                "the end of the profile");
    }
  }

  TEST_CASE("a heap snapshot is whole, and has the name that was given") {
    World world;
    StartLooked(world, {"--size", "2"});
    const std::string wid = std::to_string(FirstWorker(world));
    CHECK(world.Must({"ctl", "heap-snapshot", "web." + wid, "heap1"}).out ==
          "Heap snapshot written to `heap1.heapsnapshot`, load into Chrome Dev Tools\n");
    const json snapshot = ReadJson(world.folder() + "/heap1.heapsnapshot");
    const json& meta = snapshot["snapshot"]["meta"];
    CHECK(snapshot["nodes"].size() ==
          snapshot["snapshot"]["node_count"].get<std::size_t>() * meta["node_fields"].size());
    const json said = world.Json({"ctl", "heap-snapshot", "web." + wid, "heap2"});
    CHECK(said["ok"] == true);
    CHECK(said["file"] == "heap2.heapsnapshot");
    CHECK(said["bytes"] == std::filesystem::file_size(world.folder() + "/heap2.heapsnapshot"));
    CHECK(FilesIn(world.folder()) == 2);
  }

  TEST_CASE("what grew between objects-start and objects-stop is told by class") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    CHECK(Contains(Refused(world, {"ctl", "objects-stop", id}), "not being tracked"));
    const Ran begun = world.Must({"ctl", "objects-start", id});
    CHECK(begun.out.empty());
    CHECK_MESSAGE(Contains(begun.err, "stood still for"), begun.err);
    CHECK(Contains(Refused(world, {"ctl", "objects-start", id}), "tracked already, since"));
    WaitUntil([&] { return Process(world, worker).inspection.tracking_since > 0; }, 5'000,
              "the flag");
    REQUIRE(Get(app.url("/leak?count=5000")).status == 200);
    const std::vector<std::string> lines = LinesOf(world.Must({"ctl", "objects-stop", id}).out);
    REQUIRE(lines.size() > 2);
    CHECK_MESSAGE(StartsWith(lines[2], "Leaked  "), lines[2]);
    CHECK_MESSAGE(Contains(lines[2], "  +5000  "), lines[2]);
    world.Must({"ctl", "objects-start", id});
    REQUIRE(Get(app.url("/leak?count=10")).status == 200);
    const json said = world.Json({"ctl", "objects-stop", id});
    const auto leaked = std::find_if(said["classes"].begin(), said["classes"].end(),
                                     [](const json& one) { return one["name"] == "Leaked"; });
    REQUIRE(leaked != said["classes"].end());
    CHECK((*leaked)["count"] == 10);
    CHECK((*leaked)["total"] == 5010);
  }

  TEST_CASE("the debugger is open on loopback until it is closed") {
    World world;
    StartLooked(world, {"--size", "1"});
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    CHECK(Contains(Refused(world, {"ctl", "dbg-start", "1.1.0"}),
                   "Cannot debug the supervisor process itself."));
    CHECK(Contains(Refused(world, {"ctl", "dbg-stop", id}), "not open"));
    const json begun = world.Json({"ctl", "dbg-start", id});
    const int port = begun["port"];
    CHECK(begun["host"] == "127.0.0.1");
    const Ran again = world.Must({"ctl", "dbg-start", id});
    CHECK(again.out == "Debugger listening on port " + std::to_string(port) + ".\n");
    CHECK_MESSAGE(Contains(again.err, "every user of this machine, on 127.0.0.1:"), again.err);
    CHECK(Listening("127.0.0.1", port));
    CHECK_FALSE(Listening("127.0.0.2", port));
    {
      // It keeps the connection when it has answered.
      RawConnection debugger(static_cast<std::uint16_t>(port));
      REQUIRE(debugger.SendGet("/json/version"));
      WaitUntil(
          [&] {
            debugger.Receive(0);
            return Contains(debugger.received(), "\"Browser\": \"node.js/");
          },
          10'000, "the debugger's answer");
    }
    CHECK(Process(world, worker).inspection.debugger_port == port);
    CHECK(Contains(world.Must({"ctl", "status"}).out, "Debugging?"));
    CHECK(world.Must({"ctl", "dbg-stop", id}).out == "Debugger was disabled.\n");
    // It is answered before it is done.
    WaitUntil([&] { return !Listening("127.0.0.1", port); }, 10'000, "a closed debugger");
    CHECK_FALSE(Contains(world.Must({"ctl", "status"}).out, "Debugging?"));
  }

  TEST_CASE("of a debugger that the app has opened to others it is said where, with a warning") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    REQUIRE(Get(app.url("/open")).status == 200);
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    const Ran begun = world.Must({"ctl", "dbg-start", id});
    const std::string where =
        "0.0.0.0:" + std::to_string(Process(world, worker).inspection.debugger_port);
    CHECK(Listening("127.0.0.2", Process(world, worker).inspection.debugger_port));
    CHECK_MESSAGE(Contains(begun.err, "WARNING: it is open to whoever can reach " + where),
                  begun.err);
    CHECK(Contains(world.Must({"ctl", "status"}).out, "on " + where + "\n"));
    world.Must({"ctl", "dbg-stop", id});
  }

  TEST_CASE("a worker without descriptors is told of, and serves on") {
    constexpr std::size_t kFiles = 200;
    World world;
    const App app = StartLooked(world, {"--size", "1", "--nofile", std::to_string(kFiles)});
    const WorkerId worker = FirstWorker(world);
    const ProcessIdentity process = *IdentifyProcess(Process(world, worker).pid);
    const std::string id = IdOf(world, worker);
    Kill(process, SIGUSR2);
    WaitUntil([&] { return CountOpenFiles(process.pid) >= kFiles; }, 10'000, "a full worker");
    const std::string refused = Refused(world, {"ctl", "heap-snapshot", id, "full"});
    CHECK_MESSAGE(Contains(refused, "too many files open"), refused);
    CHECK(FilesIn(world.folder()) == 0);
    Kill(process, SIGUSR2);
    WaitUntil([&] { return CountOpenFiles(process.pid) < kFiles / 2; }, 10'000, "room");
    CHECK(Get(app.url()).status == 200);
    world.Must({"ctl", "heap-snapshot", id, "again"});
    CHECK(Process(world, worker).pid == process.pid);
  }

  TEST_CASE("two snapshots at once are both whole, and leave no descriptor behind") {
    World world;
    StartLooked(world, {"--size", "1"});
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    const auto open_files = [&] {
      return std::vector<std::size_t>{CountOpenFiles(Process(world, worker).pid),
                                      CountOpenFiles(world.MasterPid("web")),
                                      CountOpenFiles(world.Daemon()->pid)};
    };
    world.Must({"ctl", "objects-start", id});
    const std::vector<std::size_t> before = open_files();
    Running one = world.Begin({"ctl", "heap-snapshot", id, "one"});
    Running other = world.Begin({"ctl", "heap-snapshot", id, "other"});
    CHECK_MESSAGE(one.Wait().code == 0, one.Wait().err);
    CHECK_MESSAGE(other.Wait().code == 0, other.Wait().err);
    for (const char* name : {"one", "other"}) {
      CHECK(ReadJson(world.folder() + "/" + name + ".heapsnapshot")["nodes"].size() > 0);
    }
    WaitUntil([&] { return open_files() == before; }, 5'000, "as many descriptors as before");
  }

  TEST_CASE("what a worker forges is no result, and hurts nobody") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    const std::string id = IdOf(world, FirstWorker(world));
    REQUIRE(Get(app.url("/forge")).status == 200);
    const std::string refused = Refused(world, {"ctl", "heap-snapshot", id});
    CHECK_MESSAGE(Contains(refused, "no result"), refused);
    CHECK(FilesIn(world.folder()) == 0);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("a snapshot longer than --hang-timeout costs no worker, though the master is killed") {
    World world;
    const App app = StartLooked(world, {"--size", "1", "--hang-timeout", "1s"});
    REQUIRE(Get(app.url("/leak?count=500000")).status == 200);
    const WorkerId worker = FirstWorker(world);
    const int pid = Process(world, worker).pid;
    world.Must({"ctl", "set-size", "web", "2"});
    Running snapshot = world.Begin({"ctl", "heap-snapshot", IdOf(world, worker)});
    WaitUntil([&] { return !Process(world, worker).shows.empty(); }, 20'000, "its standstill");
    CHECK(Contains(world.Must({"ctl", "status", "web"}).out,
                   "Shows: worker " + std::to_string(worker) + " (pid " + std::to_string(pid) +
                       ") makes a heap snapshot and stands still for that"));
    // From the first on all go to the other.
    for (int i = 0; i < 10; ++i) {
      const Response response = Get(app.url(), 1'000);
      CHECK(response.status == 200);
      CHECK(response.body != std::to_string(pid));
    }
    const int master = world.MasterPid("web");
    world.KillMaster("web");
    WaitUntil([&] { return world.MasterPid("web") != master; }, 10'000, "its successor");
    const Millis taken_over = BootNow();
    const Ran& ran = snapshot.Wait();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    // Else it was no test of the successor.
    WARN(BootNow() - taken_over > 1'500);
    WaitUntil([&] { return Process(world, worker).shows.empty(); }, 5'000, "its end");
    CHECK(Process(world, worker).pid == pid);
    CHECK_FALSE(Contains(world.Must({"events", "web"}).out, "hung"));
    WaitUntil([&] { return Get(app.url()).body == std::to_string(pid); }, 5'000, "connections");
  }

  TEST_CASE("a profile is not thrown away where its file cannot be made") {
    World world;
    StartLooked(world, {"--size", "1"});
    const std::string id = IdOf(world, FirstWorker(world));
    world.Must({"ctl", "cpu-start", id});
    const std::string refused = Refused(world, {"ctl", "cpu-stop", id, "no/such/folder/x"});
    CHECK_MESSAGE(Contains(refused, "nothing was done"), refused);
    world.Must({"ctl", "cpu-stop", id, "x"});
    CHECK(FilesIn(world.folder()) == 1);
  }

  TEST_CASE("of a worker that is killed in the midst no file is left, and it is said") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    // A heap that takes a while.
    REQUIRE(Get(app.url("/leak?count=400000")).status == 200);
    const WorkerId worker = FirstWorker(world);
    const ProcessIdentity process = *IdentifyProcess(Process(world, worker).pid);
    Running snapshot = world.Begin({"ctl", "heap-snapshot", IdOf(world, worker)});
    WaitUntil([&] { return FilesIn(world.folder()) > 0; }, 20'000, "the file in the making");
    Kill(process, SIGKILL);
    const Ran& ran = snapshot.Wait();
    CHECK(ran.code == 1);
    CHECK(ran.out.empty());
    CHECK_MESSAGE(Contains(ran.err, "the worker ended, or gave up"), ran.err);
    CHECK(FilesIn(world.folder()) == 0);
    world.WaitForSuccessor("web", process.pid, 1);
    CHECK(Contains(Refused(world, {"ctl", "cpu-stop", "web." + std::to_string(worker)}),
                   "Unable to find process"));
  }

  TEST_CASE("Ctrl-C, and a client that does not read, leave no file and a worker that serves") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    REQUIRE(Get(app.url("/leak?count=200000")).status == 200);
    const std::string id = IdOf(world, FirstWorker(world));
    Running snapshot = world.Begin({"ctl", "heap-snapshot", id});
    WaitUntil([&] { return FilesIn(world.folder()) > 0; }, 20'000, "the file in the making");
    snapshot.Signal(SIGSTOP);
    CHECK(Get(app.url(), 30'000).status == 200);
    snapshot.Signal(SIGINT);
    snapshot.Signal(SIGCONT);
    const Ran& ran = snapshot.Wait();
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "interrupted"), ran.err);
    CHECK(FilesIn(world.folder()) == 0);
    world.Must({"ctl", "heap-snapshot", id, "again"});
  }

  TEST_CASE("a disk that is full leaves no half file") {
    World world;
    StartLooked(world, {"--size", "1"});
    const std::string id = IdOf(world, FirstWorker(world));
    // Of what it writes no more than 256 KiB find room.
    const Ran ran = world
                        .BeginProgram({"sh", "-c", "trap '' XFSZ; ulimit -f 512; exec \"$@\"", "sh",
                                       BinaryPath("slc"), "ctl", "heap-snapshot", id})
                        .Wait();
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "File too large"), ran.err);
    CHECK(FilesIn(world.folder()) == 0);
  }

  TEST_CASE(
      "a worker that hangs is refused within its time, and others are looked into meanwhile") {
    World world;
    const App app = StartLooked(world, {"--size", "1"});
    const std::string id = IdOf(world, FirstWorker(world));
    world.Must({"ctl", "set-size", "web", "2"});
    REQUIRE(Get(app.url("/hang")).status == 200);
    std::string hangs;
    std::string turns;
    for (const ProcessView& process : world.View("web").processes) {
      if (process.worker == 0) continue;
      // Whoever took the request: both are asked.
      (hangs.empty() ? hangs : turns) = "1.1." + std::to_string(process.pid);
    }
    Running one = world.Begin({"ctl", "cpu-start", hangs});
    Running other = world.Begin({"ctl", "cpu-start", turns});
    const std::vector<Ran> both{one.Wait(), other.Wait()};
    CHECK(both[0].code + both[1].code == 1);
    const Ran& refused = both[both[0].code == 1 ? 0 : 1];
    CHECK_MESSAGE(Contains(refused.err, "event loop"), refused.err);
    CHECK(refused.took < 20'000);
    world.ExpectInLog("kill");
  }

  TEST_CASE("without the agent, and without Node, it is said why not") {
    World world;
    StartLooked(world, {"--size", "1", "--no-agent"});
    CHECK(
        Contains(Refused(world, {"ctl", "cpu-start", "web." + std::to_string(FirstWorker(world))}),
                 "--no-agent"));
    const std::string server = world.MakeFolder("py", {{"server.py", R"(
import http.server, os
where = ('127.0.0.1', int(os.environ['PORT']))
http.server.HTTPServer(where, http.server.SimpleHTTPRequestHandler).serve_forever()
)"}}) + "/server.py";
    const App python =
        world.StartPath(server, {"--interpreter", "python3", "--size", "1", "--name", "py"});
    for (const ProcessView& process : world.View(python.name).processes) {
      if (process.worker == 0) continue;
      CHECK(Contains(Refused(world, {"ctl", "heap-snapshot", std::to_string(process.pid)}),
                     "is not Node.js"));
    }
    CHECK(Contains(Refused(world, {"ctl", "patch", "1", "x.json"}), "patch is not supported"));
    CHECK(Contains(Refused(world, {"ctl", "tracing-start", "web"}), "tracing is not supported"));
    CHECK(Contains(Refused(world, {"ctl", "cpu-start", "9.1.99999"}), "Unable to find process"));
    world.Must({"ctl", "stop", "web"});
    CHECK(Contains(Refused(world, {"ctl", "cpu-start", "web.1"}), "Unable to find process"));
  }

  TEST_CASE("a soft restart takes what was looked at along, and fails no request") {
    World world;
    const App app = StartLooked(world, {"--size", "2"});
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    world.Must({"ctl", "cpu-start", id});
    world.Must({"ctl", "dbg-start", id});
    const json begun = world.Json({"ctl", "soft-restart", "web"});
    CHECK(begun["ok"] == true);
    CHECK(Contains(Refused(world, {"ctl", "cpu-stop", id}), "Unable to find process"));
    for (const ProcessView& process : world.View("web").processes) {
      CHECK(process.inspection == InspectionState{});
    }
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("what is looked at is known after slcd and the master were killed") {
    World world;
    StartLooked(world, {"--size", "1"});
    const WorkerId worker = FirstWorker(world);
    const std::string id = IdOf(world, worker);
    world.Must({"ctl", "cpu-start", id});
    const int master = world.MasterPid("web");
    world.KillMaster("web");
    WaitUntil(
        [&] {
          const ServiceView view = world.View("web");
          return view.state == "running" && view.processes.at(0).pid != master;
        },
        20'000, "a successor");
    CHECK(Process(world, worker).inspection.profiling_since > 0);
    world.KillDaemon();
    world.Must({"ctl", "cpu-stop", id, "kept"});
    CHECK(ReadJson(world.folder() + "/kept.cpuprofile")["samples"].size() > 0);
  }

  TEST_CASE("who looked is on record") {
    World world;
    StartLooked(world, {"--size", "1"});
    const WorkerId worker = FirstWorker(world);
    const std::string wid = "web." + std::to_string(worker);
    world.Must({"ctl", "cpu-start", wid});
    world.Slc({"ctl", "cpu-start", wid});
    world.Must({"ctl", "cpu-stop", wid});
    const auto recorded = [&] {
      std::vector<std::string> found;
      for (const std::string& line : LinesOf(world.Must({"events", "web", "--json"}).out)) {
        const json record = json::parse(line);
        const std::string verb = record.value("verb", "");
        if (StartsWith(verb, "cpu-")) found.push_back(verb + " " + record.value("result", ""));
      }
      return found;
    };
    WaitUntil([&] { return recorded().size() == 3; }, 5'000, "three records");
    CHECK(recorded() ==
          std::vector<std::string>{"cpu-start ok", "cpu-start conflict", "cpu-stop ok"});
  }
}
