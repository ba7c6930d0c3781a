// PlacePlan: what slcd does about its place in the home when somebody has taken part of it away.
// Pure: facts in, deeds out.
//
// Promise: never two in charge. Whose lock is in its place serves the home. Who finds another's
// there leaves, and touches neither that nor any master; only where there is none, or a file that
// nobody holds, it takes one anew.
#pragma once

#include <optional>
#include <vector>

#include "common/base/lock_holder.h"

namespace slc {

// kUnclear: it is another file, and for want of descriptors it cannot be told who holds it.
enum class PlaceLock { kOurs, kMissing, kAnothers, kUnclear };

// Of a lock file that is not the one we hold: whether somebody else does, and whom it tells of. One
// that nobody holds is as good as none (touch, or what was copied back), unless one that came after
// us has held it: masters are its own, and we know nothing of them.
PlaceLock JudgeLock(bool held, const std::optional<LockHolder>& told, const ProcessIdentity& self);

// What is found by the paths by which others look for us.
struct PlaceFacts {
  bool run = true;                    // the run folder is the one that we have open
  bool instances = true;              // the same of the folder of the masters
  PlaceLock lock = PlaceLock::kOurs;  // kMissing if the run folder is missing
  bool socket = true;                 // the file is of the one that we listen on
  bool home = true;                   // the home and its services/ are those we have open
};

// kWait: look again a little later. kMakeHome: with all folders in it.
enum class PlaceDeed { kLeave, kWait, kMakeHome, kMakeFolders, kTakeLock, kListen };

// In the order in which they are to be done. Each needs that those before have worked.
std::vector<PlaceDeed> PlanPlace(const PlaceFacts& facts);

// Whether something may be done to a master now. Where that is unclear it may not: a slcd that
// leaves in vain is followed by another one, two in charge lose workers.
bool MayAct(PlaceLock lock);

}  // namespace slc
