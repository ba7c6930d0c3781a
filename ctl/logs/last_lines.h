// Reading a log from its end: the last lines, without reading what comes before them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ctl/logs/file.h"
#include "ctl/logs/folder.h"
#include "ctl/logs/line.h"

namespace slc::ctl {

struct LastLinesQuery {
  std::size_t count = 0;
  Millis since = 0;  // not older than that; 0: no limit
  std::function<bool(const LogLine&)> wanted;
};

// The end of a stream: the first `size` bytes of `current` (null: it counts for nothing), and
// before them the files put aside up to the one with the stamp `after` ("" : none).
struct LogEnd {
  LogFile* current = nullptr;
  std::uint64_t size = 0;
  std::string after;
};

// Oldest first. Moves the current file. `folder` is open.
std::vector<LogLine> LastLines(LogFolder& folder, const LogEnd& end, const LastLinesQuery& query,
                               std::vector<std::string>* warnings);

// The offset behind the last "\n"; 0 if there is none. For a file that is not compressed.
std::uint64_t EndOfLastLine(LogFile& file);

}  // namespace slc::ctl
