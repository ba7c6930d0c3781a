// The wall clock of slcd and masters jumps by years: nothing that is decided by time notices.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/faults/faults.h"

using namespace slc;
using namespace slc::test;

namespace {

// Of all that this world starts, but for slc itself and workers (see preload/clock.cpp).
class WallClock {
 public:
  explicit WallClock(World& world) {
    const std::string path = world.folder() + "/clock";
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    REQUIRE(fd);
    REQUIRE(::ftruncate(fd.get(), sizeof(std::int64_t)) == 0);
    void* page =
        ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    REQUIRE(page != MAP_FAILED);
    offset_ = static_cast<std::int64_t*>(page);
    world.env()["SLC_TEST_CLOCK"] = path;
    world.env()["SLC_TEST_PRELOAD"] = BinaryPath("slc-clock.so");
  }
  ~WallClock() { ::munmap(offset_, sizeof(std::int64_t)); }
  WallClock(const WallClock&) = delete;
  WallClock& operator=(const WallClock&) = delete;

  void Set(std::int64_t seconds) { *offset_ = seconds; }

 private:
  std::int64_t* offset_ = nullptr;
};

}  // namespace

TEST_SUITE("clock") {
  TEST_CASE("the wall clock jumps by hours and years") {
    constexpr std::int64_t kHour = 3600;
    constexpr std::int64_t kYear = 365 * 24 * kHour;
    World world;
    WallClock clock(world);
    const App app = world.StartApp("express4", {"--size", "2", "--drain-linger", "400ms"});
    const auto pids = world.ReadyPids(app.name);
    const ProcessView master = world.View(app.name).processes[0];
    const Millis begin = BootNow();
    LoadClient load(world, {"name=keep,connections=4,think=0-200,url=" + app.url(),
                            "name=close,mode=close,connections=2,rate=20,url=" + app.url()});
    std::vector<std::int64_t> jumps{2 * kYear, -10 * kYear};
    for (int i = 0; i < 20; ++i) jumps.insert(jumps.end(), {kHour, -kHour});
    Millis slowest = 0;
    for (const std::int64_t jump : jumps) {
      INFO("jump by ", jump, " s");
      clock.Set(jump);
      slowest = std::max(slowest, world.Must({"ctl", "ls"}).took);
      LetPass(50);
      CHECK(world.ReadyPids(app.name) == pids);
    }
    const ProcessView after = world.View(app.name).processes[0];
    CHECK(after.pid == master.pid);
    // What each of the two questions may take on a busy machine.
    CHECK(std::abs((after.uptime - master.uptime) - (BootNow() - begin)) <= 200);
    for (const std::int64_t jump : {2 * kYear, -10 * kYear}) {
      INFO("jump by ", jump, " s");
      Running roll = world.Begin({"ctl", "soft-restart", app.name});
      clock.Set(jump);
      CHECK(roll.Wait(20'000).code == 0);
    }
    const LoadReport report = load.Stop();
    MESSAGE(jumps.size(),
            " jumps of the wall clock, by up to ten years: no restart, slc ctl ls answers within ",
            slowest, " ms", Figures(report));
    CheckNoneFailed(report);
    CHECK(slowest <= 1000);
  }
}
