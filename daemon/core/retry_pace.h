// RetryPace: how long to wait before what has failed is tried again. Pure.
//
// For what somebody else has to mend (a folder that is not mounted yet, a program that is missing):
// soon at first, since a boot is over in seconds, and then seldom enough to cost nothing.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace slc {

class RetryPace {
 public:
  static constexpr Millis kShortest = 1000;
  static constexpr Millis kLongest = 30000;

  // The pause after one more failure: 1 s, 2, 4, 8, 16, then 30 s for good.
  Millis AfterFailure() {
    const Millis pause = next_;
    next_ = std::min(kLongest, next_ * 2);
    return pause;
  }
  // It has worked, or nobody needs it any more.
  void Reset() { next_ = kShortest; }

 private:
  Millis next_ = kShortest;
};

}  // namespace slc
