#include "daemon/core/storage_state.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr Millis kPatience = StorageState::kPatience;
constexpr Millis kPause = StorageState::kRetryPause;

}  // namespace

TEST_CASE("A disk that does what it is told is no matter") {
  StorageState state;
  CHECK_FALSE(state.deadline());
  state.WriteBegun(100);
  CHECK(state.deadline() == 100 + kPatience);
  CHECK_FALSE(state.Hangs(100 + kPatience - 1));
  state.WriteEnded(150);
  state.Took();
  CHECK_FALSE(state.deadline());
  CHECK_FALSE(state.Hangs(1'000'000));
  CHECK_FALSE(state.TakeRetry(1'000'000));
  CHECK(state.Trouble(1'000'000).empty());
}

TEST_CASE("A disk hangs when one write takes too long, not when many wait their turn") {
  StorageState state;
  state.WriteBegun(0);
  state.WriteBegun(0);
  state.WriteEnded(kPatience - 1);
  CHECK_FALSE(state.Hangs(kPatience));
  CHECK(state.deadline() == kPatience - 1 + kPatience);
  CHECK(state.Hangs(2 * kPatience - 1));
  CHECK(state.Trouble(2 * kPatience - 1) == "the disk has not answered for 10 s");
  state.WriteEnded(2 * kPatience);
  CHECK_FALSE(state.Hangs(2 * kPatience));
  CHECK(state.Trouble(2 * kPatience).empty());
}

TEST_CASE("What was refused is tried every second until the disk takes it") {
  StorageState state;
  state.Refused("full", 0);
  CHECK(state.Trouble(0) == "full");
  CHECK(state.deadline() == kPause);
  CHECK_FALSE(state.TakeRetry(kPause - 1));
  CHECK(state.TakeRetry(kPause));
  CHECK_FALSE(state.TakeRetry(kPause));
  state.Refused("full", kPause + 1);
  CHECK(state.TakeRetry(2 * kPause + 1));
  state.Took();
  CHECK_FALSE(state.deadline());
}

TEST_CASE("A wish that is owed is tried until it is paid, and not while something is written") {
  StorageState state;
  state.Owe(3, 0);
  CHECK(state.owed() == std::set<ServiceId>{3});
  state.WriteBegun(0);
  CHECK_FALSE(state.TakeRetry(kPause));
  state.WriteEnded(kPause);
  CHECK(state.TakeRetry(kPause));
  state.Paid(3);
  CHECK_FALSE(state.deadline());
}

}  // namespace slc
