// Replacement (`slcd --replace`): makes room for a new slcd where one has the lock of the home and
// says nothing: it is stopped, hangs, or waits for a disk.
//
// Promises: a slcd that answers lives on. Nobody is killed but the very process that took the lock,
// pid and start time, and that only after it was asked in vain for as long as is said below.
// Success is told only after its end was seen; the lock decides who serves the home then, so there
// are never two.
#pragma once

#include <string>

#include "common/base/home.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

struct ReplacementPatience {
  // How long it is asked. Twice this, each time anew: after a sleep of the whole machine the first
  // time is over at once, for it and for us.
  Millis answer = 5000;
  // From its SIGKILL to its end. Whoever takes longer is in an uninterruptible wait.
  Millis end = 5000;
};

// The text says who is gone and why, for the log. `holder`: what is in the lock file. Blocks.
//
// kConflict: it answers, or has left its place to another one. kPermission: it is silent, and it is
// for whoever started it to end it. kTimeout: it has not ended after its SIGKILL.
Result<std::string> EndSilentDaemon(const HomePaths& paths, const std::string& holder,
                                    const ReplacementPatience& patience = {});

// For a slcd that systemd has started: ends one that has the lock though nobody looks after it. It
// was started by hand before there was a unit, or by a client while systemd was about to. It is
// told to leave, which its services do not notice, and killed if it has not within `leave`.
//
// The text is as above; empty if there is none any more, or who it is has not been written yet.
// kConflict: somebody looks after it too. kTimeout: as above. Blocks.
Result<std::string> EndUnkeptDaemon(const std::string& holder, Millis leave = 10000);

}  // namespace slc
