// SIGSTOP: a master or slcd that hangs. Established connections go on; new ones wait in the
// kernel's queue until the stalled process has been fenced and a successor is in charge.
#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/faults/noted_end.h"

using namespace slc;
using namespace slc::test;

namespace {

// slcd asks every 10 s and waits 2 s; a second for the successor's start on two busy cores.
constexpr Millis kSeenWithin = 12'000;
constexpr Millis kSuccessor = 1'000;
// A slcd that comes up waits so long for the word of a master it finds.
constexpr Millis kHelloPatience = 5'000;
// 3 s of slc's own patience, 10 s of that of slcd --replace, and 1 s for both to be started.
constexpr Millis kAskedInVain = 14'000;
// A master misses the ping within 15 s and a tenth; then slcd --replace asks for 10 s.
constexpr Millis kUnasked = 27'500;

int CountDaemons(World& world) {
  int count = 0;
  for (const ProcessIdentity& each : world.Supervisors()) {
    const std::string name = ReadText("/proc/" + std::to_string(each.pid) + "/comm");
    if (StartsWith(name, "slcd") && IsAlive(each)) ++count;
  }
  return count;
}

// In the kernel's queue a new connection waits for the stalled master's end and its successor.
constexpr Millis kSlowestOfMaster = kSeenWithin + kSuccessor;
// Nothing waits for slcd: what an answer takes when the machine is busy.
constexpr Millis kSlowestOfDaemon = 1'000;

// Four services under load, of which no worker is lost and no request fails.
struct Served {
  explicit Served(World& world)
      : services(world),
        pids(services.Pids()),
        masters(services.Masters()),
        // Clients wait 30 s.
        load(world, services.lanes(), {"--timeout", "30000"}) {
    load.AwaitKept();
  }

  // One to strike, under load that goes through its master. Only the long form has room for snake,
  // whose workers listen themselves.
  const App& Any(Dice& dice) const {
    return services.apps()[dice.Below(Long() ? services.apps().size() : 3)];
  }
  // The master of `service` was to be replaced for so long.
  void NoteHeldUp(const std::string& service, Millis time) { held_up[service + "-close"] += time; }
  // Ends the load and judges it; no answer, and no handshake before it, took longer than `slowest`.
  void Check(Millis slowest) {
    // A connection whose first request is not sent when the load ends is not judged: those that
    // waited in the queue are given time for it.
    LetPass(500);
    const LoadReport report = load.Stop();
    Millis most = 0;
    for (const LaneReport& lane : report.lanes) {
      most = std::max({most, lane.slowest, lane.slowest_connect});
      INFO(lane.name, ", its slowest answer at ", lane.slowest_at);
      // What is established does not go through who stands still.
      const bool kept = EndsWith(lane.name, "-keep");
      CHECK(lane.slowest <= (kept ? std::min(slowest, kSlowestOfDaemon) : slowest));
      CHECK(lane.slowest_connect <= slowest);
    }
    MESSAGE("the slowest answer took ", most, " ms", Figures(report));
    CheckNoneFailed(report, held_up);
    CHECK(services.Pids() == pids);
    services.CheckWhole();
  }

  FourServices services;
  const std::map<std::string, std::vector<int>> pids;
  const std::map<std::string, int> masters;
  LoadClient load;
  HeldUp held_up;
};

// A master is stopped, and nobody acts for its service before it has ended.
class Fenced {
 public:
  Fenced(World& world, const App& app)
      : world_(world),
        app_(app),
        old_(*IdentifyProcess(world.MasterPid(app.name))),
        end_(old_, 2 * kSlowestOfMaster) {
    Kill(old_, SIGSTOP);
  }
  const ProcessIdentity& old() const { return old_; }
  // Once another one is in charge; returns for how long the service had none.
  Millis Check() {
    const auto end = end_.Wait();
    const auto successor = IdentifyProcess(world_.MasterPid(app_.name));
    REQUIRE(end);
    REQUIRE(successor);
    // A tick of the start's clock, and the turn of the waiter on a busy machine.
    constexpr Millis kLate = 10 + 20;
    const Millis gap = StartOf(*successor) - *end;
    CHECK(gap >= -kLate);
    return gap;
  }

 private:
  World& world_;
  const App& app_;
  const ProcessIdentity old_;
  NotedEnd end_;
};

void SayTimes(int count, const std::string& what, const std::vector<Millis>& times) {
  MESSAGE(count, what, " after ", Percentile(times, 50), " ms (median), ", Percentile(times, 100),
          " ms at most");
}

}  // namespace

TEST_SUITE("stall") {
  TEST_CASE("a stopped master is replaced, and no request fails") {
    const int stops = Blows(10);
    Dice dice;
    World world;
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    Served served(world);
    std::vector<Millis> replaced;
    std::vector<Millis> started;
    for (int i = 0; i < stops; ++i) {
      const App& app = served.Any(dice);
      INFO("stop ", i, ", master of ", app.name);
      LetPass(dice.Between(0, 1000));
      Fenced master(world, app);
      replaced.push_back(AwaitSuccessor(world, app.name, master.old()));
      started.push_back(master.Check());
      served.NoteHeldUp(app.name, replaced.back());
    }
    SayTimes(stops, " masters stopped: replaced", replaced);
    SayTimes(stops, " times a successor was started after the end of the one before", started);
    CHECK(Percentile(replaced, 100) <= kSeenWithin + kSuccessor);
    served.Check(kSlowestOfMaster);
  }

  TEST_CASE("slcd killed while a master is stopped: the workers get another master") {
    const int stops = Blows(10);
    Dice dice;
    World world;
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    Served served(world);
    std::vector<Millis> replaced;
    std::vector<Millis> started;
    for (int i = 0; i < stops; ++i) {
      const App& app = served.Any(dice);
      INFO("stop ", i, ", master of ", app.name);
      LetPass(dice.Between(0, 1000));
      Fenced master(world, app);
      const Millis stopped = BootNow();
      LetPass(dice.Between(0, 300));
      world.KillDaemon();
      const Millis start = BootNow();
      world.Must({"ctl", "ls"});
      WaitUntil([&] { return world.View(app.name).state == "running" && !IsAlive(master.old()); },
                30'000, "another master of " + app.name);
      replaced.push_back(BootNow() - start);
      started.push_back(master.Check());
      served.NoteHeldUp(app.name, BootNow() - stopped);
    }
    SayTimes(stops, " times slcd killed and a master stopped: replaced", replaced);
    SayTimes(stops, " times a successor was started after the end of the one before", started);
    CHECK(Percentile(replaced, 100) <= kHelloPatience + kSuccessor);
    served.Check(kSlowestOfMaster);
  }

  // slcd stalls between the start of a master and its first word to it.
  TEST_CASE("SIGTERM to a master that has not been told yet whom it works for") {
    World world;
    FaultRules faults(world);
    const auto stall = [&] {
      faults.Arm({.call = "sendmsg", .process = "slcd", .hang = true, .nth = 0});
    };
    // Once the only master there is has seen its SIGTERM slcd goes on.
    const auto end_early = [&] {
      std::vector<ProcessIdentity> masters;
      WaitUntil([&] { return (masters = Masters(world)).size() == 1 && faults.Hits() == 1; }, 5'000,
                "a master");
      const auto waits_without = [&](const std::string& signals) {
        const std::string folder = "/proc/" + std::to_string(masters[0].pid);
        const auto usage = ReadUsage(masters[0].pid);
        return usage && usage->state == 'S' &&
               Contains(ReadText(folder + "/status"), signals + ":\t0000000000000000");
      };
      WaitUntil([&] { return waits_without("SigBlk"); }, 5'000, "the master to take signals");
      Kill(masters[0], SIGTERM);
      WaitUntil([&] { return waits_without("ShdPnd"); }, 5'000, "the signal to be seen");
      faults.Disarm();
      WaitUntil([&] { return !IsAlive(masters[0]); }, 5'000, "the end of the master");
    };
    world.Must({"ctl", "ls"});
    stall();
    Running start = world.Begin({"start", SourcePath("tests/apps/plain/server.js"), "--size", "1",
                                 "--name", "web", "--port", std::to_string(FreePort())});
    end_early();
    CHECK(start.Wait(5'000).code == 1);
    CHECK_MESSAGE(Contains(start.err(), "its master was sent SIGTERM"), start.err());
    world.Must({"ctl", "start", "web"});
    world.WaitForState("web", "running");

    // Asked for before: slcd answers by sendmsg, too.
    const auto master = IdentifyProcess(world.MasterPid("web"));
    REQUIRE(master);
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    stall();
    Kill(*master);
    end_early();
    CHECK(world.Workers().empty());
    Options brief;
    brief.deadline = 5'000;
    world.Must({"ctl", "stop", "web"}, brief);
    CHECK(world.View("web").state == "stopped");
    world.Must({"ctl", "start", "web"});
    world.WaitForState("web", "running");
  }

  TEST_CASE("a stopped slcd is replaced by the first who asks") {
    const int stops = Blows(10);
    World world;
    world.ExpectInLog("has not answered for 10 s and was killed");
    Served served(world);
    std::vector<Millis> answers;
    for (int i = 0; i < stops; ++i) {
      INFO("stop ", i);
      const auto old = world.Daemon();
      REQUIRE(old);
      Kill(*old, SIGSTOP);
      // Three who ask at once: one of them replaces it, and all are answered.
      std::vector<Running> asking;
      for (int j = 0; j < 3; ++j) asking.push_back(world.Begin({"ctl", "ls"}));
      for (Running& each : asking) {
        const Ran& ran = each.Wait();
        CHECK_MESSAGE(ran.code == 0, ran.out, ran.err);
        answers.push_back(ran.took);
      }
      CHECK(!IsAlive(*old));
      WaitUntil([&] { return CountDaemons(world) == 1; }, 5'000, "the losers' end");
    }
    SayTimes(stops, " times slcd stopped, asked by three: answers", answers);
    CHECK(Percentile(answers, 100) <= kAskedInVain + kSuccessor);
    CHECK(served.services.Masters() == served.masters);
    served.Check(kSlowestOfDaemon);
  }

  TEST_CASE("a stopped slcd that nobody asks is replaced by a master") {
    World world;
    world.ExpectInLog("has not answered for 10 s and was killed");
    Served served(world);
    const auto old = world.Daemon();
    REQUIRE(old);
    Kill(*old, SIGSTOP);
    const Millis took = WaitUntil(
        [&] {
          const auto daemon = world.Daemon();
          return daemon && !(*daemon == *old) && !IsAlive(*old);
        },
        kUnasked + kSuccessor, "another slcd");
    WaitUntil([&] { return CountDaemons(world) == 1; }, kUnasked, "the losers' end");
    world.Must({"ctl", "ls"});
    SayTimes(1, " time slcd stopped, nobody asks: replaced", {took});
    CHECK(served.services.Masters() == served.masters);
    served.Check(kSlowestOfDaemon);
  }
}
