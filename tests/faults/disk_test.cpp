// A disk that is full, read-only, broken or silent below the home: services run on and serve,
// changes are refused with a clear word, a stop works all the same, and all is well soon after the
// trouble ends.
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <functional>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/faults/loop_disk.h"
#include "tests/faults/numbered_log.h"

using namespace slc;
using namespace slc::test;

namespace {

// What the issue allows.
constexpr Millis kWellWithin = 5'000;
// slcd's patience with its disk, and a second of a busy machine.
constexpr Millis kAnswered = 11'000;
constexpr Millis kLooks = 1'000;
// As whenever a master is killed: a moment for its successor's start on two busy cores.
constexpr Millis kSuccessor = 1'000;

// So many answers in each lane while the disk is in trouble: the lanes with 20 requests per second
// take 3 s for them, in the long form 10 s.
std::int64_t Answers() { return Long() ? 200 : 60; }

struct Trouble {
  std::string reason;        // in the words of the refusal
  bool durable_stop = true;  // a stop can be recorded all the same
  bool hangs = false;
  bool takes_logs = false;  // all the same
  std::function<void()> begin;
  std::function<void()> end;
};

// A master is killed while its disk hangs: what its successor needs from the disk must not keep it
// from being in charge as soon as ever.
void KillMasterOfHungDisk(World& world, const App& app) {
  const auto old = IdentifyProcess(world.MasterPid(app.name));
  REQUIRE(old);
  const Millis start = BootNow();
  world.KillMaster(app.name);
  CHECK(Get(app.url()).status == 200);
  const Millis served = BootNow() - start;
  AwaitSuccessor(world, app.name, *old);
  const Millis in_charge = BootNow() - start;
  MESSAGE("after a kill of its master a new connection is served within ", served,
          " ms, a successor is in charge within ", in_charge, " ms");
  CHECK(served <= kSuccessor);
  CHECK(in_charge <= kSuccessor);
}

// Of a service that runs: changes of one that does not are recorded on a full disk too.
void CheckRefused(World& world, const Trouble& trouble) {
  const Ran refused = world.Slc({"ctl", "set-size", "changed", "3"});
  CHECK(refused.code == 1);
  CHECK_MESSAGE(Contains(refused.err, trouble.reason), refused.err);
  CHECK_MESSAGE(refused.took <= (trouble.hangs ? kAnswered : kLooks * 2), refused.took);
}

// From the end of a trouble that slcd has met until the same slcd takes changes and says that all
// is well; returns how long the first took.
Millis AwaitWell(World& world, const ProcessIdentity& daemon, Millis end) {
  WaitUntil(
      [&] {
        return world.Slc({"ctl", "set-size", "changed", "2"}).code == 0;
      },
      30'000, "a change that is recorded");
  const Millis changes = BootNow() - end;
  CHECK(changes <= kWellWithin);
  WaitUntil(
      [&] {
        return !Contains(world.Must({"ctl", "info"}).out, "cannot be recorded");
      },
      kWellWithin, "slcd to say that all is well");
  CHECK(world.Daemon() == daemon);
  return changes;
}

// What is missing in the logs of "noisy" is counted: as many lines as the logs and slcd say, and
// each is missing as a whole.
void CheckLogGaps(World& world, bool any) {
  NumberedLog out;
  NumberedLog err;
  // A master looks at its log with each ping, every 10 s.
  WaitUntil(
      [&] {
        out = CountNumbered(world, "noisy", "out");
        err = CountNumbered(world, "noisy", "err");
        return !out.open && !err.open &&
               static_cast<std::int64_t>(world.View("noisy").log_lines_dropped) ==
                   out.stated + err.stated &&
               (out.stated > 0) == any;
      },
      12'000, "as many dropped lines as the logs say");
  MESSAGE("of ", out.lines + out.missing, " lines on stdout and ", err.lines + err.missing,
          " on stderr ", out.missing, " and ", err.missing, " are missing, ", out.stated, " and ",
          err.stated, " as the logs say");
  for (const NumberedLog* log : {&out, &err}) {
    CHECK(log->missing == log->stated);
    CHECK(log->wrong == "");
  }
}

// The whole walk through one kind of trouble, with four services under load.
void Endure(World& world, const Trouble& trouble) {
  FourServices services(world);
  const App victim = world.StartApp("plain/server.js", {"--size", "1", "--name", "victim"});
  world.StartApp("plain/server.js", {"--size", "1", "--name", "changed"});
  // More than 1 MiB, all that a master holds of lines, within the trouble's 3 s; in one file.
  const App noisy =
      world.StartApp("plain/noisy.js", {"--size", "1", "--name", "noisy", "--env",
                                        "APP_LINES_PER_S=5000", "--log-size", "1000000000"});
  const auto pids = services.Pids();
  auto masters = services.Masters();
  world.ExpectInLog("storage: ");
  world.ExpectInLog("the journal ");
  world.ExpectInLog("records of the last second");
  world.ExpectInLog("lines could not be written");
  world.ExpectInLog("lines dropped");
  world.ExpectInLog("cannot reach this master");
  LoadClient load(world, services.lanes());
  load.AwaitKept();

  if (!trouble.hangs) {
    // The slcd that met it outlives it; one that hangs is not killed below.
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    trouble.begin();
    CheckRefused(world, trouble);
    trouble.end();
    AwaitWell(world, *daemon, BootNow());
    world.Must({"ctl", "set-size", "changed", "1"});
  }
  trouble.begin();
  CheckRefused(world, trouble);
  const Ran set = world.Slc({"ctl", "env-set", "victim", "A=1"});
  CHECK_MESSAGE(set.code == 1, set.out, set.err);
  for (const Words& look : {Words{"ctl", "ls"}, Words{"ctl", "status"}, Words{"ctl", "info"}}) {
    const Ran ran = world.Must(look);
    CHECK_MESSAGE(ran.took <= kLooks, look.back(), " took ", ran.took);
    CHECK_MESSAGE(Contains(ran.out + ran.err, "changes cannot be recorded"), ran.out, ran.err);
  }
  CHECK(world.View("changed").size == "1");
  Running stop = world.Begin({"ctl", "stop", "victim"});
  if (trouble.hangs) {
    // After 5 s slcd would rather do without that master, and says so until it can end.
    world.ExpectInLog("is gone or does not answer; replacing it");
    // Its workers end. Its master cannot while its log writer waits for the disk, and nobody can
    // make it.
    WaitUntil([&] { return world.ReadyPids("victim").empty(); }, kLooks, "the end of its worker");
    CHECK(world.Must({"ctl", "ls"}).took <= kLooks);
    KillMasterOfHungDisk(world, services.apps().front());
    masters = services.Masters();
  } else {
    CHECK_MESSAGE(stop.Wait().code == 0, stop.out(), stop.err());
    CHECK_MESSAGE(Contains(stop.out() + stop.err(), "not recorded") == !trouble.durable_stop,
                  stop.out(), stop.err());
    CHECK(world.View("victim").state == "stopped");
    // slcd and a master end while the disk takes nothing; both have successors.
    const auto old = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(old);
    world.KillMaster("web");
    AwaitSuccessor(world, "web", *old);
    masters["web"] = world.MasterPid("web");
    world.KillDaemon();
    const Ran up = world.Must({"ctl", "ls"});
    MESSAGE("slcd is up again after ", up.took, " ms");
    for (const App& app : services.apps()) world.WaitForState(app.name, "running");
    if (trouble.durable_stop) CHECK(world.View("victim").state == "stopped");
    // Its successor meets the trouble too: it is the one that has to become well again. Whoever has
    // ended has left some room.
    trouble.begin();
    CheckRefused(world, trouble);
  }
  load.AwaitAnswers(Answers());
  CHECK(services.Pids() == pids);
  CHECK(services.Masters() == masters);
  const auto daemon = world.Daemon();
  REQUIRE(daemon);

  trouble.end();
  const Millis end = BootNow();
  CHECK_MESSAGE(stop.Wait().code == 0, stop.out(), stop.err());
  const Millis changes = AwaitWell(world, *daemon, end);
  const std::string log = world.log_folder("noisy") + "/out.log";
  const std::size_t length = ReadText(log).size();
  WaitUntil([&] { return ReadText(log).size() > length; }, kWellWithin, "lines in the log");
  const Millis lines = BootNow() - end;
  CheckLogGaps(world, !trouble.takes_logs);
  if (trouble.hangs) {
    // The successor has its socket by now, by which a later slcd finds it.
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    for (const App& app : services.apps()) world.WaitForState(app.name, "running");
  }
  const LoadReport report = load.Stop();
  MESSAGE("recorded again ", changes, " ms after the end, logged ", lines, " ms", Figures(report));
  CheckNoneFailed(report);
  CHECK(services.Pids() == pids);
  CHECK(services.Masters() == masters);
  services.CheckWhole();
}

}  // namespace

TEST_SUITE("disk") {
  TEST_CASE("the disk is full") {
    if (!CanMount()) return;
    World world;
    TinyDisk disk(world, world.home(), "size=60m");
    Endure(world, {.reason = "No space left on device",
                   .begin = [&] { disk.TakeAllBlocks(); },
                   .end = [&] { disk.GiveBack(); }});
    world.End();
  }

  TEST_CASE("the disk has no inodes left") {
    if (!CanMount()) return;
    World world;
    TinyDisk disk(world, world.home(), "size=60m,nr_inodes=300");
    Endure(world, {.reason = "No space left on device",
                   .takes_logs = true,
                   .begin = [&] { disk.TakeAllInodes(); },
                   .end = [&] { disk.GiveBack(); }});
    world.End();
  }

  // As it is for root, whose run directory lies elsewhere; in a run directory that is read-only a
  // slcd that was killed finds no place for its socket.
  TEST_CASE("the disk is read-only") {
    World world;
    FaultRules faults(world);
    const auto take_away = [&](const std::string& folder, int place) {
      FaultRule rule;
      rule.call = "*w";
      rule.below = world.home() + folder;
      rule.error = EROFS;
      rule.nth = -1;
      faults.Arm(rule, place);
    };
    Trouble trouble;
    trouble.reason = "Read-only file system";
    trouble.durable_stop = false;
    trouble.begin = [&] {
      take_away("/services", 0);
      take_away("/logs", 1);
    };
    trouble.end = [&] {
      faults.Disarm(0);
      faults.Disarm(1);
    };
    Endure(world, trouble);
  }

  TEST_CASE("a slcd that was killed while its home is read-only") {
    if (!CanMount()) return;
    // Who comes here has the home read-only, and only what is mounted within it as it was.
    const auto read_only = [](World& world) {
      return world
          .BeginProgram({"unshare", "-m", "sh", "-c",
                         "mount --rbind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && "
                         "exec \"$0\" ctl ls",
                         BinaryPath("slc"), world.home()})
          .Wait();
    };
    {
      World world;
      const App app = world.StartApp("plain/server.js", {"--size", "2"});
      const auto pids = world.ReadyPids(app.name);
      world.KillDaemon();
      // Before a master starts another one, which sees the disk as it is.
      const Ran ran = read_only(world);
      CHECK(ran.code == 3);
      for (const char* part :
           {"the file system is read-only", "services run on meanwhile", "mount -o remount,rw"}) {
        CHECK_MESSAGE(Contains(ran.err, part), ran.err);
      }
      CHECK(Get(app.url()).status == 200);
      world.Must({"ctl", "ls"});
      CHECK(world.ReadyPids(app.name) == pids);
    }
    // As README advises.
    World world;
    REQUIRE(::mkdir(world.home().c_str(), 0700) == 0);
    TinyDisk run(world, world.home() + "/run", "size=1m");
    const App app = world.StartApp("plain/server.js", {"--size", "2"});
    const auto pids = world.ReadyPids(app.name);
    world.ExpectInLog("storage: ");
    world.KillDaemon();
    const Ran ran = read_only(world);
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(world.ReadyPids(app.name) == pids);
    world.End();
  }

  TEST_CASE("the disk does not write what it took") {
    World world;
    FaultRules faults(world);
    Endure(world, {.reason = "fsync: Input/output error",
                   .durable_stop = false,
                   .takes_logs = true,
                   .begin =
                       [&] {
                         faults.Arm({.call = "fsync",
                                     .process = "",
                                     .below = world.home(),
                                     .error = EIO,
                                     .nth = -1});
                       },
                   .end = [&] { faults.Disarm(); }});
  }

  TEST_CASE("the disk hangs") {
    if (!CanMount()) return;
    World world;
    LoopDisk disk(world, world.home(), 64);
    Millis begun = 0;
    Endure(world, {.reason = "has not answered for",
                   .durable_stop = false,
                   .hangs = true,
                   .begin =
                       [&] {
                         disk.Freeze();
                         begun = BootNow();
                       },
                   .end =
                       [&] {
                         // The blow itself; the walk alone takes slcd's patience.
                         constexpr Millis kHangs = 30'000;
                         if (Long()) LetPass(std::max<Millis>(0, begun + kHangs - BootNow()));
                         disk.Thaw();
                       }});
    world.End();
  }

  // Nothing that waits for the disk can be killed or execute anything before the disk answers.
  TEST_CASE("an upgrade is asked for, and slcd killed, while the disk hangs") {
    if (!CanMount()) return;
    World world;
    LoopDisk disk(world, world.home(), 64);
    world.OwnPrograms();
    world.ExpectInLog("storage: ");
    world.ExpectInLog("the journal ");
    world.ExpectInLog("records of the last second");
    world.ExpectInLog("stays as it is");
    // By the slc that asks in vain, if its slcd outlives the trouble.
    world.ExpectInLog("and was killed; this one takes its place");
    FourServices services(world);
    world.StartApp("plain/noisy.js",
                   {"--size", "1", "--name", "noisy", "--env", "APP_LINES_PER_S=5000"});
    const auto pids = services.Pids();
    LoadClient load(world, services.lanes());
    load.AwaitKept();
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    world.Install("slcd", BinaryPath("next/slcd"));
    world.Install("slc-master", BinaryPath("next/slc-master"));

    disk.Freeze();
    const Ran refused = world.Slc({"upgrade"});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(Contains(refused.out + refused.err, "disk"), refused.out, refused.err);
    CHECK_MESSAGE(refused.took <= kAnswered, refused.took);
    CHECK(world.Must({"ctl", "ls"}).took <= kLooks);
    CHECK(world.Daemon() == daemon);

    Kill(*daemon);
    // As systemd would start another one: that ends it in vain, and is to be started again.
    Running kept =
        world.BeginProgram({"sh", "-c", "NOTIFY_SOCKET=@nobody SYSTEMD_EXEC_PID=$$ exec \"$0\"",
                            world.ProgramPath("slcd")});
    const Ran in_vain = world.Slc({"ctl", "ls"});
    CHECK(in_vain.code == 3);
    CHECK_MESSAGE(Contains(in_vain.err, "waits for a disk or a device"), in_vain.err);
    CHECK_MESSAGE(kept.Wait().code == 1, kept.err());
    CHECK_MESSAGE(Contains(kept.err(), "does not end after SIGKILL"), kept.err());
    Running asked = world.Begin({"ctl", "ls"});
    disk.Thaw();
    const Millis end = BootNow();
    CHECK_MESSAGE(asked.Wait().code == 0, asked.err());
    WaitUntil([&] { return world.Slc({"ctl", "ls"}).code == 0; }, 30'000, "slcd");
    const Millis took = BootNow() - end;
    CHECK(took <= kWellWithin);
    services.CheckWhole();
    CHECK(services.Pids() == pids);
    world.Must({"upgrade"});
    const LoadReport report = load.Stop();
    MESSAGE("an upgrade was refused after ", refused.took,
            " ms, a command to a slcd that was killed ", "after ", in_vain.took, " ms, slcd back ",
            took, " ms after the end", Figures(report));
    CheckNoneFailed(report);
    CHECK(services.Pids() == pids);
    world.End();
  }

  TEST_CASE("slcd and services end on a full disk") {
    if (!CanMount()) return;
    for (const bool by_signal : {false, true}) {
      CAPTURE(by_signal);
      World world;
      TinyDisk disk(world, world.home(), "size=2m");
      world.ExpectInLog("storage: ");
      world.ExpectInLog("the journal ");
      world.ExpectInLog("records of the last second");
      world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
      disk.TakeAllBlocks();
      if (by_signal) {
        const auto daemon = world.Daemon();
        REQUIRE(daemon);
        Kill(*daemon, SIGTERM);
        WaitUntil([&] { return !IsAlive(*daemon); }, 5'000, "the end of slcd");
        world.Must({"ctl", "ls"});
      }
      world.End();
    }
  }

  TEST_CASE("logs go on where their files or folders are taken away") {
    World world;
    const App noisy = world.StartApp(
        "plain/noisy.js", {"--size", "1", "--name", "noisy", "--env", "APP_LINES_PER_S=100"});
    const std::string folder = world.log_folder("noisy");
    const std::string log = folder + "/out.log";
    const auto resumes = [&](const std::string& what) {
      // The second.
      const Millis took =
          WaitUntil([&] { return !ReadText(log).empty(); }, 1'000, "lines after " + what);
      MESSAGE("after ", what, " lines again within ", took, " ms");
      for (const std::string& line : LinesOf(ReadText(log))) {
        CHECK_MESSAGE(Contains(line, "pid:"), "a torn line: ", line);
      }
    };
    WaitUntil([&] { return !ReadText(log).empty(); }, 5'000, "lines");
    REQUIRE(::unlink(log.c_str()) == 0);
    resumes("the file was removed");
    REQUIRE(::rename(log.c_str(), (folder + "/mine").c_str()) == 0);
    resumes("the file was renamed");
    const Ran ran = world.BeginProgram({"rm", "-rf", folder}).Wait();
    REQUIRE(ran.code == 0);
    resumes("the folder was removed");
    world.KillMaster("noisy");
    REQUIRE(::unlink(log.c_str()) == 0);
    world.WaitForState("noisy", "running");
    resumes("the file was removed and the master killed");
    REQUIRE(world.BeginProgram({"rm", "-rf", world.home() + "/logs"}).Wait().code == 0);
    resumes("all logs were removed");
  }
}
