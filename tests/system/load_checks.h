// What tests under load say and demand of slc-load's report.
#pragma once

#include <map>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

// SLC_LONG=1: the large counts, see packaging/check --long and tests/faults/run --long.
bool Long();

// A line per lane, for MESSAGE: answers, failures, connections, latencies, how fast it went.
std::string Figures(const LoadReport& report);

// By lane: for how long no answer can have been expected.
using HeldUp = std::map<std::string, Millis>;

// Every lane with a pace got half the answers that it has in all the time it was not held up: half,
// because answers take their time, and that of a busy machine; a lane that stands still, or of
// which only some connections go on, does not come by it.
void CheckLoaded(const LoadReport& report, const HeldUp& held = {});

// No failure of any kind, in any lane, and no FIN that crossed a request; every lane was loaded.
void CheckNoneFailed(const LoadReport& report, const HeldUp& held = {});

}  // namespace slc::test
