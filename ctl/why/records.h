// Records: what a diagnosis asks of the records of one service. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/model/journal.h"

namespace slc::ctl {

using Records = std::vector<JournalRecord>;  // oldest first

// The newest that `fits`.
template <typename Fits>
std::optional<JournalRecord> Newest(const Records& records, const Fits& fits) {
  const auto found = std::find_if(records.rbegin(), records.rend(), fits);
  return found == records.rend() ? std::nullopt : std::optional(*found);
}

// Those of the service with this id. 0: of the one that bore the name last. What was asked of a
// name that no service bore is nobody's.
Records OfOneService(const Records& records, ServiceId id);

// An end of several workers at once: no generation's fault.
bool IsOfMany(const JournalRecord& record);

// An end that nobody had asked for: of a worker, or of all.
bool IsUnaskedEnd(const JournalRecord& record);

// What came of a time of --restart-at.
bool IsOfSchedule(const JournalRecord& record);

// "4 unasked ends on record since 2026-11-26T04:20:11.000Z": since the oldest record there is.
std::string CountOfEnds(const Records& records);

}  // namespace slc::ctl
