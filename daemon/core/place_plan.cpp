#include "daemon/core/place_plan.h"

namespace slc {

std::vector<PlaceDeed> PlanPlace(const PlaceFacts& facts) {
  if (facts.lock == PlaceLock::kAnothers) return {PlaceDeed::kLeave};
  std::vector<PlaceDeed> deeds;
  if (!facts.run || !facts.instances) deeds.push_back(PlaceDeed::kMakeFolders);
  if (facts.lock == PlaceLock::kMissing) deeds.push_back(PlaceDeed::kTakeLock);
  if (!facts.socket) deeds.push_back(PlaceDeed::kListen);
  return deeds;
}

}  // namespace slc
