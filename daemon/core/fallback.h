// Fallback: a service whose file was damaged, and of which the version before is used. It is shown
// until a person has seen to the service: as long as its wish says so, in memory and on the disk.
// Pure.
//
// The version before knows nothing of the last change, but a living master does: it says what was
// wanted of it, and has the config of what runs.
#pragma once

#include <string>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/model/service.h"

namespace slc {

struct Fallback {
  ServiceId id = 0;
  RecordDamage damage;
  bool settled = false;  // its master has told what it obeys, or there is none
  std::string differs;   // how a restart would change what runs: "env A removed"; may be empty
};

// `wish`, completed by what its living master was told last. If that is younger, order and
// generation are the master's, so that the next change is above them; and what was made to run
// runs on, in its size. A master that is ending, though it is to run, gets an order of its own.
Wish CatchUp(Wish wish, const FleetWish& obeyed, unsigned cpus);

// How a restart would change what runs; empty if it would not. What the app's folder holds is left
// out: that is no matter of the record.
std::string DescribeDifference(GenerationConfig runs, GenerationConfig recorded);

// On one line: what was found when, what is used, and what may be lost.
std::string DescribeFallback(const Fallback& fallback);

}  // namespace slc
