// The Nth system call of a kind fails, N = 0, 1, 2, ... until it is not reached any more: nothing
// crashes, hangs or leaks, and the state is the one before or the one after.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include <doctest/doctest.h>

#include "tests/faults/faults.h"
#include "tests/faults/syscall_trial.h"

using namespace slc;
using namespace slc::test;

namespace {

// What a change is not made without, of what the issue names: in slcd, and in a master with a
// visitor and with a new worker.
const Words kRecords{"open", "write", "fsync", "rename", "accept", "sendmsg"};
const Words kServes{"write", "accept", "sendmsg"};
const Words kSpawns{"open", "write", "socket", "accept", "sendmsg", "clone", "exec", "mmap"};

void FailAll(const Scenario& scenario, const std::string& app = "plain/server.js") {
  World world;
  FaultRules faults(world);
  const App subject = world.StartApp(app, {"--size", "1", "--name", "subject"});
  // Each fault is told by whom it hits, in words of its own.
  world.ExpectInLog(" warning ");
  world.ExpectInLog(" error ");
  // A master that cannot send to slcd is given up and replaced.
  world.ExpectInLog("has taken over");
  SyscallTrial(world, faults, scenario, subject).FailAll();
}

std::function<Ran(World&)> Slc(const Words& words) {
  return [words](World& world) { return world.Slc(words); };
}
std::function<void(World&)> Must(const Words& words) {
  return [words](World& world) { world.Must(words); };
}

// Has the log writer find a file that is as good as full, and waits until it has put that aside.
Ran Rotate(World& world) {
  const std::string log = world.log_folder("subject") + "/out.log";
  const std::string full = world.folder() + "/full.log";
  constexpr off_t kFull = (10 << 20) - 100;
  {
    const UniqueFd fd(::open(full.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    REQUIRE(fd);
    REQUIRE(::ftruncate(fd.get(), kFull) == 0);
  }
  REQUIRE(std::rename(full.c_str(), log.c_str()) == 0);
  Ran ran;
  struct stat info {};
  ran.took = WaitUntil(
      [&] { return ::stat(log.c_str(), &info) == 0 && info.st_size > 0 && info.st_size < kFull; },
      10'000, "lines in a new file");
  ran.code = 0;
  return ran;
}

}  // namespace

TEST_SUITE("syscalls") {
  TEST_CASE("of a start") {
    const std::string port = std::to_string(FreePort());
    FailAll({"start",
             "other",
             Slc({"start", SourcePath("tests/apps/plain/server.js"), "--name", "other", "--size",
                  "1", "--port", port}),
             [](World& world) {
               if (world.TryView("other")) world.Must({"ctl", "remove", "other"});
             },
             {{"slcd",
               {"open", "write", "fsync", "rename", "socket", "accept", "sendmsg", "clone", "exec",
                "mmap"}},
              {"slc-master", kSpawns}}});
  }
  TEST_CASE("of a stop") {
    FailAll({"stop",
             "subject",
             Slc({"ctl", "stop", "subject"}),
             Must({"ctl", "start", "subject"}),
             {{"slcd", kRecords}, {"slc-master", kServes}}});
  }
  TEST_CASE("of set-size") {
    FailAll({"set-size",
             "subject",
             Slc({"ctl", "set-size", "subject", "2"}),
             Must({"ctl", "set-size", "subject", "1"}),
             {{"slcd", kRecords}, {"slc-master", kSpawns}}});
  }
  TEST_CASE("of a soft-restart") {
    FailAll({"soft-restart",
             "subject",
             Slc({"ctl", "soft-restart", "subject"}),
             Must({"ctl", "start", "subject"}),
             {{"slcd", kRecords}, {"slc-master", kSpawns}}});
  }
  TEST_CASE("of a state that is saved") {
    FailAll({"state",
             "subject",
             Slc({"ctl", "env-set", "subject", "VALUE=1", "--no-restart"}),
             Must({"ctl", "env-unset", "subject", "VALUE", "--no-restart"}),
             {{"slcd", kRecords}, {"slc-master", kServes}}});
  }
  TEST_CASE("of the rotation of a log") {
    FailAll({"rotation",
             "subject",
             Rotate,
             [](World&) {},
             {{"slc-master", {"open", "write", "rename", "accept", "sendmsg", "mmap"}}}},
            "plain/noisy.js");
  }
}
