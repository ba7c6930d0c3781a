#include "daemon/master/core/readiness.h"

#include <algorithm>

namespace slc {

bool ReadinessJudge::HoldsExpected() const {
  return std::includes(held_.begin(), held_.end(), expected_.begin(), expected_.end());
}

bool ReadinessJudge::Ready(Millis now) const {
  if (mode_ == Readiness::kMessage) return said_ready_;
  const bool said = said_ready_ && mode_ == Readiness::kListening;
  if (mode_ == Readiness::kAlive || !node_) return said || now - spawned_at_ >= kAliveFor;
  if (!listening_at_) return false;
  return HoldsExpected() || (!same_generation_ && now - *listening_at_ >= kSettle);
}

std::optional<Millis> ReadinessJudge::deadline() const {
  if (mode_ == Readiness::kMessage) {
    return said_ready_ ? std::optional(spawned_at_) : std::nullopt;
  }
  if (mode_ == Readiness::kAlive || !node_) return spawned_at_ + kAliveFor;
  if (listening_at_ && !same_generation_) return *listening_at_ + kSettle;
  return std::nullopt;
}

}  // namespace slc
