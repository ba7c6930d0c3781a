// What is missing in a log file of tests/apps/plain/noisy.js, whose lines are numbered, and how
// much the file itself says is missing.
#pragma once

#include <cstdint>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

struct NumberedLog {
  std::int64_t lines = 0;
  std::int64_t missing = 0;  // before the last one that is there
  std::int64_t stated = 0;   // by "[slc: N lines dropped]"
  bool open = false;         // no line has followed the last that was stated: it is not missing yet
  std::string wrong;         // lines that are torn, twice there, or out of order; empty if none
};

// `stream`: "out" or "err", of a service of one worker that was started once. A last line without
// an end is still being written, and left aside.
NumberedLog CountNumbered(World& world, const std::string& service, const std::string& stream);

}  // namespace slc::test
