#include "daemon/master/core/flood_pace.h"

#include <random>

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Reads turn after turn, as soon as it may, for so long from `now` on; what was read.
std::int64_t ReadFor(FloodPace& pace, std::int64_t span, std::int64_t* now) {
  std::int64_t sum = 0;
  const std::int64_t end = *now + span;
  while (*now < end) {
    const std::int64_t wait = pace.Wait(*now);
    *now += wait;
    if (wait > 0 || *now >= end) continue;
    pace.Take(FloodPace::kTurn, *now);
    sum += FloodPace::kTurn;
    *now += 100;  // 2.6 GB/s
  }
  return sum;
}

TEST_CASE("a burst is taken at once") {
  FloodPace pace;
  std::int64_t now = 5 * kSecond;
  for (std::int64_t sum = 0; sum < FloodPace::kBurst; sum += FloodPace::kTurn) {
    REQUIRE(pace.Wait(now) == 0);
    pace.Take(FloodPace::kTurn, now);
  }
  // All is used up, and one turn is to be earned.
  CHECK(pace.Wait(now) == FloodPace::kTurn * kSecond / FloodPace::kSteady + 1);
}

TEST_CASE("who prints without end is read steadily after the burst") {
  FloodPace pace;
  std::int64_t now = kSecond;
  const std::int64_t first = ReadFor(pace, kSecond, &now);
  CHECK(first >= FloodPace::kBurst);
  CHECK(first <= FloodPace::kBurst + FloodPace::kSteady + FloodPace::kTurn);
  const std::int64_t then = ReadFor(pace, 10 * kSecond, &now);
  CHECK(then >= 99 * FloodPace::kSteady / 10);
  CHECK(then <= 10 * FloodPace::kSteady + FloodPace::kTurn);
}

TEST_CASE("a pause gives the burst back, and no more than that") {
  FloodPace pace;
  std::int64_t now = kSecond;
  ReadFor(pace, kSecond, &now);
  now += 1000 * kSecond;
  const std::int64_t again = ReadFor(pace, kSecond, &now);
  CHECK(again >= FloodPace::kBurst);
  CHECK(again <= FloodPace::kBurst + FloodPace::kSteady + FloodPace::kTurn);
}

TEST_CASE("each flood is told of once, when its burst is used up") {
  FloodPace pace;
  std::int64_t now = kSecond;
  for (int flood = 0; flood < 3; ++flood) {
    pace.Take(FloodPace::kBurst - 1, now);
    CHECK_FALSE(pace.TakeNews());
    pace.Take(1, now);
    CHECK(pace.TakeNews());
    CHECK_FALSE(pace.TakeNews());
    for (int i = 0; i < 100; ++i) {
      now += 10'000;
      pace.Take(FloodPace::kSteady / 100, now);
      CHECK_FALSE(pace.TakeNews());
    }
    now += 10 * kSecond;
  }
}

TEST_CASE(
    "random histories: what is read in any time stays within burst and pace, and never stops") {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    FloodPace pace;
    const std::int64_t start = 1 + random() % 1000;
    std::int64_t now = start;
    std::int64_t sum = 0;
    for (int step = 0; step < 20'000; ++step) {
      now += random() % 3000;
      const std::int64_t wait = pace.Wait(now);
      REQUIRE(wait <= (2 * FloodPace::kTurn) * kSecond / FloodPace::kSteady + 1);
      if (wait > 0) continue;
      const std::size_t bytes = random() % FloodPace::kTurn + 1;
      pace.Take(bytes, now);
      sum += static_cast<std::int64_t>(bytes);
      REQUIRE(sum <=
              FloodPace::kBurst + (now - start) * FloodPace::kSteady / kSecond + FloodPace::kTurn);
    }
  }
}

}  // namespace
}  // namespace slc
