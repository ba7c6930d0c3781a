// What tests under load say and demand of slc-load's report.
#pragma once

#include <string>

#include "tests/system/harness.h"

namespace slc::test {

// SLC_LONG=1: the large counts, see packaging/check --long and tests/faults/run --long.
bool Long();

// A line per lane, for MESSAGE: answers, failures, connections, latencies.
std::string Figures(const LoadReport& report);

// No failure of any kind, in any lane, and no FIN that crossed a request; every lane got answers.
void CheckNoneFailed(const LoadReport& report);

}  // namespace slc::test
