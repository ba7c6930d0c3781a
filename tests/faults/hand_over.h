// How long a connection is only a master's: from the return of its accept4 until its sendmsg to a
// worker has returned. What a SIGKILL in between loses.
#pragma once

#include <cstddef>

#include "tests/system/harness.h"

namespace slc::test {

struct HandOver {
  double median = 0;  // seconds
  std::size_t count = 0;
};

// By strace, whose stops between the calls make it longer than it is: an upper bound.
HandOver MeasureHandOver(World& world, const App& app);

}  // namespace slc::test
