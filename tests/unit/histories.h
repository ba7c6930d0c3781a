// Random histories: a simulated world runs through a pure core many times, each time from another
// seed, and says what went wrong.
//
//   SLC_SEED=1234 slc-unit-test -tc='Fleet*'           replays one history
//   SLC_HISTORIES=1000000 slc-unit-test -tc='Fleet*'   runs more of them than a check does
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

namespace slc {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U) {}

  std::uint64_t Next() {  // splitmix64
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
  }
  // low ... high, both included.
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(Next() % static_cast<std::uint64_t>(high - low + 1));
  }
  unsigned Below(unsigned bound) { return static_cast<unsigned>(Next() % bound); }
  bool Chance(int percent) { return Between(1, 100) <= percent; }

 private:
  std::uint64_t state_;
};

// Calls history(random) `count` times; it returns what went wrong, or nothing.
template <typename History>
void RunHistories(std::uint64_t count, History&& history) {
  if (const char* more = std::getenv("SLC_HISTORIES")) count = std::strtoull(more, nullptr, 10);
  std::uint64_t first = 1;
  if (const char* seed = std::getenv("SLC_SEED")) {
    first = std::strtoull(seed, nullptr, 10);
    count = 1;
  }
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    const std::string wrong = history(random);
    if (!wrong.empty()) FAIL("SLC_SEED=" << seed << ": " << wrong);
  }
}

}  // namespace slc
