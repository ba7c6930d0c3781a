// PlacePlan: what slcd does about its place in the home when somebody has taken part of it away.
// Pure: facts in, deeds out.
//
// Promise: never two in charge. Whose lock is in its place serves the home. Who finds another's
// there leaves, and touches neither that nor any master; only where there is none it takes one
// anew.
#pragma once

#include <vector>

namespace slc {

enum class PlaceLock { kOurs, kMissing, kAnothers };

// What is found by the paths by which others look for us.
struct PlaceFacts {
  bool run = true;                    // the run folder is the one that we have open
  bool instances = true;              // the same of the folder of the masters
  PlaceLock lock = PlaceLock::kOurs;  // kMissing if the run folder is missing
  bool socket = true;                 // the file is of the one that we listen on
};

enum class PlaceDeed { kLeave, kMakeFolders, kTakeLock, kListen };

// In the order in which they are to be done. Each needs that those before have worked.
std::vector<PlaceDeed> PlanPlace(const PlaceFacts& facts);

}  // namespace slc
