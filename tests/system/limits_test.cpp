// Limits of workers: --max-memory, --nofile, --nice, --cpus, --max-restarts. Each is looked at
// where the kernel has it, and each that cannot be had says why.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/cgroup.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// GET /grow has one worker keep 150 MB more, and its pid as any other path.
constexpr const char* kGrower = R"(
const http = require('http');
let kept;
http.createServer((request, response) => {
  if (request.url === '/grow') kept = Buffer.alloc(150 << 20, 1);
  response.end(String(process.pid));
}).listen(process.env.PORT);
)";

// "Max open files" -> "4096 4096 files"
std::string LimitOf(int pid, const std::string& name) {
  for (const std::string& line : LinesOf(ReadText("/proc/" + std::to_string(pid) + "/limits"))) {
    if (!StartsWith(line, name)) continue;
    std::string words;
    for (const std::string& word : Split(line.substr(name.size()), ' ')) {
      if (!word.empty()) words += (words.empty() ? "" : " ") + word;
    }
    return words;
  }
  return {};
}

App StartGrower(World& world, const Words& options) {
  return world.StartPath(world.MakeFolder("grower", {{"app.js", kGrower}}), options);
}

std::vector<json> EventsOf(World& world, const std::string& kind) {
  std::vector<json> found;
  for (const std::string& line : LinesOf(world.Must({"events", "--json", "-n", "1000"}).out)) {
    json event = json::parse(line);
    if (event["kind"] == kind) found.push_back(std::move(event));
  }
  return found;
}

// `slc` as root without these capabilities.
Ran SlcWithout(World& world, const std::string& capabilities, Words arguments) {
  Words command{"setpriv", "--bounding-set", capabilities, world.ProgramPath("slc")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return world.BeginProgram(command).Wait();
}

bool CanConnect(std::uint16_t port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

TEST_SUITE("limits") {
  TEST_CASE("--nofile and --nice hold for the workers of the generation that asks for them") {
    World world;
    const App app =
        world.StartApp("plain/server.js", {"--size", "2", "--nofile", "777", "--nice", "7"});
    const auto pids = world.ReadyPids(app.name);
    for (const int pid : pids) {
      CHECK(LimitOf(pid, "Max open files") == "777 777 files");
      CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)) == 7);
      const std::string autogroup = "/proc/" + std::to_string(pid) + "/autogroup";
      if (!Exists(autogroup)) continue;
      WaitUntil([&] { return Contains(ReadText(autogroup), " nice 7\n"); }, 10'000,
                "its session to have the niceness, too");
    }
    Kill(*IdentifyProcess(pids[0]));
    world.WaitForSuccessor(app.name, pids[0], 2);
    CHECK(LimitOf(world.ReadyPids(app.name)[1], "Max open files") == "777 777 files");
    world.Must({"start", app.folder, "--nofile", "none", "--nice", "none"});
    rlimit own{};
    ::getrlimit(RLIMIT_NOFILE, &own);
    for (const int pid : world.ReadyPids(app.name)) {
      CHECK(LimitOf(pid, "Max open files") ==
            std::to_string(own.rlim_cur) + " " + std::to_string(own.rlim_max) + " files");
      CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)) == 0);
    }
  }

  TEST_CASE("what slcd may not give is refused before anything is started") {
    World world;
    const std::string folder = SourcePath("tests/apps/plain");
    const Ran ran = world.Slc({"start", folder + "/server.js", "--nofile", "1073741824"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "--nofile 1073741824: "), ran.err);
    CHECK_MESSAGE(Contains(ran.err, "at most"), ran.err);
    world.Must({"ctl", "shutdown"});
    if (!Possible(::geteuid() == 0, "capabilities can only be taken from root")) return;
    rlimit own{};
    ::getrlimit(RLIMIT_NOFILE, &own);
    const std::string more = std::to_string(own.rlim_max + 1);
    const Ran files = SlcWithout(world, "-sys_resource,-sys_nice",
                                 {"start", folder + "/server.js", "--nofile", more});
    CHECK(files.code == 1);
    CHECK_MESSAGE(
        Contains(files.err, "--nofile " + more + ": at most " + std::to_string(own.rlim_max) +
                                " may be given, the hard limit of slcd"),
        files.err);
    // The same slcd.
    const Ran nice = world.Slc({"start", folder + "/server.js", "--nice", "-5"});
    CHECK(nice.code == 1);
    CHECK_MESSAGE(Contains(nice.err, "--nice -5: slcd has niceness 0 and may not go below"),
                  nice.err);
    world.Must(
        {"start", folder + "/server.js", "--nice", "5", "--port", std::to_string(FreePort())});
  }

  TEST_CASE("--cpus puts the workers into a cgroup of their own, or says why it cannot") {
    World world;
    const std::string script = SourcePath("tests/apps/plain/server.js");
    const Words words{"start",  script, "--size", "2",
                      "--cpus", "0.5",  "--port", std::to_string(FreePort())};
    if (const Status may = MayLimitCpus(500); !may) {
      const Ran ran = world.Slc(words);
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "--cpus 0.5: " + may.error().message), ran.err);
      Possible(false, may.error().message);
      return;
    }
    world.Must(words);
    const std::string site = *FindCpuSite();
    std::string group;
    const auto check = [&](const std::string& limit) {
      for (const int pid : world.ReadyPids("server")) {
        const std::string cgroups = ReadText("/proc/" + std::to_string(pid) + "/cgroup");
        const std::size_t at = cgroups.find("0::/");
        REQUIRE(at != std::string::npos);
        const std::string path(Trim(cgroups.substr(at + 3)));
        group = site + path.substr(path.rfind('/'));
        CHECK(Trim(ReadText(group + "/cpu.max")) == limit);
      }
    };
    check("50000 100000");
    const std::string first = group;
    world.KillMaster("server");
    world.WaitForState("server", "running");
    world.Must({"start", script, "--cpus", "1.5"});
    check("150000 100000");
    WaitUntil([&] { return !Exists(first); }, 10'000, "the group of the old generation to go");
    world.Must({"ctl", "stop", "server"});
    WaitUntil([&] { return !Exists(group); }, 10'000, "the group to go");
  }

  TEST_CASE("--max-restarts: a slot is given up, which is told, and begins anew when asked to") {
    World world;
    const std::string folder =
        world.MakeFolder("rocks", {{"app.js", "setTimeout(() => process.exit(7), 20);"}});
    const Words start{"start", folder, "--size", "1", "--max-restarts", "2", "--ready", "alive"};
    CHECK(world.Slc(start).code == 1);
    const ServiceView view = world.WaitForState("rocks", "failed");
    CHECK(view.reason == "slot 1 was given up after 2 restarts in a row: exit code 7");
    REQUIRE(view.idle_slots.size() == 1);
    CHECK(view.idle_slots[0].state == "given-up");
    CHECK(view.idle_slots[0].restarts == 3);
    CHECK(EventsOf(world, "slot_given_up").size() == 1);
    const Ran why = world.Slc({"why", "rocks"});
    CHECK_MESSAGE(Contains(why.out, "rocks is down: failed: slot 1 was given up after 2"), why.out);
    CHECK_MESSAGE(Contains(why.out, "when it is repaired: slc ctl restart rocks"), why.out);
    // A successor of the master leaves it at that.
    world.KillMaster("rocks");
    WaitUntil([&] { return world.MasterPid("rocks") > 0; }, 20'000, "another master");
    CHECK(world.WaitForState("rocks", "failed").idle_slots[0].restarts == 3);
    WriteText(folder + "/app.js", "setInterval(() => {}, 1000);");
    for (const char* verb : {"start", "soft-restart", "restart"}) {
      CAPTURE(verb);
      if (verb != std::string("start")) {
        WriteText(folder + "/app.js", "setTimeout(() => process.exit(7), 20);");
        CHECK(world.Slc({"ctl", "restart", "rocks"}).code == 1);
        world.WaitForState("rocks", "failed");
        WriteText(folder + "/app.js", "setInterval(() => {}, 1000);");
      }
      world.Must({"ctl", verb, "rocks"});
      CHECK(world.View("rocks").state == "running");
    }
  }

  TEST_CASE(
      "--max-restarts: where nobody will serve any more clients are refused, not kept waiting") {
    World world;
    const std::uint16_t port = FreePort();
    const std::string folder = world.MakeFolder(
        "leaves", {{"app.js",
                    "require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT, "
                    "'127.0.0.1', () => setTimeout(() => process.exit(1), 300));"}});
    world.Slc(
        {"start", folder, "--size", "1", "--max-restarts", "1", "--port", std::to_string(port)});
    world.WaitForState("leaves", "failed");
    CHECK_FALSE(CanConnect(port));
    world.Slc({"ctl", "restart", "leaves"});
    world.WaitForState("leaves", "failed");
    CHECK_FALSE(CanConnect(port));
  }

  TEST_CASE("--max-restarts: a program that may not be executed any more is given up, too") {
    World world;
    const std::string folder =
        world.MakeFolder("script", {{"run.sh", "#!/bin/sh\nsleep 0.3\nexit 1\n"}});
    const std::string script = folder + "/run.sh";
    REQUIRE(::chmod(script.c_str(), 0755) == 0);
    world.Slc({"start", script, "--name", "script", "--size", "1", "--max-restarts", "3", "--ready",
               "alive", "--no-wait"});
    REQUIRE(::chmod(script.c_str(), 0644) == 0);
    const ServiceView view = world.WaitForState("script", "failed");
    CHECK_MESSAGE(Contains(view.reason, "Permission denied"), view.reason);
    world.ExpectInLog("Permission denied");
  }

  TEST_CASE("slc run ends with the code of an app that was given up") {
    World world;
    const std::string folder =
        world.MakeFolder("short", {{"app.js", "setTimeout(() => process.exit(7), 1500);"}});
    const Ran ran =
        world.Begin({"run", folder, "--size", "1", "--ready", "alive", "--max-restarts", "0"})
            .Wait();
    CHECK(ran.code == 7);
  }

  TEST_CASE("--max-memory: the successor first, and no request fails") {
    World world;
    const App app =
        StartGrower(world, {"--size", "2", "--max-memory", "140M", "--min-uptime", "100ms"});
    const auto before = world.ReadyPids(app.name);
    LoadClient load(world, {"name=keep,connections=8,think=0-20,url=" + app.url(),
                            "name=close,mode=close,connections=4,rate=60,url=" + app.url()});
    load.AwaitAnswers(50);
    const int grown = std::stoi(Get(app.url("/grow")).body);
    world.WaitForSuccessor(app.name, grown, 2);
    world.WaitForState(app.name, "running");
    load.AwaitAnswers(50);
    const LoadReport report = load.Stop();
    CHECK_MESSAGE(report.failed() == 0, report.text);
    const auto after = world.ReadyPids(app.name);
    for (const int pid : before) {
      CHECK((std::find(after.begin(), after.end(), pid) == after.end()) == (pid == grown));
    }
    const auto events = EventsOf(world, "worker_outgrown");
    REQUIRE(events.size() == 1);
    CHECK(events[0]["pid"] == grown);
    const std::string text = events[0]["text"];
    CHECK_MESSAGE(Contains(text, " of memory, and may use 140 MiB (--max-memory); a successor"),
                  text);
    const Ran why = world.Slc({"why", app.name});
    CHECK_MESSAGE(Contains(why.out, "too large:"), why.out);
    CHECK_MESSAGE(Contains(why.out, "none on record that nobody had asked for"), why.out);
    for (const ProcessView& process : world.View(app.name).processes) CHECK(process.restarts == 0);
  }

  TEST_CASE("--max-memory: who has no successor that comes up goes on, and that is told") {
    World world;
    const App app =
        StartGrower(world, {"--size", "1", "--max-memory", "140M", "--min-uptime", "100ms"});
    const int pid = world.ReadyPids(app.name).at(0);
    WriteText(app.folder + "/app.js", "throw new Error('broken on disk');");
    Get(app.url("/grow"));
    WaitUntil([&] { return !EventsOf(world, "worker_ended").empty(); }, 30'000,
              "the successor to fail");
    const ServiceView view = world.WaitForState(app.name, "running");
    CHECK(world.ReadyPids(app.name) == std::vector<int>{pid});
    const ProcessView& worker = view.processes.at(1);
    CHECK_MESSAGE(Contains(worker.reason, "may use 140 MiB (--max-memory); its successor comes in"),
                  worker.reason);
    CHECK(Get(app.url()).body == std::to_string(pid));
    // It is tried again by itself.
    WriteText(app.folder + "/app.js", kGrower);
    // After the pause of 10 s that one in vain costs.
    WaitUntil(
        [&] {
          const auto pids = world.ReadyPids(app.name);
          return pids.size() == 1 && pids[0] != pid;
        },
        40'000, "another try to succeed");
  }
}
