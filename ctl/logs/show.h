// slc logs [SVC] [-f] [-n N] [--since T] [--grep RE] [--err] [--json]
//
// Reads the files itself, no daemon is asked.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "ctl/logs/source.h"

namespace slc::ctl {

struct LogsOptions {
  std::vector<LogSource> sources;    // several: each line begins with "NAME | "
  std::optional<std::size_t> lines;  // the last so many; default 20, with `since` all
  Millis since = 0;                  // wall time; 0: no limit
  std::string grep;          // applied to the line as it stands in the file; empty: no filter
  bool errors_only = false;  // stderr alone
  bool follow = false;
  bool json = false;      // a value per line
  bool terminal = false;  // `out` is a terminal: control bytes are shown as \xNN
  int out_fd = -1;        // what `out` writes to: following ends when nobody reads it any more
};

// Lines go to `out`, all else to `err`; with `json` the reason of a failure goes to `out`. Returns
// the exit code: 0, or 1 if the logs cannot be read, the expression is none, or `out` cannot be
// written. A reader that goes away (EPIPE) and Ctrl-C while following are no failure. Services
// without a log are named on `err`, exit code 0.
int RunLogs(const LogsOptions& options, std::ostream& out, std::ostream& err);

}  // namespace slc::ctl
