// The wish is durable: what runs and what does not survives slcd, its home is all it needs.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/doctor_expect.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

std::string WishFile(World& world, int id) {
  return world.home() + "/services/" + std::to_string(id) + ".json";
}

// slcd dies, and the file of a service that runs on is damaged before the next one comes.
void LoseWish(World& world, int id, const std::string& damage) {
  world.ExpectInLog("services/" + std::to_string(id) + ".json is unreadable");
  const auto daemon = world.Daemon();
  REQUIRE(daemon);
  // Told to leave, nobody revives it meanwhile.
  Kill(*daemon, SIGTERM);
  WaitUntil([&] { return !IsAlive(*daemon); }, 5'000, "slcd to leave");
  WriteText(WishFile(world, id), damage);
  ::unlink((WishFile(world, id) + ".prev").c_str());
}

// The file of a service is damaged in its middle, and slcd killed.
// `lost`: a file that is removed when slcd is dead, which would mend it.
void DamageAndKill(World& world, int id, const std::string& lost = "") {
  world.ExpectInLog(std::to_string(id) + ".json is damaged");
  std::string text = ReadText(WishFile(world, id));
  REQUIRE(text.size() > 300);
  text[300] = text[300] == '\x01' ? '\x02' : '\x01';
  WriteText(WishFile(world, id), text);
  world.KillDaemon();
  if (!lost.empty()) REQUIRE(::unlink(lost.c_str()) == 0);
  world.Must({"ctl", "ls"});
}

// Two services that run, in a home that is shut down.
struct Two {
  App first;
  App second;
};
Two StartTwoAndShutDown(World& world) {
  Two two;
  two.first = world.StartApp("plain/server.js", {"--size", "1", "--name", "first"});
  two.second = world.StartApp("plain/server.js", {"--size", "1", "--name", "second"});
  world.Must({"ctl", "shutdown"});
  WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
  return two;
}

}  // namespace

TEST_SUITE("wish") {
  TEST_CASE("a service whose master was sent SIGTERM stays down, and comes back by any command") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    for (const Words& command :
         {Words{"ctl", "start", app.name}, Words{"start", app.folder, "--name", app.name},
          Words{"ctl", "set-size", app.name, "2"}, Words{"ctl", "soft-restart", app.name}}) {
      INFO("slc ", command[0], " ", command[1]);
      Kill(*IdentifyProcess(world.MasterPid(app.name)), SIGTERM);
      world.WaitForState(app.name, "stopped");
      // Its master may still be on its way out.
      WaitUntil([&] { return Contains(world.View(app.name).reason, "start it with"); }, 5'000,
                "what to do about it");
      CHECK(world.Workers().empty());
      world.Must(command);
      CHECK(world.View(app.name).state == "running");
      CHECK(Get(app.url()).status == 200);
    }
    CHECK(world.ReadyPids(app.name).size() == 2);
  }

  TEST_CASE("shutdown stops everything, and slc ctl ls brings back what ran") {
    World world;
    const App runs = world.StartApp("plain/server.js", {"--size", "2", "--name", "runs"});
    const App stopped = world.StartApp("plain/server.js", {"--size", "1", "--name", "stopped"});
    world.Must({"ctl", "stop", "stopped"});
    CHECK(world.Must({"ctl", "shutdown"}).out ==
          "slcd was shut down\n  the service that ran will be started by the next slc command; "
          "`slc ctl stop` keeps one down\n");
    WaitUntil([&] { return world.Supervisors().empty(); }, 5'000, "slcd and its masters to leave");
    CHECK(world.Workers().empty());
    CHECK(Get(runs.url()).status == 0);
    CHECK(world.Must({"ctl", "ls"}).out ==
          "Id          Name         Scale\n"
          " 1          runs         1\n"
          " 2          stopped      1\n");
    world.WaitForState("runs", "running");
    CHECK(world.ReadyPids("runs").size() == 2);
    CHECK(Get(runs.url()).status == 200);
    CHECK(world.View("stopped").state == "stopped");
    CHECK(Get(stopped.url()).status == 0);
  }

  TEST_CASE("every setting is there after a restart of slcd") {
    World world;
    const std::string folder = world.MakeFolder("app", {{"app.js", kMirror}});
    const App app = world.StartPath(
        folder, {"--size", "1", "--env", "A=1", "--node", world.NodePath(18), "--node-args",
                 "--stack-trace-limit=5", "--stop-timeout", "1s", "--", "x", "y"});
    const auto settings = [&] {
      json file = json::parse(ReadText(WishFile(world, 1)));
      file["wish"].erase("order");
      return file["wish"];
    };
    const json before = settings();
    world.Must({"ctl", "shutdown"});
    world.Must({"ctl", "ls"});
    world.WaitForState("app", "running");
    CHECK(settings() == before);
    const json mirror = Get(app.url()).json();
    CHECK(mirror["argv"] == json{"x", "y"});
    CHECK(mirror["env"]["A"] == "1");
    CHECK(StartsWith(mirror["version"].get<std::string>(), "v18."));
  }

  TEST_CASE("a stopped service stays stopped when slcd is killed, a running one runs on") {
    World world;
    const App runs = world.StartApp("plain/server.js", {"--size", "1", "--name", "runs"});
    world.StartApp("plain/server.js", {"--size", "1", "--name", "stopped"});
    world.Must({"ctl", "stop", "stopped"});
    const auto pids = world.ReadyPids("runs");
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(world.View("stopped").state == "stopped");
    world.WaitForState("runs", "running");
    CHECK(world.ReadyPids("runs") == pids);
    CHECK(world.Workers().size() == 1);
  }

  TEST_CASE("SIGTERM to slcd: it leaves, services go on, nobody revives it but the next command") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const auto pids = world.ReadyPids(app.name);
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGTERM);
    WaitUntil([&] { return !IsAlive(*daemon); }, 5'000, "slcd to leave");
    CHECK(Get(app.url()).status == 200);
    CHECK_FALSE(world.Daemon());
    world.Must({"ctl", "ls"});
    world.WaitForState(app.name, "running");
    CHECK(world.ReadyPids(app.name) == pids);
    world.Must({"ctl", "soft-restart", app.name});
    CHECK(world.ReadyPids(app.name) != pids);
  }

  TEST_CASE("a removed service is not there after a restart of slcd") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "kept"});
    world.StartApp("plain/server.js", {"--size", "1", "--name", "gone"});
    world.Must({"ctl", "remove", "gone"});
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(world.Views().size() == 1);
  }

  TEST_CASE("a corrupt file: that service is reported and set aside, the other starts") {
    const std::vector<std::string> damages{"", "{", "not json at all",
                                           R"({"schema": 1, "wish": {"id": "one"}})"};
    for (const std::string& damage : damages) {
      INFO("the file now holds: " << damage);
      World world;
      const Two two = StartTwoAndShutDown(world);
      WriteText(WishFile(world, 1), damage);
      ::unlink((WishFile(world, 1) + ".prev").c_str());
      world.ExpectInLog("services/1.json is unreadable");
      const Ran list = world.Must({"ctl", "ls"});
      CHECK(Contains(list.out, " 2          second"));
      world.WaitForState("second", "running");
      CHECK(Get(two.second.url()).status == 200);
      CHECK(Get(two.first.url()).status == 0);
      const std::string status = world.Must({"ctl"}).out;
      CHECK(Contains(status, "Service ID: 1\n"));
      CHECK(Contains(status, "State: quarantined: "));
      CHECK(Contains(status, world.home() + "/services/1.json.bad"));
      CHECK(ReadText(world.home() + "/services/1.json.bad") == damage);
      // It can be started again, and as nobody knows what 1 was, it is not given to another one.
      world.Must({"start", SourcePath("tests/apps/plain/server.js"), "--name", "first", "--size",
                  "1", "--port", std::to_string(two.first.port)});
      CHECK(world.View("first").id == 3);
      CHECK(Get(two.first.url()).status == 200);
    }
  }

  TEST_CASE("a file that a newer slc wrote: that service waits for it, the other starts") {
    World world;
    const Two two = StartTwoAndShutDown(world);
    const std::string newer = R"({"schema": 99, "wish": {}})";
    WriteText(WishFile(world, 1), newer);
    world.ExpectInLog("services/1.json");
    world.Must({"ctl", "ls"});
    world.WaitForState("second", "running");
    CHECK(Contains(world.Must({"ctl"}).out, "State: quarantined: "));
    CHECK(Get(two.first.url()).status == 0);
    CHECK(ReadText(WishFile(world, 1)) == newer);
  }

  TEST_CASE("a corrupt file of a service that runs: it runs on, has its name, and can be stopped") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const App other = world.StartApp("plain/server.js", {"--size", "1", "--name", "other"});
    const auto pids = world.ReadyPids("web");
    const auto others = world.ReadyPids("other");
    LoseWish(world, 1, "not json at all");
    CHECK(world.Must({"ctl", "ls"}).out ==
          "Id          Name         Scale\n"
          " 1          web          1\n"
          " 2          other        1\n");
    const ServiceView view = world.WaitForState("web", "quarantined");
    CHECK(Contains(view.reason, "services/1.json is unreadable (this is not JSON)"));
    CHECK(Contains(view.reason, "slc ctl stop 1"));
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, 5'000, "its workers to be shown");
    CHECK(Get(app.url()).status == 200);
    world.WaitForState("other", "running");
    CHECK(world.ReadyPids("other") == others);
    // Nothing else can be done with it.
    for (const Words& words : {Words{"start", "web"},
                               {"restart", "web"},
                               {"soft-restart", "1"},
                               {"set-size", "web", "3"},
                               {"env-set", "web", "A=1"},
                               {"env-get", "web"},
                               {"npmls", "web"},
                               {"create", "web"}}) {
      Words command{"ctl"};
      command.insert(command.end(), words.begin(), words.end());
      INFO(words[0]);
      const Ran refused = world.Slc(command);
      CHECK(refused.code == 1);
      CHECK_MESSAGE(Contains(refused.err, "quarantined"), refused.err);
      CHECK(LinesOf(refused.err).size() == 1);
    }
    CHECK(world.Slc({"logs", "web"}).code == 0);
    CHECK(world.ReadyPids("web") == pids);
    const Ran stopped = world.Must({"ctl", "stop", "web"});
    CHECK(Contains(stopped.out, "Service \"web\" hard stopped"));
    CHECK(Get(app.url()).status == 0);
    CHECK(world.Workers().size() == 1);
    CHECK(world.View("1").state == "quarantined");
    world.Must({"ctl", "stop", "1"});
    const Ran removed = world.Must({"ctl", "remove", "1"});
    CHECK(Contains(removed.out, world.home() + "/services/1.json.removed"));
    CHECK(ReadText(world.home() + "/services/1.json.removed") == "not json at all");
    CHECK(Get(other.url()).status == 200);
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(world.Views().size() == 1);
  }

  TEST_CASE(
      "a corrupt file of a service that runs: its master is replaced, and slcd may die again") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    LoseWish(world, 1, "");
    // The only service of its home.
    CHECK(Contains(world.Must({"ctl", "ls"}).out, " 1          web"));
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, 5'000, "its workers to be shown");
    world.KillMaster("web");
    WaitUntil([&] { return Contains(world.DaemonLog(), "has taken over 2 workers"); }, 10'000,
              "a new master");
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, 5'000, "its workers to be shown");
    CHECK(Get(app.url()).status == 200);
    const Ran removed = world.Must({"ctl", "remove", "web"});
    CHECK(Contains(removed.out, world.home() + "/logs/web"));
    CHECK(world.Workers().empty());
    CHECK(world.Must({"ctl", "ls"}).out == "No services defined\n");
  }

  TEST_CASE("a corrupt file of a service that runs: starting its app again repairs it") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2", "--env", "A=1", "--max-restarts", "7"});
    const auto pids = world.ReadyPids("web");
    const auto master = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(master);
    LoadClient load(world, {"connections=4,url=" + app.url()});
    LoseWish(world, 1, "{");
    // What the master obeys is not known yet when the start comes: it waits for that.
    Kill(*master, SIGSTOP);
    world.Must({"ctl", "ls"});
    CHECK(Contains(world.View("web").reason, "has not answered yet"));
    Running start = world.Begin({"start", folder});
    const auto asks = [&] {
      const auto files = OpenFiles(start.pid());
      return std::find(files.begin(), files.end(), "socket") != files.end();
    };
    WaitUntil(asks, 5'000, "the start to be asked for");
    CHECK(world.View("web").state == "quarantined");
    Kill(*master, SIGCONT);
    const Ran& started = start.Wait(20'000);
    CHECK_MESSAGE(started.code == 0, started.err);
    CHECK_MESSAGE(Contains(started.out, "repaired: services/1.json"), started.out);
    CHECK_MESSAGE(Contains(started.out, "unless .env has them: A (slc ctl env-set web"),
                  started.out);
    CHECK(load.Stop().failed() == 0);
    const ServiceView view = world.View("web");
    CHECK(view.id == 1);
    CHECK(view.state == "running");
    CHECK(view.generation == 2);
    CHECK(view.size == "2");
    CHECK(world.ReadyPids("web") != pids);
    CHECK(Get(app.url()).json()["env"].count("A") == 0);
    CHECK(world.Workers().size() == 2);
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    world.Must({"ctl", "env-set", "web", "A=2"});
    CHECK(Get(app.url()).json()["env"]["A"] == "2");
  }

  TEST_CASE(
      "a corrupt file of a service whose master is gone too: it is cleared away, not started") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    const auto master = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(master);
    LoseWish(world, 1, "{");
    Kill(*master);
    WaitUntil([&] { return world.Workers().empty(); }, 10'000, "the worker to end with its master");
    world.Must({"ctl", "ls"});
    const ServiceView view = world.View("1");
    CHECK(view.state == "quarantined");
    CHECK(Contains(view.reason, "nothing of it runs"));
    CHECK(Get(app.url()).status == 0);
    world.Must({"start", SourcePath("tests/apps/plain/server.js"), "--name", "web", "--size", "1",
                "--port", std::to_string(app.port)});
    CHECK(world.View("web").id == 2);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("a file that was edited badly by hand still has its name, and a start repairs it") {
    World world;
    const Two two = StartTwoAndShutDown(world);
    std::string text = ReadText(WishFile(world, 1));
    text.erase(text.rfind(','), 1);
    WriteText(WishFile(world, 1), text);
    ::unlink((WishFile(world, 1) + ".prev").c_str());
    world.ExpectInLog("services/1.json is unreadable");
    CHECK(Contains(world.Must({"ctl", "ls"}).out, " 1          first"));
    CHECK(world.View("first").state == "quarantined");
    world.Must({"start", SourcePath("tests/apps/plain/server.js"), "--name", "first", "--size", "1",
                "--port", std::to_string(two.first.port)});
    CHECK(world.View("first").id == 1);
    CHECK(Get(two.first.url()).status == 200);
    world.WaitForState("second", "running");
  }

  TEST_CASE("a file whose content does not fit its checksum is not believed") {
    World world;
    const Two two = StartTwoAndShutDown(world);
    std::string text = ReadText(WishFile(world, 1));
    const std::size_t at = text.find("server.js");
    REQUIRE(at != std::string::npos);
    text.replace(at, 9, "server.sj");
    WriteText(WishFile(world, 1), text);
    ::unlink((WishFile(world, 1) + ".prev").c_str());
    world.ExpectInLog("services/1.json is unreadable");
    world.Must({"ctl", "ls"});
    CHECK(Contains(world.Must({"ctl"}).out, "checksum"));
    world.WaitForState("second", "running");
  }

  TEST_CASE("of a damaged file the previous version is used, which slcd says in its log") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "set-size", "web", "2"});
    world.Must({"ctl", "shutdown"});
    REQUIRE(Exists(WishFile(world, 1) + ".prev"));
    WriteText(WishFile(world, 1), "{");
    world.ExpectInLog("1.json is damaged");
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    CHECK(world.ReadyPids("web").size() == 1);
    CHECK(Contains(world.DaemonLog(), "its previous version is used"));
  }

  TEST_CASE("after a fallback to the previous version a soft restart replaces every worker") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1"});
    world.Must({"ctl", "env-set", "web", "G=new"});
    world.Must({"ctl", "set-size", "web", "2"});
    world.Must({"ctl", "env-set", "web", "H=newer"});
    const auto pids = world.ReadyPids("web");
    LoadClient load(world, {"connections=4,url=" + app.url()});
    DamageAndKill(world, 1);
    const std::string status = world.Must({"ctl", "status", "web"}).out;
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, 5'000, "its workers to be shown");
    WaitUntil(
        [&] {
          return Contains(world.Must({"ctl", "status", "web"}).out,
                          "may be lost: the next restart would bring env H removed");
        },
        5'000, "the difference to be shown");
    CHECK(Contains(status, "Record: services/1.json was found damaged at "));
    CHECK(Contains(world.Must({"why", "web"}).out, "services/1.json was found damaged at "));
    CHECK(Contains(world.Must({"events"}).out, "its record was damaged: services/1.json"));
    ExpectFinding(world, "state", "wrong", "env H removed");
    // It is told by each slcd, until somebody has seen to it.
    world.KillDaemon();
    CHECK(Contains(world.Must({"ctl", "status"}).out, "Record: services/1.json"));
    ExpectFinding(world, "state", "wrong", "slc ctl soft-restart web");
    const Ran rolled = world.Must({"ctl", "soft-restart", "web"});
    CHECK_MESSAGE(Contains(rolled.out, "services/1.json.damaged"), rolled.out);
    for (const int pid : world.ReadyPids("web")) {
      CHECK(std::find(pids.begin(), pids.end(), pid) == pids.end());
    }
    CHECK(world.ReadyPids("web").size() == 2);
    CHECK(load.Stop().failed() == 0);
    const json env = Get(app.url()).json()["env"];
    CHECK(env["G"] == "new");
    CHECK(env.count("H") == 0);
    CHECK_FALSE(Contains(world.Must({"ctl", "status"}).out, "Record:"));
    CHECK_FALSE(Contains(world.Must({"why", "web"}).out, "damaged at"));
    ExpectFinding(world, "state", "ok", "1 service, readable");
    CHECK(Exists(WishFile(world, 1) + ".damaged"));
  }

  TEST_CASE(
      "after a fallback a port that was lost is given again by a start, while the master is "
      "silent at first") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1"});
    const std::uint16_t port = FreePort();
    const Words start{"start", folder, "--port", std::to_string(port)};
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
    world.Must(start);
    const auto pids = world.ReadyPids("web");
    const auto master = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(master);
    // What the master obeys is not known yet when the start comes: it waits for that.
    Kill(*master, SIGSTOP);
    DamageAndKill(world, 1);
    CHECK(world.View("web").state == "adopting");
    Running again = world.Begin(start);
    const auto asks = [&] {
      const auto files = OpenFiles(again.pid());
      return std::find(files.begin(), files.end(), "socket") != files.end();
    };
    WaitUntil(asks, 5'000, "the start to be asked for");
    Kill(*master, SIGCONT);
    const Ran& started = again.Wait(20'000);
    CHECK_MESSAGE(started.code == 0, started.err);
    CHECK(world.ReadyPids("web") != pids);
    CHECK(world.ReadyPids("web").size() == 1);
    CHECK(world.View("web").port == port);
    CHECK(world.View("web").damage.empty());
    CHECK(Get(url).status == 200);
    world.Must({"ctl", "restart", "web"});
    CHECK(Get(url).status == 200);
    CHECK(world.View("web").generation == 4);
  }

  TEST_CASE("after a fallback a change is refused whose master cannot be asked what it obeys") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    world.Must({"ctl", "set-size", "web", "1"});
    const auto pids = world.ReadyPids("web");
    const auto master = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(master);
    world.ExpectInLog("cannot tell whether its master lives");
    DamageAndKill(world, 1, world.home() + "/run/instances/1/master.sock");
    const Ran refused = world.Slc({"ctl", "soft-restart", "web"});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(Contains(refused.err, "its master has not told for 10 s what it obeys; nothing"),
                  refused.err);
    // The patience, and a second of a busy machine.
    CHECK(refused.took < 11'000);
    CHECK(world.View("web").generation == 1);
    // One that comes later waits on its own, and is done when there is nobody to be asked any more.
    Running later = world.Begin({"ctl", "soft-restart", "web"});
    const auto asks = [&] {
      const auto files = OpenFiles(later.pid());
      return std::find(files.begin(), files.end(), "socket") != files.end();
    };
    WaitUntil(asks, 5'000, "the soft restart to be asked for");
    Kill(*master, SIGTERM);
    const Ran& done = later.Wait(20'000);
    CHECK_MESSAGE(done.code == 0, done.err);
    CHECK(world.View("web").damage.empty());
    CHECK(world.ReadyPids("web") != pids);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("a file without checksum was edited by hand and counts") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    world.Must({"ctl", "shutdown"});
    json file = json::parse(ReadText(WishFile(world, 1)));
    file.erase("crc32c");
    file["wish"]["size"] = "2";
    WriteText(WishFile(world, 1), file.dump());
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    CHECK(world.ReadyPids("web").size() == 2);
  }

  TEST_CASE("a folder that is gone at the next start is that service's trouble alone") {
    World world;
    const std::string folder = world.MakeFolder("gone", {{"app.js", kMirror}});
    world.StartPath(folder, {"--size", "1"});
    const App good = world.StartApp("plain/server.js", {"--size", "1", "--name", "good"});
    world.Must({"ctl", "shutdown"});
    REQUIRE(::rename(folder.c_str(), (folder + "-moved").c_str()) == 0);
    world.ExpectInLog("service gone: ");
    world.Must({"ctl", "ls"});
    world.WaitForState("good", "running");
    CHECK(Get(good.url()).status == 200);
    const ServiceView view = world.WaitForState("gone", "backoff");
    CHECK(Contains(view.reason, folder));
    const Ran refused = world.Slc({"ctl", "start", "gone"});
    CHECK(refused.code == 1);
    CHECK(Contains(refused.err, folder));
    // Back in its place it can be started.
    REQUIRE(::rename((folder + "-moved").c_str(), folder.c_str()) == 0);
    world.Must({"ctl", "start", "gone"});
    CHECK(world.View("gone").state == "running");
  }

  TEST_CASE("what is missing when slcd starts is tried again, and comes up when it is mended") {
    World world;
    const std::string folder = world.MakeFolder("late", {{"app.js", kMirror}});
    const std::string script = folder + "/app.js";
    world.StartPath(folder, {"--size", "1"});
    const auto aside = [](const std::string& path) { return path + "-aside"; };
    // A folder that is mounted late, and a script that a deployment has not brought yet.
    for (const std::string& missing : {folder, script}) {
      INFO(missing);
      world.ExpectInLog("service late: ");
      world.Must({"ctl", "shutdown"});
      WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
      REQUIRE(::rename(missing.c_str(), aside(missing).c_str()) == 0);
      world.Must({"ctl", "ls"});
      // The second try has failed, too: it says when the third is.
      WaitUntil([&] { return Contains(world.View("late").reason, "; next try in 1."); }, 10'000,
                "a pause of 2 s");
      const std::string why = world.Slc({"why", "late"}).out;
      CHECK_MESSAGE(Contains(why, missing), why);
      CHECK_MESSAGE(Contains(why, "tried again until it works"), why);
      REQUIRE(::rename(aside(missing).c_str(), missing.c_str()) == 0);
      world.WaitForState("late", "running", 10'000);
      CHECK(world.ReadyPids("late").size() == 1);
    }
    CHECK(Contains(world.Must({"events"}).out, "tried again until it works"));
    // Who is told to stop is not tried any more.
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 5'000, "slcd to leave");
    REQUIRE(::rename(script.c_str(), aside(script).c_str()) == 0);
    world.Must({"ctl", "ls"});
    world.WaitForState("late", "backoff");
    world.Must({"ctl", "stop", "late"});
    REQUIRE(::rename(aside(script).c_str(), script.c_str()) == 0);
    CHECK(world.View("late").state == "stopped");
    world.Must({"ctl", "start", "late"});
    CHECK(world.ReadyPids("late").size() == 1);
  }

  TEST_CASE("home and state are nobody else's to read") {
    World world;
    world.StartApp("plain/server.js", {"--size", "0", "--name", "web", "--env", "SECRET=1"});
    struct stat info {};
    for (const char* folder :
         {"", "/services", "/logs", "/run", "/run/instances", "/run/instances/1"}) {
      REQUIRE(::stat((world.home() + folder).c_str(), &info) == 0);
      CHECK_MESSAGE((info.st_mode & 0777) == 0700, folder);
    }
    for (const char* file : {"/services/1.json", "/run/slcd.sock", "/logs/slcd.log"}) {
      REQUIRE(::stat((world.home() + file).c_str(), &info) == 0);
      CHECK_MESSAGE((info.st_mode & 0077) == 0, file);
    }
    CHECK_FALSE(Contains(world.DaemonLog(), "SECRET"));
  }

  TEST_CASE("a home of more than 108 bytes works") {
    World world;
    std::string home = world.folder();
    while (home.size() < 300) home += "/a-rather-long-name-of-a-folder";
    world.env()["SLC_HOME"] = home;
    const std::string port = std::to_string(FreePort());
    world.Must({"start", SourcePath("tests/apps/plain/server.js"), "--size", "1", "--port", port});
    CHECK(Get("http://127.0.0.1:" + port).status == 200);
    CHECK(Contains(world.Must({"ctl", "ls"}).out, "server"));
    world.Must({"ctl", "soft-restart", "server"});
    world.Must({"ctl", "shutdown"});
  }

  TEST_CASE("an app in a folder with blanks, quotes and umlauts runs") {
    World world;
    const std::string folder =
        world.MakeFolder("it's a \"f\xc3\xb6lder\" $HOME", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1", "--name", "odd"});
    CHECK(Get(app.url()).json()["cwd"] == folder);
  }

  TEST_CASE("a symbolic link as app folder is resolved anew by each generation") {
    World world;
    const std::string one = world.MakeFolder("release-1", {{"app.js", kMirror}});
    const std::string two = world.MakeFolder("release-2", {{"app.js", kMirror}});
    const std::string current = world.folder() + "/apps/current";
    REQUIRE(::symlink(one.c_str(), current.c_str()) == 0);
    const App app = world.StartPath(current, {"--size", "1"});
    CHECK(app.name == "current");
    CHECK(Get(app.url()).json()["cwd"] == one);
    REQUIRE(::unlink(current.c_str()) == 0);
    REQUIRE(::symlink(two.c_str(), current.c_str()) == 0);
    world.Must({"ctl", "soft-restart", "current"});
    CHECK(Get(app.url()).json()["cwd"] == two);
  }
}
