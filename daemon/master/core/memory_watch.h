// MemoryWatch: which workers use more memory than --max-memory allows? Pure.
//
// A worker counts as too large after two looks in a row that found it so, since a garbage
// collection may be about to come; one look that finds it below ends that. It is looked every
// kPeriod, and every kNearPeriod while one has more than 80 % of what it may. Looks are aligned:
// all masters of a machine wake at the same moments.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace slc {

class MemoryWatch {
 public:
  static constexpr Millis kPeriod = 5000;
  static constexpr Millis kNearPeriod = 1000;

  struct Reading {
    WorkerId worker = 0;
    std::uint64_t resident = 0;  // bytes
    std::uint64_t limit = 0;     // bytes, > 0
  };
  struct Finding {
    WorkerId worker = 0;
    std::string why;  // for people: "uses 412 MiB, and may use 300 MiB"; empty: it is below again
  };

  // Of all that are watched: who is not among them is forgotten.
  std::vector<Finding> Look(const std::vector<Reading>& readings);
  // When to look next.
  Millis NextAfter(Millis now) const;

 private:
  std::map<WorkerId, int> over_;  // looks in a row that found it too large
  bool near_ = false;
};

}  // namespace slc
