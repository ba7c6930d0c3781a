// A service whose record was found damaged, on a disk that takes nothing: memory, disk and answers
// tell the same of it.
#include <sys/stat.h>

#include <cerrno>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/faults/loop_disk.h"

using namespace slc;
using namespace slc::test;

namespace {

std::string RecordOf(World& world) { return world.home() + "/services/1.json"; }

std::uint64_t RecordedOrder(World& world) {
  return nlohmann::json::parse(ReadText(RecordOf(world)))["wish"]["order"];
}

// `web`, whose record was damaged while slcd was gone.
void Damage(World& world) {
  world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
  world.Must({"ctl", "set-size", "web", "1"});
  world.KillDaemon();
  WriteText(RecordOf(world), "{");
  world.ExpectInLog("1.json is damaged");
}

// slcd is up again, and uses the version before.
void FallBack(World& world) {
  Damage(world);
  world.Must({"ctl", "ls"});
  world.WaitForState("web", "running");
  CHECK(Contains(world.View("web").damage, "services/1.json was found damaged at "));
  WaitUntil([&] { return RecordedOrder(world) == 2; }, 5'000, "what its master obeys on record");
}

void NextDaemon(World& world) {
  world.KillDaemon();
  world.Must({"ctl", "ls"});
}

// What slcd's writes of records come to.
FaultRule OfRecords(World& world) {
  FaultRule rule;
  rule.call = "*w";
  rule.process = "slcd";
  rule.below = world.home() + "/services";
  rule.nth = -1;
  return rule;
}

void AwaitRecorded(World& world) {
  WaitUntil(
      [&] {
        return !Contains(world.Must({"ctl", "info"}).out, "cannot be recorded");
      },
      20'000, "slcd to record changes again");
}

}  // namespace

TEST_SUITE("fallback") {
  TEST_CASE("a stop on a full disk ends what is told of a damaged record, for the next slcd too") {
    if (!CanMount()) return;
    World world;
    TinyDisk disk(world, world.home(), "size=3m");
    FallBack(world);
    for (const char* part : {"storage: ", "the journal ", "records of the last second"}) {
      world.ExpectInLog(part);
    }
    disk.TakeAllBlocks();
    const Ran stopped = world.Must({"ctl", "stop", "web"});
    CHECK_MESSAGE(Contains(stopped.out, "the last change may be lost"), stopped.out);
    // What is said to be there is.
    CHECK_MESSAGE(Contains(stopped.out, "1.json.damaged"), stopped.out);
    struct stat info {};
    CHECK(::stat((RecordOf(world) + ".damaged").c_str(), &info) == 0);
    CHECK(world.View("web").damage.empty());
    NextDaemon(world);
    CHECK(world.View("web").damage.empty());
    disk.GiveBack();
    AwaitRecorded(world);
    NextDaemon(world);
    CHECK(world.View("web").damage.empty());
    CHECK(world.View("web").state == "stopped");
    world.End();
  }

  TEST_CASE("a stop that was not recorded ends it as soon as it is") {
    World world;
    FaultRules faults(world);
    FallBack(world);
    world.ExpectInLog("storage: ");
    FaultRule rule = OfRecords(world);
    rule.error = EROFS;
    faults.Arm(rule);
    const Ran stopped = world.Must({"ctl", "stop", "web"});
    CHECK_MESSAGE(Contains(stopped.out, "this is not recorded"), stopped.out);
    CHECK_MESSAGE(!Contains(stopped.out, ".damaged"), stopped.out);
    CHECK(world.View("web").damage.empty());
    faults.Disarm();
    AwaitRecorded(world);
    NextDaemon(world);
    CHECK(world.View("web").damage.empty());
    CHECK(world.View("web").state == "stopped");
  }

  TEST_CASE("a soft restart that a silent disk took too late for has not ended it") {
    World world;
    FaultRules faults(world);
    FallBack(world);
    world.ExpectInLog("storage: ");
    FaultRule rule = OfRecords(world);
    rule.hang = true;
    faults.Arm(rule);
    const Ran refused = world.Slc({"ctl", "soft-restart", "web"});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(Contains(refused.err, "nothing was changed"), refused.err);
    // What was given up is written after all, and then what is in force over it.
    faults.Disarm();
    AwaitRecorded(world);
    CHECK(Contains(world.View("web").damage, "was found damaged at "));
    NextDaemon(world);
    CHECK(Contains(world.View("web").damage, "was found damaged at "));
    CHECK(world.View("web").generation == 1);
  }

  TEST_CASE("what its master obeys is recorded, though the disk was silent when that was known") {
    World world;
    FaultRules faults(world);
    world.ExpectInLog("storage: ");
    Damage(world);
    // What a slcd that comes up tries first; what is to be recorded waits behind it in vain.
    faults.Arm({.call = "*w",
                .process = "slcd",
                .below = world.home() + "/services/trial",
                .hang = true,
                .nth = -1});
    world.Must({"ctl", "ls"});
    WaitUntil(
        [&] {
          return Contains(world.Must({"ctl", "info"}).out, "cannot be recorded");
        },
        20'000, "slcd to give up");
    CHECK(RecordedOrder(world) == 1);
    faults.Disarm();
    WaitUntil([&] { return RecordedOrder(world) == 2; }, 5'000, "what is in force to be recorded");
    AwaitRecorded(world);
  }
}
