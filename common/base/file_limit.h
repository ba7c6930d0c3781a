// FileLimit: how many files slcd and its masters may have open.
//
// They raise their soft limit to the hard one, and give workers what they have found themselves. A
// next image of the same process (an upgrade in place, a version that gives way) starts with the
// raised limit: one that has more open than its soft limit cannot even load its libraries. What was
// found first is handed on to it in the environment, SLC_FOUND_NOFILE="PID SOFT"; other processes
// take no notice of it.
#pragma once

#include <sys/resource.h>

namespace slc {

// The first thing such a program does. Returns the limit that was found, by this image or the first
// one of this process, to be given to children (old programs select() and break above 1024).
rlimit RaiseFileLimit();

}  // namespace slc
