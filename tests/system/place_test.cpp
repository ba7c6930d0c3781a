// The place of slcd in its home, lock and socket, is taken away by others: it makes it anew, and
// never are two in charge.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/lock_holder.h"
#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

namespace {

// A slcd that is told by the kernel at once, on a busy machine.
constexpr Millis kMended = 5'000;

std::string Lock(const World& world) { return world.home() + "/run/slcd.lock"; }

bool Held(const World& world) {
  const auto held = IsLockedAt(AT_FDCWD, Lock(world));
  return held && *held;
}

// All processes of this home that look after something: slcd and the masters.
std::size_t CountSupervisors(const World& world) { return world.Supervisors().size(); }

// Fails unless `slc ctl ls` is answered by `daemon`, soon.
void CheckAnswers(World& world, const ProcessIdentity& daemon) {
  WaitUntil([&] { return Exists(world.socket()) && Exists(Lock(world)); }, kMended,
            "its lock and its socket");
  const Ran ran = world.Must({"ctl", "ls"});
  CHECK(ran.took < kMended);
  CHECK(world.Daemon() == daemon);
}

}  // namespace

TEST_SUITE("place") {
  TEST_CASE("slcd makes its socket, its lock, or both anew, and serves on alone") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const int master = world.MasterPid("web");
    const ProcessIdentity daemon = *world.Daemon();
    world.ExpectInLog("was removed; it was made anew");
    const std::string lock = Lock(world);
    for (const Words& removed : {Words{world.socket()}, Words{lock}, Words{world.socket(), lock},
                                 Words{lock, world.socket()}}) {
      for (const std::string& path : removed) REQUIRE(::unlink(path.c_str()) == 0);
      CheckAnswers(world, daemon);
      CHECK(CountSupervisors(world) == 2);
    }
    CHECK(world.ReadyPids("web") == pids);
    CHECK(world.MasterPid("web") == master);
    // The lock keeps others out as before, and the next slcd finds the master.
    CHECK(world.BeginProgram({world.ProgramPath("slcd")}).Wait().code == 100);
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "its workers to be shown");
    CHECK(Get(app.url()).status == 200);
    world.Must({"ctl", "stop", "web"});
    CHECK(world.Workers().empty());
  }

  TEST_CASE("after rm -rf of the run folder the same slcd serves, with the same workers") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const ProcessIdentity daemon = *world.Daemon();
    for (const char* part : {"was removed; it was made anew", "cannot be found any more: its ",
                             "a new master (pid "}) {
      world.ExpectInLog(part);
    }
    for (const char* folder : {"/run", "/run/instances", "/run/instances/1"}) {
      INFO(folder);
      const int master = world.MasterPid("web");
      // It may find that something new has come meanwhile, and leave that.
      world.BeginProgram({"rm", "-rf", world.home() + folder}).Wait();
      WaitUntil(
          [&] {
            const auto view = world.TryView("web");
            return view && view->state == "running" && world.MasterPid("web") != master &&
                   Exists(world.home() + "/run/instances/1/master.sock");
          },
          kMended, "a master with a folder");
      CheckAnswers(world, daemon);
      CHECK(world.ReadyPids("web") == pids);
      WaitUntil([&] { return CountSupervisors(world) == 2; }, kMended, "one slcd and one master");
      CHECK(Get(app.url()).status == 200);
    }
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "its workers to be shown");
    world.Must({"ctl", "remove", "web"});
    CHECK(world.Workers().empty());
  }

  TEST_CASE("a master whose lock or socket is removed is replaced before another slcd misses it") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const std::string folder = world.home() + "/run/instances/1";
    const std::string lock = folder + "/master.lock";
    const std::string socket = folder + "/master.sock";
    for (const char* part :
         {"its lock was removed", "its socket was removed", "a new master (pid "}) {
      world.ExpectInLog(part);
    }
    // The second time slcd has found the master that was left by the slcd before.
    for (const bool adopted : {false, true}) {
      for (const Words& removed : {Words{lock}, Words{socket}, Words{lock, socket}}) {
        INFO(Join(removed, " "));
        const int master = world.MasterPid("web");
        WaitUntil([&] { return Exists(lock) && Exists(socket); }, kMended, "a master to be found");
        if (adopted) {
          world.KillDaemon();
          world.Must({"ctl", "ls"});
          WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "it to be adopted");
          REQUIRE(world.MasterPid("web") == master);
        }
        for (const std::string& path : removed) REQUIRE(::unlink(path.c_str()) == 0);
        WaitUntil(
            [&] {
              const auto view = world.TryView("web");
              return view && view->state == "running" && world.MasterPid("web") != master &&
                     Exists(lock) && Exists(socket);
            },
            kMended, "a master that can be found");
        CHECK(world.ReadyPids("web") == pids);
        WaitUntil([&] { return CountSupervisors(world) == 2; }, kMended, "one slcd and one master");
      }
    }
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "its workers to be shown");
    CHECK(CountSupervisors(world) == 2);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("after rm -rf of the home all is recorded anew, and can be changed") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    world.StartApp("plain/server.js", {"--size", "1", "--name", "idle"});
    world.Must({"ctl", "stop", "idle"});
    const auto pids = world.ReadyPids("web");
    const ProcessIdentity daemon = *world.Daemon();
    for (const char* part : {"was removed; it was made anew", "was removed: what the 2 services",
                             "cannot be found any more: its ", "a new master (pid ",
                             "changes cannot be recorded: one is not in its file yet"}) {
      world.ExpectInLog(part);
    }
    const std::string services = world.home() + "/services";
    const Words moved{"mv", world.home(), world.home() + ".moved"};
    for (const Words& removal :
         {Words{"rm", "-rf", services}, Words{"rm", "-rf", world.home()}, moved}) {
      INFO(Join(removal, " "));
      // rm may find that something new has come meanwhile, and leave that.
      world.BeginProgram(removal).Wait();
      WaitUntil(
          [&] {
            return Exists(services + "/1.json") && Exists(services + "/2.json") &&
                   Exists(world.home() + "/run/instances/1/master.sock");
          },
          kMended, "what was recorded");
      CheckAnswers(world, daemon);
      CHECK(world.ReadyPids("web") == pids);
      world.Must({"ctl", "env-set", "--no-restart", "web", "LOG=" + removal.front()});
    }
    CHECK(Contains(ReadText(services + "/1.json"), "mv"));
    CHECK(Contains(world.Must({"events"}).out, "the home was removed"));
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "its workers to be shown");
    CHECK(world.View("idle").state == "stopped");
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("a slcd that stood still while another took its place leaves, and touches nothing") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const int master = world.MasterPid("web");
    const ProcessIdentity old = *world.Daemon();
    world.ExpectInLog("another slcd has the lock of ");
    Kill(old, SIGSTOP);
    REQUIRE(::unlink(Lock(world).c_str()) == 0);
    REQUIRE(::unlink(world.socket().c_str()) == 0);
    world.Must({"ctl", "ls"});
    CHECK(IsAlive(old));
    // Both live: who has the lock in its place is the one.
    const auto now = ReadLockHolder(ReadText(Lock(world)));
    REQUIRE(now);
    CHECK(now->process.pid != old.pid);
    WaitUntil([&] { return world.ReadyPids("web") == pids; }, kMended, "its workers to be shown");
    Kill(old, SIGCONT);
    WaitUntil([&] { return !IsAlive(old); }, kMended, "the old one to leave");
    CHECK(world.Daemon() == now->process);
    CHECK(world.MasterPid("web") == master);
    CHECK(world.ReadyPids("web") == pids);
    CHECK(Get(app.url()).status == 200);
    world.Must({"ctl", "soft-restart", "web"});
    CHECK(CountSupervisors(world) == 2);
  }

  TEST_CASE("a lock file that nobody holds is taken, whatever has put it there") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const ProcessIdentity daemon = *world.Daemon();
    world.ExpectInLog("was removed; it was made anew");
    const std::string lock = Lock(world);
    const std::string ours = ReadText(lock);
    for (const std::string& content : {std::string(), ours, std::string("1 1\n")}) {
      INFO(content);
      // As whoever copies files back does: there never is a moment without one.
      const std::string copy = lock + ".copy";
      std::ofstream(copy) << content;
      REQUIRE(::rename(copy.c_str(), lock.c_str()) == 0);
      WaitUntil([&] { return ReadText(lock) == ours && Held(world); }, kMended, "its lock");
      CheckAnswers(world, daemon);
    }
    CHECK(world.BeginProgram({world.ProgramPath("slcd")}).Wait().code == 100);
    CHECK(world.ReadyPids("web") == pids);
  }

  TEST_CASE("a slcd without socket that cannot mend it is named at once, with what to do") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "web"});
    const ProcessIdentity daemon = *world.Daemon();
    Kill(daemon, SIGSTOP);
    REQUIRE(::unlink(world.socket().c_str()) == 0);
    const Ran ran = world.Slc({"ctl", "ls"});
    CHECK(ran.code == 3);
    CHECK(ran.took < 8'000);  // three seconds of patience, and a busy machine
    CHECK_MESSAGE(Contains(ran.err, "kill -9 " + std::to_string(daemon.pid)), ran.err);
    world.ExpectInLog("was removed; it was made anew");
    Kill(daemon, SIGCONT);
    CheckAnswers(world, daemon);
  }
}
