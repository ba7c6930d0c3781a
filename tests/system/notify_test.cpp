// What programs that are not Node tell of themselves by sd_notify(3).
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/cpu_watch.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

namespace {

// tests/apps/notify/app.py on a port of slc's, one worker.
struct Told {
  std::string name;
  std::uint16_t port = 0;
  Ran started;

  // What the worker answers: its pid.
  int Ask(const std::string& what) const {
    const Response answer = Get("http://127.0.0.1:" + std::to_string(port) + what);
    REQUIRE_MESSAGE(answer.status == 200, what, ": ", answer.error);
    return std::stoi(answer.body);
  }
};

// `says`: when it starts.
Told Start(World& world, const Words& options, const Words& says = {},
           const std::string& app = SourcePath("tests/apps/notify/app.py")) {
  Told told{"told", FreePort(), {}};
  Words all{"start",  app,       "--interpreter", "python3",
            "--name", told.name, "--listen",      "127.0.0.1:" + std::to_string(told.port)};
  all.insert(all.end(), options.begin(), options.end());
  all.emplace_back("--");
  all.insert(all.end(), says.begin(), says.end());
  told.started = world.Slc(all);
  return told;
}

ProcessView Worker(World& world, const Told& told) {
  ServiceView view;
  WaitUntil(
      [&] {
        view = world.View(told.name);
        return view.processes.size() == 2 && view.processes[1].pid > 0;
      },
      20'000, "a worker");
  return view.processes[1];
}

void AwaitWorker(World& world, const Told& told, const std::string& what,
                 const std::function<bool(const ProcessView&)>& condition) {
  WaitUntil([&] { return condition(Worker(world, told)); }, 20'000, what);
}

std::string NotifySocketOf(int pid) {
  const std::string all = ReadText("/proc/" + std::to_string(pid) + "/environ");
  for (const std::string& each : Split(all, '\0')) {
    if (StartsWith(each, "NOTIFY_SOCKET=")) return each.substr(each.find('=') + 1);
  }
  return {};
}

// A process of its own that says `text` there.
Words Say(const std::string& address, const std::string& text) {
  return {"python3", "-c",
          "import socket, sys\n"
          "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
          "s.sendto(sys.argv[2].encode(), sys.argv[1])\n",
          address, text};
}

}  // namespace

TEST_SUITE("notify") {
  TEST_CASE("--ready message waits for READY=1 of the worker itself, and of nobody else") {
    World world;
    const Told told = Start(world, {"--ready", "message", "--ready-timeout", "2m", "--no-wait"});
    REQUIRE_MESSAGE(told.started.code == 0, told.started.err);
    const int pid = Worker(world, told).pid;
    CHECK(told.Ask("/") == pid);
    const std::string address = NotifySocketOf(pid);
    told.Ask("/say?STATUS=warming%20up");
    told.Ask("/child?READY=1");
    CHECK(world.BeginProgram(Say(address, "READY=1")).Wait().code == 0);
    const std::string log = world.log_folder(told.name) + "/out.log";
    WaitUntil([&] { return Contains(ReadText(log), "says by sd_notify does not count"); }, 5'000,
              "the word about the child");
    // Longer than others need to be taken for ready.
    AwaitWorker(world, told, "some life",
                [](const ProcessView& worker) { return worker.uptime > 2'000; });
    CHECK(Worker(world, told).state == "starting");
    told.Ask("/say?READY=1");
    AwaitWorker(world, told, "the worker to be ready",
                [](const ProcessView& worker) { return worker.state == "ready"; });
    CHECK(Worker(world, told).pid == pid);
    CHECK(Worker(world, told).status_text == "warming up");
    world.Must({"ctl", "stop", told.name});
    CHECK_FALSE(Exists(address));
  }

  TEST_CASE("READY=1 is enough where otherwise a second of life is, but with --ready alive") {
    World world;
    const auto start = [&](const std::string& ready) {
      const std::string out = world
                                  .Must({"start", BinaryPath("slc-small-server"), "--name", ready,
                                         "--ready", ready, "--port", std::to_string(FreePort())})
                                  .out;
      const std::size_t at = out.find("ready after");
      REQUIRE_MESSAGE(at != std::string::npos, out);
      return out.substr(at, out.find('\n', at) - at);
    };
    // It says so some milliseconds after it was started.
    const std::string listening = start("listening");
    CHECK_MESSAGE(EndsWith(listening, " ms"), listening);
    const std::string alive = start("alive");
    CHECK_MESSAGE(EndsWith(alive, " s"), alive);
  }

  TEST_CASE("what it said last explains a start that took too long, and it may ask for more time") {
    World world;
    const Told late = Start(world, {"--ready", "message", "--ready-timeout", "1s"},
                            {"STATUS=waits for its \x1b[31mdatabase"});
    CHECK(late.started.code == 1);
    CHECK_MESSAGE(Contains(late.started.err,
                           "not ready within 1.0 s: it says: waits for its \\x1b[31mdatabase"),
                  late.started.err);
    world.Must({"ctl", "remove", late.name});
    const Told patient = Start(world, {"--ready", "message", "--ready-timeout", "1s", "--no-wait"},
                               {"EXTEND_TIMEOUT_USEC=120000000"});
    AwaitWorker(world, patient, "some life",
                [](const ProcessView& worker) { return worker.uptime > 2'000; });
    patient.Ask("/say?READY=1");
    world.WaitForState(patient.name, "running");
    CHECK(Worker(world, patient).restarts == 0);
  }

  TEST_CASE("a worker that says STOPPING=1 is followed at once, and its end is no crash") {
    World world;
    const Told told = Start(world, {"--min-uptime", "0s", "--drain-timeout", "30s"});
    REQUIRE_MESSAGE(told.started.code == 0, told.started.err);
    const int leaving = told.Ask("/leave");
    world.WaitForSuccessor(told.name, leaving, 1);
    const auto leaver = [&] {
      const ServiceView view = world.View(told.name);
      const auto found =
          std::find_if(view.processes.begin(), view.processes.end(),
                       [&](const ProcessView& process) { return process.pid == leaving; });
      return found == view.processes.end() ? std::string() : found->state;
    };
    CHECK(leaver() == "draining");
    CHECK(told.Ask("/") != leaving);
    // The next master knows of it, and does not ask it once more.
    world.KillMaster(told.name);
    world.WaitForState(told.name, "changing");
    CHECK(told.Ask("/") != leaving);
    CHECK(leaver() == "draining");
    CHECK(IsAlive(leaving));
    Kill(*IdentifyProcess(leaving), SIGUSR1);
    WaitUntil([&] { return leaver().empty(); }, 5'000, "its end");
    const ServiceView view = world.WaitForState(told.name, "running");
    REQUIRE(view.processes.size() == 2);
    CHECK_MESSAGE(Contains(view.processes[1].reason, "left by itself"), view.processes[1].reason);
    const std::string end = "(pid " + std::to_string(leaving) + ") expected end: exit code 0";
    WaitUntil([&] { return Contains(ReadText(world.log_folder(told.name) + "/out.log"), end); },
              5'000, "the line: " + end);
  }

  TEST_CASE("RELOADING=1 and STATUS are shown, also to the one who comes after a killed master") {
    World world;
    const Told told = Start(world, {});
    REQUIRE_MESSAGE(told.started.code == 0, told.started.err);
    const auto reload = [&](const std::string& status) {
      told.Ask("/say?RELOADING=1%0ASTATUS=" + status);
      AwaitWorker(world, told, "to be reloading",
                  [](const ProcessView& worker) { return worker.reloading; });
      CHECK(Worker(world, told).status_text == status);
      const std::string table = world.Must({"ctl", "status", told.name, "--wide"}).out;
      CHECK_MESSAGE(Contains(table, "ready, reloading"), table);
      CHECK_MESSAGE(Contains(table, "says: " + status), table);
      told.Ask("/say?READY=1");
      AwaitWorker(world, told, "not to be reloading",
                  [](const ProcessView& worker) { return !worker.reloading; });
    };
    reload("first");
    const int pid = told.Ask("/");
    world.KillMaster(told.name);
    world.WaitForState(told.name, "running");
    CHECK(told.Ask("/") == pid);
    CHECK(Worker(world, told).status_text == "first");
    reload("second");
    CHECK(told.Ask("/") == pid);
  }

  TEST_CASE("one that says something all the time costs its master little, and others are heard") {
    World world;
    const Told told = Start(world, {"--size", "2"});
    REQUIRE_MESSAGE(told.started.code == 0, told.started.err);
    const int flooding = told.Ask("/flood");
    const CpuWatch watch({world.MasterPid(told.name)});
    // Its own status is shown; the other one's is heard among it.
    const auto shown = [&](int pid) {
      for (const ProcessView& process : world.View(told.name).processes) {
        if (process.pid == pid) return process.status_text;
      }
      return std::string();
    };
    const int other = told.Ask("/say?STATUS=quiet%0ARELOADING=1");
    CHECK(other != flooding);
    WaitUntil([&] { return shown(other) == "quiet"; }, 10'000, "the other one's word");
    WaitUntil([&] { return StartsWith(shown(flooding), "the "); }, 15'000, "its own");
    CHECK(world.WaitForState(told.name, "running").state == "running");
    // 1000 notices a second at most, some of which change the state.
    CHECK(watch.Highest() < 0.3);
    world.Must({"ctl", "soft-restart", told.name});
    CHECK_FALSE(IsAlive(flooding));
  }

  TEST_CASE("with --run-as the workers' user can say something, and no other") {
    if (!Possible(::geteuid() == 0, "--run-as needs root")) return;
    World world;
    const std::string folder =
        world.MakeFolder("public", {{"app.py", ReadText(SourcePath("tests/apps/notify/app.py"))}});
    for (const std::string& path : {world.folder(), world.folder() + "/apps", folder}) {
      REQUIRE(::chmod(path.c_str(), 0755) == 0);
    }
    REQUIRE(::chmod((folder + "/app.py").c_str(), 0644) == 0);
    const Told told =
        Start(world, {"--run-as", "nobody", "--ready", "message"}, {"READY=1"}, folder + "/app.py");
    REQUIRE_MESSAGE(told.started.code == 0, told.started.err);
    const std::string address = NotifySocketOf(told.Ask("/"));
    Words other{"setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"};
    const Words say = Say(address, "STOPPING=1");
    other.insert(other.end(), say.begin(), say.end());
    const Ran refused = world.BeginProgram(other).Wait();
    CHECK(refused.code == 1);
    CHECK_MESSAGE(Contains(refused.err, "PermissionError"), refused.err);
    // Who is started as another user by the next generation has a socket of that user's.
    world.Must({"start", folder + "/app.py", "--interpreter", "python3", "--name", told.name,
                "--run-as", "daemon", "--ready", "message"});
    const std::string next = NotifySocketOf(told.Ask("/"));
    CHECK(next != address);
    world.Must({"ctl", "stop", told.name});
    CHECK_FALSE(Exists(address));
    CHECK_FALSE(Exists(next));
  }
}
