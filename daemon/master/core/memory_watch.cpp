#include "daemon/master/core/memory_watch.h"

#include "common/base/text.h"

namespace slc {

std::vector<MemoryWatch::Finding> MemoryWatch::Look(const std::vector<Reading>& readings) {
  constexpr int kLooks = 2;
  std::vector<Finding> findings;
  std::map<WorkerId, int> over;
  near_ = false;
  for (const Reading& reading : readings) {
    near_ = near_ || reading.resident > reading.limit / 5 * 4;
    const auto before = over_.find(reading.worker);
    const int looks = before == over_.end() ? 0 : before->second;
    if (reading.resident <= reading.limit) {
      if (looks >= kLooks) findings.push_back({reading.worker, {}});
      continue;
    }
    over[reading.worker] = looks + 1;
    if (looks + 1 != kLooks) continue;
    findings.push_back({reading.worker, "uses " + FormatBytes(reading.resident) +
                                            " of memory, and may use " +
                                            FormatBytes(reading.limit) + " (--max-memory)"});
  }
  over_ = std::move(over);
  return findings;
}

Millis MemoryWatch::NextAfter(Millis now) const {
  const Millis period = near_ ? kNearPeriod : kPeriod;
  return (now / period + 1) * period;
}

}  // namespace slc
