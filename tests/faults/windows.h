// When requests may fail, and how many: what each blow is allowed to cost. Whatever fails outside
// of these windows is a broken promise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/harness.h"

namespace slc::test {

class Windows {
 public:
  static constexpr std::int64_t kAny = 1'000'000;

  // Of the lanes "SERVICE-keep" and "SERVICE-close" at most so many requests may end in a failure
  // from `from` on, for `span`.
  void Allow(const std::string& service, Millis from, Millis span, std::int64_t kept,
             std::int64_t closing, const std::string& why);
  // Any number, until Close(), and no longer than `most` ms.
  void Open(const std::string& service, Millis from, Millis most, const std::string& why);
  // What has held up whoever is to make a service whole lets the open windows be `by` ms longer.
  void Prolong(Millis by);
  // Until `from` + `by` nothing becomes whole: open windows are so much longer, and of those opened
  // meanwhile the time counts from then on.
  void HoldUp(Millis from, Millis by);
  void Close(const std::string& service, Millis at);
  bool IsOpen(const std::string& service) const;

  // The failures that no window allows, one per line; empty if all is well. Each failure uses up
  // one of the window that ends first.
  std::string Judge(const LoadReport& report) const;
  // For how long from `begin` to `end` any number of this service's requests may have failed.
  Millis OpenFor(const std::string& service, Millis begin, Millis end) const;
  // The longest window of each kind that Close() has ended, for MESSAGE.
  std::string Longest() const;

 private:
  struct Window {
    std::string service;
    Millis from = 0;
    Millis to = 0;
    bool open = false;
    std::int64_t kept = 0;
    std::int64_t closing = 0;
    std::string why;
  };
  std::vector<Window> windows_;
  Millis held_until_ = 0;
};

}  // namespace slc::test
