#include "daemon/core/watch_pace.h"

#include <algorithm>

namespace slc {

void WatchPace::Changed(const std::string& path, Millis now) {
  constexpr std::size_t kMostNamed = 100;
  if (count_++ == 0) first_ = now;
  last_ = now;
  if (paths_.size() < kMostNamed) paths_.insert(path);
}

std::string WatchPace::Occasion() const {
  std::string text = *paths_.begin();
  if (paths_.size() > 1) text += " and " + std::to_string(paths_.size() - 1) + " more";
  return text;
}

std::optional<Millis> WatchPace::deadline(Millis now) const {
  if (count_ == 0) return std::nullopt;
  if (pausing_) return last_ + pause_;
  const Millis due = std::min(last_ + kQuiet, first_ + kLongest);
  return held_ ? std::max(due, now + kAskAgain) : due;
}

WatchPace::Deed WatchPace::Pass(bool busy, Millis now) {
  if (count_ == 0) return {};
  held_ = false;
  if (now < *deadline(now)) return {};
  if (pausing_) {
    pausing_ = false;
    pause_ended_ = now;
    restarts_.clear();
  }
  held_ = busy;
  if (busy) return {};
  while (!restarts_.empty() && restarts_.front() <= now - kWithin) restarts_.pop_front();
  Deed deed;
  deed.occasion = Occasion();
  if (restarts_.size() >= kMost) {
    const bool again = pause_ > 0 && now - pause_ended_ < kForgiven;
    pause_ = again ? std::min(2 * pause_, kLongestPause) : kFirstPause;
    pausing_ = true;
    deed.paused = true;
    return deed;
  }
  restarts_.push_back(now);
  paths_.clear();
  count_ = 0;
  deed.restart = true;
  return deed;
}

}  // namespace slc
