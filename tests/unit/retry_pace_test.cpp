#include "daemon/core/retry_pace.h"

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("retry pace: a second, doubled up to half a minute, and anew once it has worked") {
  RetryPace pace;
  for (const Millis pause : {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}) {
    CHECK(pace.AfterFailure() == pause);
  }
  pace.Reset();
  CHECK(pace.AfterFailure() == RetryPace::kShortest);
}

}  // namespace slc
