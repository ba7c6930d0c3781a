#include "daemon/master/core/quiet_moment.h"

namespace slc {

QuietMoment::Deed QuietMoment::Look(const std::string& busy, std::size_t in_flight, Millis now) {
  if (busy.empty() && held_ && (in_flight == 0 || now - *held_ >= kLongestHold)) {
    return Deed::kExecute;
  }
  if (!busy.empty() && now - began_ >= kPatience) return Deed::kGiveUp;
  if (held_ && !busy.empty() && now - *held_ >= kLongestHold) {
    held_.reset();
    not_before_ = now + kBetweenHolds;
    return Deed::kRelease;
  }
  if (!held_ && busy.empty() && now >= not_before_) {
    held_ = now;
    return Deed::kHold;
  }
  return Deed::kWait;
}

}  // namespace slc
