// Trial: whether the slcd that an upgrade has brought holds. Pure.
//
// It is on trial until it has lived for ten seconds. What counts is deaths: of a slcd that had the
// home for its own and did not say that it leaves. Starts that lose the home to another slcd, and
// images that follow one another in one process, are none. After the third death it gives way to
// the version before, and so does every later start, until another binary is installed.
#pragma once

#include <string>

#include "common/base/time.h"

namespace slc {

struct Trial {
  static constexpr Millis kSpan = 10000;
  static constexpr unsigned kDeaths = 3;

  std::string binary;    // which file is on trial, see BinaryId
  std::string version;   // what it calls itself
  std::string previous;  // the version that is kept
  std::string request;   // of the client that asked for the upgrade
  std::string boot_id;   // of what follows
  bool begun = false;    // one has begun, and not left
  unsigned deaths = 0;
  bool failed = false;
};

enum class Verdict {
  kGoOn,
  kGiveWay,  // to the version before
  kVoid,     // the trial is of another binary: there is none any more
};

// `binary` starts and has not done anything yet.
Verdict JudgeStart(const Trial& trial, const std::string& binary);

// It has the home for its own now, so nobody else of it lives. `goes_on`: as the next image of a
// process that had it. Unless it is void, the trial has changed.
Verdict JudgeBegin(Trial& trial, const std::string& binary, const std::string& boot_id,
                   bool goes_on);

// Whether the version before may be tried where masters of the new one do not hold, if it was
// `kept` then. What is done once a day, rotating logs for one, has been done by then; later the
// fault is not the version's, which has worked. On the wall clock; one that was set back counts as
// later.
bool MayStandIn(Millis kept, Millis now);

}  // namespace slc
