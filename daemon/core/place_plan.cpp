#include "daemon/core/place_plan.h"

namespace slc {

PlaceLock JudgeLock(bool held, const std::optional<LockHolder>& told, const ProcessIdentity& self) {
  if (held) return PlaceLock::kAnothers;
  const bool later = told && told->process.start_time > self.start_time;
  return later ? PlaceLock::kAnothers : PlaceLock::kMissing;
}

bool MayAct(PlaceLock lock) { return lock == PlaceLock::kOurs || lock == PlaceLock::kMissing; }

std::vector<PlaceDeed> PlanPlace(const PlaceFacts& facts) {
  if (facts.lock == PlaceLock::kAnothers) return {PlaceDeed::kLeave};
  if (facts.lock == PlaceLock::kUnclear) return {PlaceDeed::kWait};
  std::vector<PlaceDeed> deeds;
  if (!facts.home) {
    deeds.push_back(PlaceDeed::kMakeHome);
  } else if (!facts.run || !facts.instances) {
    deeds.push_back(PlaceDeed::kMakeFolders);
  }
  if (facts.lock == PlaceLock::kMissing) deeds.push_back(PlaceDeed::kTakeLock);
  if (!facts.socket) deeds.push_back(PlaceDeed::kListen);
  return deeds;
}

}  // namespace slc
