#include "daemon/master/core/in_hand.h"

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("little is in hand while the disk keeps up") {
  InHand hand;
  constexpr std::size_t kWanted = 64U << 10;
  CHECK(hand.MayRead(0, 0, kWanted) == InHand::kRead);
  CHECK(hand.MayRead(0, 0, 100) == 100);
  CHECK(hand.MayRead(InHand::kRead, 1000, kWanted) == InHand::kRead - 1000);
  const std::size_t full = InHand::kUsual - InHand::kSmallestRead;
  CHECK(hand.MayRead(full, 0, kWanted) == InHand::kSmallestRead);
  CHECK(hand.MayRead(full, 1, kWanted) == 0);
  CHECK(hand.MayRead(10 * InHand::kUsual, 0, kWanted) == 0);
  // Two lines that have no end yet leave room for more.
  CHECK(hand.MayRead(0, 2 * kLongestLine, kWanted) == InHand::kRead);
  CHECK(InHand::Most(false) == 64U << 10);
}

TEST_CASE("a disk that falls behind makes nobody wait, until all is written") {
  InHand hand;
  constexpr std::size_t kWanted = 64U << 10;
  CHECK(hand.FallBehind());
  CHECK(!hand.FallBehind());
  CHECK(hand.behind());
  CHECK(hand.MayRead(InHand::kUsual, 0, kWanted) == kWanted);
  CHECK(InHand::Most(true) > kLogBlocks * kLogBlockBytes);
  CHECK(!hand.CatchUp(1));
  CHECK(hand.MayRead(InHand::kUsual, 0, kWanted) == kWanted);
  CHECK(hand.CatchUp(0));
  CHECK(!hand.CatchUp(0));
  CHECK(hand.MayRead(InHand::kUsual, 0, kWanted) == 0);
}

}  // namespace slc
