// The journal and slc events: who changed what, what happened, and that it survives everything.
#include "common/model/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

std::vector<json> Events(World& world, const Words& more = {}, const Options& options = {}) {
  Words words{"events", "--json", "-n", "1000"};
  words.insert(words.end(), more.begin(), more.end());
  std::vector<json> events;
  for (const std::string& line : LinesOf(world.Must(words, options).out)) {
    events.push_back(json::parse(line));
  }
  return events;
}

std::vector<json> OfKind(const std::vector<json>& events, const std::string& kind) {
  std::vector<json> some;
  std::copy_if(events.begin(), events.end(), std::back_inserter(some),
               [&](const json& event) { return event["kind"] == kind; });
  return some;
}

// A record goes to the disk behind the answer.
std::vector<json> WaitForKind(World& world, const std::string& kind, std::size_t count = 1) {
  std::vector<json> some;
  WaitUntil(
      [&] {
        some = OfKind(Events(world), kind);
        return some.size() >= count;
      },
      10'000, std::to_string(count) + " events " + kind);
  return some;
}

// "start accepted", "start ok", ...
std::vector<std::string> Changes(const std::vector<json>& events) {
  std::vector<std::string> changes;
  for (const json& event : OfKind(events, "change")) {
    changes.push_back(event["verb"].get<std::string>() + " " + event["result"].get<std::string>());
  }
  return changes;
}

constexpr const char* kCrashing = R"(
require('http').createServer((request, response) => {
  response.end(String(process.pid));
  if (request.url === '/crash') process.exit(7);
}).listen(process.env.PORT);
)";

std::uint16_t StartCrashing(World& world, const Words& options = {}) {
  const std::uint16_t port = FreePort();
  Words words{"start",  world.MakeFolder("web", {{"app.js", kCrashing}}),
              "--size", "1",
              "--port", std::to_string(port)};
  words.insert(words.end(), options.begin(), options.end());
  world.Must(words);
  return port;
}

}  // namespace

TEST_SUITE("journal") {
  TEST_CASE("each change is on record, with its author and its outcome, and no secret") {
    World world;
    StartCrashing(world, {"--env", "TOKEN=s3cret"});
    world.Must({"ctl", "env-set", "web", "KEY=s3cret"});
    world.Must({"ctl", "set-size", "web", "2", "--no-wait"});
    CHECK(world.Slc({"ctl", "stop", "nope"}).code == 1);
    world.Must({"ctl", "stop", "web"});
    world.Must({"ctl", "remove", "web"});
    world.Must({"ctl", "shutdown"});
    const auto events = Events(world);
    CHECK(Changes(events) ==
          std::vector<std::string>{"start accepted", "start ok", "env-set accepted", "env-set ok",
                                   "set-size ok", "stop not_found", "stop accepted", "stop ok",
                                   "remove accepted", "remove ok", "shutdown ok"});
    CHECK(OfKind(events, "daemon_stopping").size() == 1);
    for (const json& change : OfKind(events, "change")) {
      CHECK(change["who"]["uid"] == ::getuid());
      CHECK(change["who"]["pid"].get<int>() > 0);
      if (::getuid() == 0) CHECK(change["who"]["user"] == "root");
    }
    for (const char* kind :
         {"daemon_started", "master_launched", "worker_ready", "running", "stopped"}) {
      CHECK_MESSAGE(OfKind(events, kind).size() > 0, kind);
    }
    const std::string file = ReadText(world.home() + "/journal");
    CHECK_FALSE(Contains(file, "s3cret"));
    CHECK(Contains(file, "TOKEN"));
    CHECK(Contains(file, "set KEY"));
    struct stat info {};
    REQUIRE(::stat((world.home() + "/journal").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    const std::string text = world.Must({"events", "web"}).out;
    CHECK(Contains(text, "env-set done after"));
    CHECK_FALSE(Contains(text, "slcd started"));
  }

  TEST_CASE("a crash is on record with its worker, how it ended, and what followed") {
    World world;
    const std::uint16_t port = StartCrashing(world);
    const int pid = world.ReadyPids("web").at(0);
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/crash").body == std::to_string(pid));
    const json end = WaitForKind(world, "worker_ended").at(0);
    CHECK(end["pid"] == pid);
    CHECK(end["worker"] == 1);
    CHECK(end["status"] == 7 << 8);
    CHECK(end["text"] == "exit code 7");
    CHECK(end["service"] == "web");
    CHECK(WaitForKind(world, "worker_ready", 2).at(1)["worker"] == 2);
    CHECK(OfKind(Events(world), "backoff_left").size() == 1);
  }

  TEST_CASE("kill -9 of slcd and of a master without systemd: the next slcd records what ended") {
    World world;
    StartCrashing(world);
    WaitForKind(world, "running");
    const int slcd = world.Daemon()->pid;
    const auto master = *IdentifyProcess(world.MasterPid("web"));
    // slcd first: it would have a successor take the workers over.
    world.KillDaemon();
    Kill(master);
    WaitUntil([&] { return !IsAlive(master); }, 10'000, "the end of the master");
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    const json gone = WaitForKind(world, "all_gone").at(0);
    CHECK(gone["service"] == "web");
    CHECK(StartsWith(gone["text"].get<std::string>(),
                     "since when is not known; the last record of it is of 2"));
    CHECK(Contains(OfKind(Events(world), "daemon_started").at(1)["text"],
                   "the one before (pid " + std::to_string(slcd) + ") had ended without telling"));
    WaitForKind(world, "running", 2);
    const json why = world.Json({"why", "web"});
    CHECK(why["last_end"]["kind"] == "all_gone");
    const std::string text = world.Must({"why", "web"}).out;
    CHECK(Contains(text, "all its processes were gone when slcd started"));
    CHECK(Contains(text, "1 unasked end on record since"));

    // What ended because somebody wanted it is no such end, and a master that goes on none at all.
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 10'000, "the end of slcd");
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    WaitForKind(world, "running", 3);
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    WaitForKind(world, "master_adopted");
    const auto events = Events(world);
    CHECK(OfKind(events, "all_gone").size() == 1);
    const auto starts = OfKind(events, "daemon_started");
    REQUIRE(starts.size() == 4);
    CHECK_FALSE(Contains(starts[2]["text"], "the one before"));
    CHECK(Contains(starts[3]["text"], "the one before"));
  }

  TEST_CASE("after a power cut that has damaged its record, too, it is told that a service ended") {
    World world;
    StartCrashing(world);
    WaitForKind(world, "running");
    world.Must({"ctl", "set-size", "web", "2"});
    const auto master = *IdentifyProcess(world.MasterPid("web"));
    world.KillDaemon();
    Kill(master);
    WaitUntil([&] { return !IsAlive(master); }, 10'000, "the end of the master");
    WriteText(world.home() + "/services/1.json", "{");
    world.ExpectInLog("1.json is damaged");
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    CHECK(WaitForKind(world, "all_gone").at(0)["service"] == "web");
    CHECK(OfKind(Events(world), "fallen_back").size() == 1);
    // What is not to run has not ended.
    world.Must({"ctl", "stop", "web"});
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK(OfKind(Events(world), "all_gone").size() == 1);
  }

  TEST_CASE("a machine that was started anew is told as that") {
    World world;
    StartCrashing(world);
    WaitForKind(world, "running");
    const auto master = *IdentifyProcess(world.MasterPid("web"));
    world.KillDaemon();
    Kill(master);
    WaitUntil([&] { return !IsAlive(master); }, 10'000, "the end of the master");
    // The journal of another boot.
    std::string text;
    for (const std::string& line : LinesOf(ReadText(world.home() + "/journal"))) {
      auto record = DecodeJournalLine(line);
      REQUIRE(record);
      if (!record->boot.empty()) record->boot = "another";
      text += EncodeJournalLine(*record);
    }
    WriteText(world.home() + "/journal", text);
    world.Must({"ctl", "ls"});
    world.WaitForState("web", "running");
    CHECK(WaitForKind(world, "all_gone").at(0)["text"] == "the machine was started anew");
    CHECK(Contains(WaitForKind(world, "daemon_started", 2).at(1)["text"],
                   "the machine was started anew"));
  }

  TEST_CASE(
      "a worker that ends after a soft restart begins none, and one that must be killed is told") {
    World world;
    const std::string folder = world.MakeFolder(
        "web", {{"app.js",
                 "process.on('SIGTERM', () => {});\n"
                 "require('http').createServer((a, b) => b.end('x')).listen(process.env.PORT);\n"
                 "setInterval(() => {}, 1000);"}});
    world.Must({"start", folder, "--size", "1", "--port", std::to_string(FreePort()),
                "--stop-timeout", "300ms"});
    const int first = world.ReadyPids("web").at(0);
    const std::string done = world.Must({"ctl", "soft-restart", "web"}).out;
    const std::string killed =
        "(pid " + std::to_string(first) +
        ") was killed (SIGKILL): it had not ended 0.3 s after its stop signal";
    CHECK_MESSAGE(Contains(done, killed), done);
    const json record = WaitForKind(world, "worker_killed").at(0);
    CHECK(record["pid"] == first);
    CHECK(Contains(world.Must({"events"}).out,
                   "(pid " + std::to_string(first) + ") killed (SIGKILL): it had not ended"));
    WaitForKind(world, "roll_done");
    Kill(*IdentifyProcess(world.ReadyPids("web").at(0)));
    WaitForKind(world, "worker_ready", 3);
    WaitForKind(world, "backoff_left");
    CHECK(OfKind(Events(world), "roll_begun").size() == 1);
    CHECK(OfKind(Events(world), "roll_done").size() == 1);
  }

  TEST_CASE("a roll that fails is on record, and a worker that is given up") {
    World world;
    const std::string folder = world.MakeFolder("web", {{"app.js", kCrashing}});
    world.Must({"start", folder, "--size", "1", "--port", std::to_string(FreePort())});
    WriteText(folder + "/app.js", "setInterval(() => {}, 1000);");
    CHECK(world.Slc({"start", folder, "--ready-timeout", "1s"}).code == 1);
    const json given_up = WaitForKind(world, "worker_given_up").at(0);
    CHECK(Contains(given_up["text"], "not ready within 1.0 s"));
    const auto events = Events(world);
    CHECK(OfKind(events, "roll_begun").size() == 1);
    CHECK(Contains(OfKind(events, "roll_failed").at(0)["text"], "not ready within 1.0 s"));
    CHECK(Changes(events).back() == "start not_ready");
  }

  TEST_CASE("what happened without slcd is told when it is back, at its own time") {
    World world;
    const std::uint16_t port = StartCrashing(world, {"--min-uptime", "0ms"});
    const int pid = world.ReadyPids("web").at(0);
    world.KillDaemon();
    const Millis before = WallNow();
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/crash").status == 200);
    WaitUntil(
        [&] {
          const std::string body = Get("http://127.0.0.1:" + std::to_string(port)).body;
          return !body.empty() && body != std::to_string(pid);
        },
        10'000, "a successor");
    const Millis after = WallNow();
    world.Must({"ctl", "ls"});
    const json end = WaitForKind(world, "worker_ended").at(0);
    CHECK(end["pid"] == pid);
    const Millis time = ParseIso(end["time"]);
    CHECK(time >= before);
    CHECK(time <= after);
    CHECK(WaitForKind(world, "master_adopted").size() == 1);
    CHECK(OfKind(Events(world), "worker_ready").size() == 2);
  }

  TEST_CASE("kill -9 of slcd loses no record that was there") {
    World world;
    StartCrashing(world);
    std::size_t known = 0;
    for (int blow = 0; blow < 8; ++blow) {
      const std::size_t lines = LinesOf(ReadText(world.home() + "/journal")).size();
      Running change = world.Begin({"ctl", "env-set", "web", "N=" + std::to_string(blow)});
      // At ever another place of the change.
      WaitUntil(
          [&] {
            return LinesOf(ReadText(world.home() + "/journal")).size() >=
                   lines + static_cast<std::size_t>(blow % 4);
          },
          10'000, "records of the change");
      world.KillDaemon();
      const std::string before = ReadText(world.home() + "/journal");
      CHECK(change.Wait().code == 0);  // the client asks the next slcd again
      const auto events = Events(world);
      CHECK(StartsWith(ReadText(world.home() + "/journal"), before));
      CHECK(events.size() > known);
      known = events.size();
      WaitUntil([&] { return Changes(Events(world)).back() == "env-set ok"; }, 10'000,
                "the record of the answer");
    }
    CHECK_FALSE(Exists(world.home() + "/journal.bad"));
  }

  TEST_CASE("a torn last line is cut off") {
    World world;
    world.Must({"ctl", "create", "x"});
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 10'000, "the end of slcd");
    const std::string before = ReadText(world.home() + "/journal");
    WriteText(world.home() + "/journal", before + R"({"time":"2026-01-01T00)");
    CHECK(Events(world).size() == LinesOf(before).size());
    world.Must({"ctl", "set-size", "x", "2"});
    WaitForKind(world, "daemon_started", 2);
    const std::string after = ReadText(world.home() + "/journal");
    CHECK(StartsWith(after, before + R"({"time":"2)"));
    CHECK_FALSE(Contains(after, "2026-01-01"));
    CHECK_FALSE(Exists(world.home() + "/journal.bad"));
  }

  TEST_CASE("a damaged journal stops nothing: it is set aside, with a warning") {
    World world;
    StartCrashing(world);
    world.Must({"ctl", "stop", "web"});
    world.Must({"ctl", "shutdown"});
    std::string text = ReadText(world.home() + "/journal");
    const std::size_t place = text.find("worker_ready");
    REQUIRE(place != std::string::npos);
    text[place] = 'W';
    WriteText(world.home() + "/journal", text);
    const auto before = Events(world);
    CHECK(before.size() == LinesOf(text).size() - 1);
    world.ExpectInLog("damaged lines");
    world.Must({"ctl", "start", "web"});
    CHECK(WaitForKind(world, "running", 2).size() == 2);
    CHECK(ReadText(world.home() + "/journal.bad") == text);
    const auto after = Events(world);
    CHECK(std::equal(before.begin(), before.end(), after.begin()));
  }

  TEST_CASE("slc events -f goes on over the end of slcd and over a journal that is put aside") {
    World world;
    StartCrashing(world);
    Running follow = world.Begin({"events", "-f", "--json", "-n", "0"});
    const auto sees = [&](const std::string& part) {
      WaitUntil([&] { return Contains(follow.out(), part); }, 10'000, part);
    };
    // It has begun when it tells the first of these.
    WaitUntil(
        [&] {
          world.Must({"ctl", "set-size", "web", follow.out().size() % 2 == 0 ? "2" : "1"});
          return Contains(follow.out(), "set-size");
        },
        10'000, "a change is followed");
    world.KillDaemon();
    world.Must({"ctl", "env-set", "web", "AFTER_KILL=1", "--no-restart"});
    sees("AFTER_KILL");
    REQUIRE(::rename((world.home() + "/journal").c_str(), (world.home() + "/journal.1").c_str()) ==
            0);
    world.Must({"ctl", "env-set", "web", "AFTER_RENAME=1", "--no-restart"});
    sees("AFTER_RENAME");
    follow.Signal(SIGINT);
    CHECK(follow.Wait().code == 0);
    auto lines = LinesOf(follow.out());
    std::sort(lines.begin(), lines.end());
    CHECK(std::adjacent_find(lines.begin(), lines.end()) == lines.end());
  }

  TEST_CASE("without slcd it reads the files, and of an empty home says so") {
    World world;
    Ran none = world.Must({"events"});
    CHECK(none.out == "");
    CHECK(Contains(none.err, "no events"));
    world.Must({"ctl", "create", "x"});
    WaitForKind(world, "change");
    world.Must({"ctl", "shutdown"});
    WaitUntil([&] { return !world.Daemon(); }, 10'000, "the end of slcd");
    CHECK(Contains(world.Must({"events", "x"}).out, "create done"));
    CHECK(Contains(world.Must({"events", "1"}).out, "create done"));
    CHECK_FALSE(world.Daemon());
  }

  TEST_CASE("what root does to a user's services is on record as root's") {
    if (!Possible(::geteuid() == 0, "only root can be two users")) return;
    World world;
    const std::string home = world.folder() + "/nobodys";
    REQUIRE(::mkdir(home.c_str(), 0700) == 0);
    REQUIRE(::chown(home.c_str(), 65534, 65534) == 0);
    REQUIRE(::chmod(world.folder().c_str(), 0711) == 0);
    const Options theirs{.cwd = "/", .env = {{"SLC_HOME", home}}};
    const Ran made = world
                         .BeginProgram({"setpriv", "--reuid=65534", "--regid=65534",
                                        "--clear-groups", BinaryPath("slc"), "ctl", "create", "x"},
                                       theirs)
                         .Wait();
    REQUIRE_MESSAGE(made.code == 0, made.err);
    const std::string socket = home + "/run/slcd.sock";
    world.Must({"ctl", "-C", socket, "set-size", "x", "3"});
    std::vector<json> changes;
    WaitUntil(
        [&] {
          changes = OfKind(Events(world, {"-C", socket}), "change");
          return changes.size() >= 2;
        },
        10'000, "both changes");
    CHECK(changes.at(0)["who"]["uid"] == 65534);
    CHECK(changes.at(0)["who"]["user"] == "nobody");
    CHECK(changes.back()["verb"] == "set-size");
    CHECK(changes.back()["who"]["uid"] == 0);
    CHECK(changes.back()["who"]["user"] == "root");
    world.Must({"ctl", "-C", socket, "shutdown"});
  }

  TEST_CASE("a full disk costs no change its answer, and the journal goes on when there is room") {
    if (!Possible(::geteuid() == 0, "only root can mount")) return;
    World world;
    const std::string tiny = world.folder() + "/tiny";
    const std::string script = world.folder() + "/hold.sh";
    WriteText(script,
              "mkdir -p \"$1\" && mount -t tmpfs -o size=512k,mode=700 none \"$1\" && echo ready\n"
              "exec tail -f /dev/null\n");
    Running holder = world.BeginProgram({"unshare", "--mount", "/bin/sh", script, tiny});
    WaitUntil([&] { return Contains(holder.out(), "ready"); }, 10'000, "a mounted home");
    const auto inside = [&](Words command) {
      Words words{"nsenter", "--mount=/proc/" + std::to_string(holder.pid()) + "/ns/mnt", "--"};
      words.insert(words.end(), command.begin(), command.end());
      return world.BeginProgram(words, {.env = {{"SLC_HOME", tiny}}}).Wait();
    };
    const std::string slc = BinaryPath("slc");
    const Ran started = inside({slc, "start", world.MakeFolder("web", {{"app.js", kCrashing}}),
                                "--size", "1", "--port", std::to_string(FreePort())});
    REQUIRE_MESSAGE(started.code == 0, started.err);
    inside({"/bin/sh", "-c", "cat /dev/zero >" + tiny + "/fill"});
    const auto recorded = [&] {
      const auto lines = LinesOf(inside({slc, "events", "-n", "1000"}).out);
      return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
        return Contains(line, "set-size failed");
      });
    };
    // More than the last page of the journal may have room for.
    constexpr int kRefused = 30;
    for (int i = 0; i < kRefused; ++i) {
      const Ran refused = inside({slc, "ctl", "set-size", "web", "2"});
      CHECK(refused.code == 1);
      CHECK_MESSAGE(Contains(refused.err, "No space left"), refused.err);
    }
    CHECK(inside({slc, "ctl", "ls"}).code == 0);
    CHECK(recorded() < kRefused);
    REQUIRE(inside({"rm", tiny + "/fill"}).code == 0);
    // It is tried again each second.
    WaitUntil([&] { return recorded() == kRefused; }, 5'000, "the records of what was refused");
    WaitUntil(
        [&] {
          return Contains(inside({slc, "events"}).out, "recorded again");
        },
        5'000, "the end of the trouble on record");
    CHECK(inside({slc, "ctl", "set-size", "web", "3"}).code == 0);
    CHECK(inside({slc, "ctl", "shutdown"}).code == 0);
    CHECK(Contains(inside({slc, "events"}).out, "set-size done"));
  }
}
