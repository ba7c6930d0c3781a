// Records of the journal in words.
#pragma once

#include <string>

#include "common/model/journal.h"

namespace slc::ctl {

// What happened: "worker 3 (pid 812) ended after 3m2s: exit code 1". Not yet safe for a terminal.
std::string DescribeEvent(const JournalRecord& record);
// "by alice (uid 1000, pid 4711)"; empty if nobody asked for it.
std::string DescribeActor(const JournalRecord& record);

}  // namespace slc::ctl
