#include "daemon/traces.h"

#include <csignal>
#include <string>

#include <doctest/doctest.h>

#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/spawn.h"

namespace slc {
namespace {

// A process of worker 1 of an instance, which is there once its environment can be read: Spawn()
// returns after the exec.
class Worker {
 public:
  Worker(const std::string& home_key, ServiceId id) {
    SpawnOptions options;
    options.program = "/bin/sleep";
    options.arguments = {"sleep", "100"};
    options.environment = {"SLC_COOKIE=" + Traces::Cookie(home_key, id) + ".1"};
    auto spawned = Spawn(options);
    REQUIRE(spawned.ok());
    pidfd_ = std::move(spawned->pidfd);
  }
  ~Worker() {
    SignalProcess(pidfd_, SIGKILL);
    Reap(pidfd_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool killed() const { return HasEnded(pidfd_, 10'000); }
  bool lives() const { return !HasEnded(pidfd_, 50); }

 private:
  UniqueFd pidfd_;
};

std::string AnyHome() { return "test-" + NewRequestId(); }

TEST_CASE("what was left before the first look is killed, of the instance that is cleared alone") {
  const std::string home = AnyHome();
  const Worker three(home, 3);
  const Worker thirty(home, 30);
  Traces traces(home);
  traces.Clear(4);
  CHECK(three.lives());
  traces.Clear(3);
  CHECK(three.killed());
  CHECK(thirty.lives());
}

TEST_CASE("afterwards only instances that had a master are looked for") {
  const std::string home = AnyHome();
  Traces traces(home);
  traces.Clear(1);
  const Worker five(home, 5);
  const Worker six(home, 6);
  traces.Clear(5);
  CHECK(five.lives());
  traces.Note(5);
  traces.Note(6);
  traces.Forget(6);
  traces.Clear(5);
  traces.Clear(6);
  CHECK(five.killed());
  CHECK(six.lives());
}

TEST_CASE("what has no instance's number is nobody's") {
  const std::string home = AnyHome();
  const Worker other(home + "-x", 7);
  Traces traces(home);
  for (ServiceId id = 0; id < 10; ++id) traces.Clear(id);
  CHECK(other.lives());
}

}  // namespace
}  // namespace slc
