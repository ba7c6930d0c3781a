// FailureThrottle: slows down who guesses. An address may fail kFree times within kWindow; from
// then on each failure makes it wait, longer each time, and what it sends meanwhile is not looked
// at.
//
// An address is forgotten when it has not failed for kForget. At most kMost are remembered: when
// there are more, those that failed longest ago are forgotten first, so that an attacker with many
// addresses cannot fill the memory.
//
// Pure: the caller says what time it is, in ms that never go back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "common/base/time.h"

namespace slc::gateway {

class FailureThrottle {
 public:
  static constexpr int kFree = 10;
  static constexpr Millis kWindow = 60'000;
  static constexpr Millis kFirstWait = 1'000;
  static constexpr Millis kLongestWait = 300'000;
  static constexpr Millis kForget = 900'000;
  static constexpr std::size_t kMost = 4096;

  // How long `address` has to wait before it is looked at; 0: not at all.
  Millis Wait(const std::string& address, Millis now) {
    const auto found = entries_.find(address);
    return found == entries_.end() ? 0 : std::max<Millis>(0, found->second.until - now);
  }

  // It has failed, when it had not to wait.
  void Fail(const std::string& address, Millis now) {
    while (!order_.empty() && Stale(entries_.at(order_.front()), now)) Forget(order_.front());
    auto found = entries_.find(address);
    if (found == entries_.end()) {
      if (entries_.size() >= kMost) Forget(order_.front());
      found = entries_.emplace(address, Entry{}).first;
      found->second.since = now;
      found->second.place = order_.insert(order_.end(), address);
    }
    Entry& entry = found->second;
    order_.splice(order_.end(), order_, entry.place);
    entry.last = now;
    if (entry.wait == 0 && now - entry.since >= kWindow) {
      entry.since = now;
      entry.failures = 0;
    }
    if (++entry.failures < kFree) return;
    entry.wait = entry.wait == 0 ? kFirstWait : std::min(entry.wait * 2, kLongestWait);
    entry.until = now + entry.wait;
  }

  // It has proved who it is.
  void Succeed(const std::string& address) {
    if (entries_.count(address) > 0) Forget(address);
  }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Millis since = 0;  // the window began
    int failures = 0;  // in it
    Millis wait = 0;   // the last one; 0: none yet
    Millis until = 0;
    Millis last = 0;
    std::list<std::string>::iterator place;
  };
  static bool Stale(const Entry& entry, Millis now) {
    return now - entry.last >= kForget && now >= entry.until;
  }
  void Forget(const std::string& address) {
    const auto found = entries_.find(address);
    order_.erase(found->second.place);
    entries_.erase(found);
  }

  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> order_;  // who failed longest ago first
};

}  // namespace slc::gateway
