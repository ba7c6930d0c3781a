// Random moments, repeatable: the seed is printed, and SLC_SEED=N throws the same again.
#pragma once

#include <poll.h>

#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

#include "common/base/time.h"

namespace slc::test {

class Dice {
 public:
  Dice() : seed_(Seed()), engine_(seed_) { MESSAGE("SLC_SEED=", seed_); }

  // Of a part of a test, that draws when it likes: repeatable as long as `seed` comes from the
  // whole.
  explicit Dice(std::uint32_t seed) : seed_(seed), engine_(seed) {}

  std::uint32_t NextSeed() { return static_cast<std::uint32_t>(engine_()); }
  // low ... high, both included.
  Millis Between(Millis low, Millis high) {
    return std::uniform_int_distribution<Millis>(low, high)(engine_);
  }
  bool Coin() { return Between(0, 1) == 1; }
  std::size_t Below(std::size_t bound) {
    return static_cast<std::size_t>(Between(0, static_cast<Millis>(bound) - 1));
  }

 private:
  static std::uint32_t Seed() {
    const char* set = std::getenv("SLC_SEED");
    return set != nullptr ? static_cast<std::uint32_t>(std::strtoul(set, nullptr, 10))
                          : std::random_device{}();
  }
  std::uint32_t seed_;
  std::mt19937 engine_;
};

// Lets `span` pass: the random moment of a blow, not a wait for anything.
inline void LetPass(Millis span) { ::poll(nullptr, 0, static_cast<int>(span)); }

}  // namespace slc::test
