#include "common/base/backoff.h"

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("The pause after a failure is doubled each time, up to the longest") {
  Millis failures = 0;
  for (const Millis pause : {0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}) {
    CHECK(BackoffPause(1000, 30000, failures++) == pause);
  }
  CHECK(BackoffPause(1000, 30000, 1'000'000'000) == 30000);
  CHECK(BackoffPause(100, 5000, -1) == 0);
}

}  // namespace slc
