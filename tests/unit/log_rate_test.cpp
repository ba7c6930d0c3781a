#include "daemon/master/core/log_rate.h"

#include <algorithm>
#include <deque>
#include <random>
#include <utility>

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Logs a line if it may.
bool Log(LogRate& rate, std::size_t bytes, std::int64_t now, LogStream stream = LogStream::kOut) {
  rate.Earn(now);
  if (!rate.admits()) {
    rate.Refuse(stream);
    return false;
  }
  rate.Spend(bytes);
  return true;
}

TEST_CASE("without a limit every line is admitted") {
  LogRate rate;
  CHECK_FALSE(rate.limited());
  for (int i = 0; i < 100; ++i) CHECK(Log(rate, 1U << 20, i));
  CHECK(rate.Wait() == 0);
}

TEST_CASE("a second's worth goes through at once, then a quarter of it at a time") {
  LogRate rate;
  rate.SetLimit(1000);
  for (int i = 0; i < 10; ++i) CHECK(Log(rate, 100, kSecond));
  CHECK_FALSE(Log(rate, 100, kSecond));
  CHECK_FALSE(Log(rate, 1, kSecond + 249'999));
  CHECK(Log(rate, 100, kSecond + 250'000));
  CHECK(Log(rate, 100, kSecond + 250'000));
  CHECK(Log(rate, 100, kSecond + 250'000));
  CHECK_FALSE(Log(rate, 100, kSecond + 250'000));
  CHECK(rate.Wait() == 300'001);  // 250 bytes, and 50 that were too much
}

TEST_CASE("what was refused is counted for each stream, until it is taken") {
  LogRate rate;
  rate.SetLimit(10);
  CHECK(Log(rate, 10, kSecond));
  Log(rate, 10, kSecond);
  Log(rate, 10, kSecond, LogStream::kErr);
  Log(rate, 10, kSecond, LogStream::kErr);
  CHECK(rate.refused() == 3);
  CHECK(rate.TakeRefused(LogStream::kErr) == 2);
  CHECK(rate.TakeRefused(LogStream::kErr) == 0);
  CHECK(rate.refused() == 1);
}

TEST_CASE("a line that is longer than the limit goes through, and is paid off") {
  LogRate rate;
  rate.SetLimit(100);
  CHECK(Log(rate, 1000, kSecond));
  CHECK_FALSE(Log(rate, 1, 10 * kSecond));  // a second's worth at most is earned in a pause
  CHECK(rate.Wait() > 8 * kSecond);
}

TEST_CASE("a new limit holds at once; none ends it") {
  LogRate rate;
  rate.SetLimit(1000);
  CHECK(Log(rate, 900, kSecond));
  rate.SetLimit(50);
  CHECK(Log(rate, 50, kSecond));
  CHECK_FALSE(Log(rate, 1, kSecond));
  rate.SetLimit(0);
  CHECK(Log(rate, 5000, kSecond));
  CHECK(rate.Wait() == 0);
}

TEST_CASE("random histories: never more than the limit, a second's worth and a line") {
  std::mt19937 random(7);
  const auto number = [&random](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (int round = 0; round < 200; ++round) {
    const std::int64_t limit = number(0, 1) == 0 ? number(1, 500) : number(10'000, 5'000'000);
    const std::int64_t longest = number(1, std::max<std::int64_t>(limit / 2, 2));
    LogRate rate;
    rate.SetLimit(static_cast<std::uint64_t>(limit));
    std::int64_t now = number(0, 1'000'000'000);
    std::deque<std::pair<std::int64_t, std::int64_t>> logged;  // when, bytes
    std::int64_t refused = 0;
    for (int step = 0; step < 2000; ++step) {
      now += number(0, 99) == 0 ? number(0, 3 * kSecond) : number(0, 500);
      const std::int64_t bytes = number(1, longest);
      if (Log(rate, static_cast<std::size_t>(bytes), now)) {
        logged.emplace_back(now, bytes);
      } else {
        ++refused;
        const std::int64_t wait = rate.Wait();
        REQUIRE(wait > 0);
        LogRate later = rate;
        later.Earn(now + wait);
        REQUIRE((later.admits() || wait > kSecond));
      }
    }
    REQUIRE(rate.refused() == static_cast<std::uint64_t>(refused));
    for (std::size_t first = 0; first < logged.size(); first += 97) {
      std::int64_t sum = 0;
      for (std::size_t i = first; i < logged.size(); ++i) {
        sum += logged[i].second;
        const std::int64_t span = logged[i].first - logged[first].first;
        REQUIRE(sum <= limit + span * limit / kSecond + 1 + longest);
      }
    }
  }
}

}  // namespace
}  // namespace slc
