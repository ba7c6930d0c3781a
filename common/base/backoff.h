// How long to wait before what has failed is tried again.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace slc {

// After the `failures`-th failure in a row: `first`, doubled each time, `longest` at most. 0 after
// none. The longest is a day at most.
inline Millis BackoffPause(Millis first, Millis longest, Millis failures) {
  if (failures <= 0) return 0;
  constexpr Millis kMostDoublings = 30;
  return std::min(longest, first << std::min(failures - 1, kMostDoublings));
}

}  // namespace slc
