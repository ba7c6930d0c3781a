// slc ctl log-dump [SVC] [--follow]
//
// Reads the files itself, no daemon is asked.
#pragma once

#include <iosfwd>
#include <vector>

#include "ctl/logs/source.h"

namespace slc::ctl {

struct LogDumpOptions {
  std::vector<LogSource> sources;  // several: each line begins with "NAME | "
  bool follow = false;             // again whenever something came
  bool json = false;               // all in one value; with `follow` one whenever something came
  bool terminal = false;           // `out` is a terminal: control bytes are shown as \xNN
  int out_fd = -1;  // what `out` writes to: following ends when nobody reads it any more
};

// Prints what came since the last dump, by whomever, at most the last MiB. What could not be
// written will be there the next time. Exit codes as those of RunLogs.
int RunLogDump(const LogDumpOptions& options, std::ostream& out, std::ostream& err);

}  // namespace slc::ctl
