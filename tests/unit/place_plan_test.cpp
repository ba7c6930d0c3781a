#include "daemon/core/place_plan.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

using Deeds = std::vector<PlaceDeed>;

TEST_CASE("place: nothing is done while all is in its place") {
  CHECK(PlanPlace(PlaceFacts{}).empty());
}

TEST_CASE("place: what is missing is made anew, and the socket only under the lock") {
  CHECK(PlanPlace({true, true, PlaceLock::kOurs, false}) == Deeds{PlaceDeed::kListen});
  CHECK(PlanPlace({true, true, PlaceLock::kMissing, true}) == Deeds{PlaceDeed::kTakeLock});
  CHECK(PlanPlace({true, false, PlaceLock::kOurs, true}) == Deeds{PlaceDeed::kMakeFolders});
  CHECK(PlanPlace({false, false, PlaceLock::kMissing, false}) ==
        Deeds{PlaceDeed::kMakeFolders, PlaceDeed::kTakeLock, PlaceDeed::kListen});
}

TEST_CASE("place: whoever finds another's lock leaves and does nothing else") {
  for (int missing = 0; missing < 8; ++missing) {
    const PlaceFacts facts{(missing & 1) == 0, (missing & 2) == 0, PlaceLock::kAnothers,
                           (missing & 4) == 0};
    CHECK(PlanPlace(facts) == Deeds{PlaceDeed::kLeave});
  }
}

}  // namespace
}  // namespace slc
