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

TEST_CASE("place: a home that was removed is made with all its folders, and once") {
  CHECK(PlanPlace({true, true, PlaceLock::kOurs, true, false}) == Deeds{PlaceDeed::kMakeHome});
  CHECK(PlanPlace({false, false, PlaceLock::kMissing, false, false}) ==
        Deeds{PlaceDeed::kMakeHome, PlaceDeed::kTakeLock, PlaceDeed::kListen});
  CHECK(PlanPlace({true, true, PlaceLock::kAnothers, true, false}) == Deeds{PlaceDeed::kLeave});
}

TEST_CASE("place: whoever finds another's lock leaves and does nothing else") {
  for (int missing = 0; missing < 8; ++missing) {
    const PlaceFacts facts{(missing & 1) == 0, (missing & 2) == 0, PlaceLock::kAnothers,
                           (missing & 4) == 0};
    CHECK(PlanPlace(facts) == Deeds{PlaceDeed::kLeave});
  }
}

TEST_CASE("place: a lock file that nobody holds is as good as none") {
  const ProcessIdentity self{100, 5000};
  // touch, or a copy of ours or of what was there before us.
  CHECK(JudgeLock(false, std::nullopt, self) == PlaceLock::kMissing);
  CHECK(JudgeLock(false, LockHolder{self, false}, self) == PlaceLock::kMissing);
  CHECK(JudgeLock(false, LockHolder{{101, 4000}, false}, self) == PlaceLock::kMissing);
  CHECK(JudgeLock(true, std::nullopt, self) == PlaceLock::kAnothers);
  CHECK(JudgeLock(true, LockHolder{{101, 4000}, false}, self) == PlaceLock::kAnothers);
}

TEST_CASE("place: whom one that came later has displaced stays so after the end of that one") {
  CHECK(JudgeLock(false, LockHolder{{101, 6000}, false}, {100, 5000}) == PlaceLock::kAnothers);
}

TEST_CASE("place: while it is unclear who holds the lock nothing is made, and no master touched") {
  CHECK(PlanPlace({false, false, PlaceLock::kUnclear, false}) == Deeds{PlaceDeed::kWait});
  CHECK_FALSE(MayAct(PlaceLock::kUnclear));
  CHECK_FALSE(MayAct(PlaceLock::kAnothers));
  CHECK(MayAct(PlaceLock::kMissing));
  CHECK(MayAct(PlaceLock::kOurs));
}

}  // namespace
}  // namespace slc
