#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/gateway/core/failure_throttle.h"
#include "daemon/gateway/core/request_guard.h"

namespace slc::gateway {
namespace {

TEST_CASE("ten failures a minute are free, then each wait is longer") {
  FailureThrottle throttle;
  Millis now = 1000;
  for (int i = 0; i < FailureThrottle::kFree - 1; ++i) throttle.Fail("a", now += 10);
  CHECK(throttle.Wait("a", now) == 0);
  throttle.Fail("a", now);
  CHECK(throttle.Wait("a", now) == 1000);
  CHECK(throttle.Wait("b", now) == 0);
  now += 1000;
  CHECK(throttle.Wait("a", now) == 0);
  throttle.Fail("a", now);
  CHECK(throttle.Wait("a", now) == 2000);
  for (int i = 0; i < 20; ++i) {
    now += throttle.Wait("a", now);
    throttle.Fail("a", now);
  }
  CHECK(throttle.Wait("a", now) == FailureThrottle::kLongestWait);
  throttle.Succeed("a");
  CHECK(throttle.Wait("a", now) == 0);
  CHECK(throttle.size() == 0);
}

TEST_CASE("who fails seldom never waits, and is forgotten") {
  FailureThrottle throttle;
  Millis now = 0;
  for (int i = 0; i < 1000; ++i) {
    throttle.Fail("a", now);
    CHECK(throttle.Wait("a", now) == 0);
    now += FailureThrottle::kWindow / 8;
  }
  throttle.Fail("b", now + FailureThrottle::kForget);
  CHECK(throttle.size() == 1);
}

TEST_CASE("random histories: never more addresses than are remembered, and waits are bounded") {
  std::mt19937 random(9);
  FailureThrottle throttle;
  Millis now = 0;
  for (int i = 0; i < 100'000; ++i) {
    now += random() % 50;
    const std::string address = std::to_string(random() % (random() % 4 == 0 ? 20'000 : 20));
    const Millis wait = throttle.Wait(address, now);
    REQUIRE(wait <= FailureThrottle::kLongestWait);
    if (wait > 0) continue;
    if (random() % 50 == 0) {
      throttle.Succeed(address);
    } else {
      throttle.Fail(address, now);
    }
    REQUIRE(throttle.size() <= FailureThrottle::kMost);
  }
}

http::RequestHead Head(const std::string& method, const std::string& host,
                       const std::string& origin = {}) {
  http::RequestHead head;
  head.method = method;
  head.target = "/";
  head.host = host;
  if (!origin.empty()) head.headers.push_back({"origin", origin});
  return head;
}

TEST_CASE("a request has to name us as we are") {
  const RequestGuard guard({"box", "box.example.org"});
  for (const char* host : {"127.0.0.1", "127.0.0.1:8701", "[::1]:8701", "[::1]", "localhost",
                           "LocalHost:8701", "box", "box.example.org.:80", "10.1.2.3:1"}) {
    INFO(host);
    CHECK(guard.Refusal(Head("POST", host), false, false, false).empty());
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "1.2.3", "1.2.3.256", "", "[]", "box.evil"}) {
    INFO(host);
    CHECK_FALSE(guard.Refusal(Head("GET", host), false, false, false).empty());
    CHECK(guard.Refusal(Head("GET", host), false, true, false).empty());
  }
}

TEST_CASE("pages of others may look, and not more") {
  const RequestGuard guard({});
  const std::string host = "localhost:8701";
  CHECK(guard.Refusal(Head("GET", host, "http://evil.example"), false, false, false).empty());
  CHECK_FALSE(guard.Refusal(Head("GET", host, "http://evil.example"), false, false, true).empty());
  CHECK_FALSE(
      guard.Refusal(Head("POST", host, "http://evil.example"), false, false, false).empty());
  CHECK_FALSE(guard.Refusal(Head("POST", host, "null"), false, false, false).empty());
  CHECK_FALSE(
      guard.Refusal(Head("POST", host, "https://localhost:8701"), false, false, false).empty());
  CHECK_FALSE(
      guard.Refusal(Head("POST", host, "http://localhost:3000"), false, false, false).empty());
  CHECK(guard.Refusal(Head("POST", host, "http://localhost:8701"), false, false, true).empty());
  CHECK(guard.Refusal(Head("POST", host, "https://localhost:8701"), true, false, false).empty());
}

}  // namespace
}  // namespace slc::gateway
