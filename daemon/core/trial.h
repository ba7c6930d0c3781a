// Trial: whether the slcd that an upgrade has brought holds. Pure.
//
// It is on trial until it has lived for ten seconds. Each start is counted before anything else is
// done; at the third within ten seconds it gives way to the version before, and so does every later
// start, until another binary is installed.
#pragma once

#include <string>
#include <vector>

#include "common/base/time.h"

namespace slc {

struct Trial {
  static constexpr Millis kSpan = 10000;
  static constexpr std::size_t kStarts = 3;

  std::string binary;    // which file is on trial, see BinaryId
  std::string version;   // what it calls itself
  std::string previous;  // the version that is kept
  std::string request;   // of the client that asked for the upgrade
  std::string boot_id;
  std::vector<Millis> starts;  // on the clock of that boot
  bool failed = false;
};

enum class Verdict {
  kGoOn,     // the trial is under way; it has changed
  kGiveWay,  // to the version before; it may have changed
  kVoid,     // of another binary: there is no trial any more
};

// `binary` starts, in this boot and now.
Verdict JudgeStart(Trial& trial, const std::string& binary, const std::string& boot_id, Millis now);

// Whether the version before may be tried where masters of the new one do not hold, if it was
// `kept` then. What is done once a day, rotating logs for one, has been done by then; later the
// fault is not the version's, which has worked. On the wall clock; one that was set back counts as
// later.
bool MayStandIn(Millis kept, Millis now);

}  // namespace slc
