// WallClock: what slcd and masters take for the time of day, to be set by the test.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "tests/system/harness.h"

namespace slc::test {

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
    world.Preload(BinaryPath("slc-clock.so"));
  }
  ~WallClock() { ::munmap(offset_, sizeof(std::int64_t)); }
  WallClock(const WallClock&) = delete;
  WallClock& operator=(const WallClock&) = delete;

  void Set(std::int64_t seconds) { *offset_ = seconds; }

 private:
  std::int64_t* offset_ = nullptr;
};

}  // namespace slc::test
