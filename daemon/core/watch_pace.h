// WatchPace: when changed files restart a service. Pure.
//
// Once nothing has changed for kQuiet, kLongest after the first change at the latest, and not while
// the service is being changed: then as soon as that has ended. After kMost restarts within kWithin
// it pauses, as something in the folder is written by each start, until nothing has changed for the
// length of the pause; each pause is twice as long as the one before, unless that is kForgiven ago.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>

#include "common/base/time.h"

namespace slc {

class WatchPace {
 public:
  static constexpr Millis kQuiet = 200;
  static constexpr Millis kLongest = 2'000;
  static constexpr std::size_t kMost = 10;
  static constexpr Millis kWithin = 60'000;
  static constexpr Millis kFirstPause = 10'000;
  static constexpr Millis kLongestPause = 600'000;
  static constexpr Millis kForgiven = 600'000;
  static constexpr Millis kAskAgain = 100;  // whether the service is being changed still

  void Changed(const std::string& path, Millis now);

  struct Deed {
    bool restart = false;
    bool paused = false;   // it pauses from now on
    std::string occasion;  // what has changed, for people: "src/app.js and 2 more"
  };
  // It is `now`; `busy`: the service is being changed. At most one of the two is to be done.
  Deed Pass(bool busy, Millis now);
  // When Pass() may have something to give.
  std::optional<Millis> deadline(Millis now) const;

  bool pausing() const { return pause_ > 0 && pausing_; }
  Millis pause() const { return pause_; }  // how long it has to be quiet

 private:
  std::string Occasion() const;

  std::set<std::string> paths_;
  std::size_t count_ = 0;  // of changes; 0: nothing waits
  Millis first_ = 0;
  Millis last_ = 0;
  bool held_ = false;  // it would be time, but the service is busy
  std::deque<Millis> restarts_;
  bool pausing_ = false;
  Millis pause_ = 0;
  Millis pause_ended_ = 0;
};

}  // namespace slc
