// What is left to read of a stream behind a place that was reached in it earlier, while its files
// may have been put aside, compressed or removed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ctl/logs/file.h"
#include "ctl/logs/folder.h"
#include "ctl/logs/position.h"

namespace slc::ctl {

// A file and where to begin in it.
struct LogPart {
  std::string stamp;  // empty: the current file
  std::uint64_t offset = 0;
  bool within_line = false;  // `offset` may be within a line, whose rest is skipped
};

struct LogRest {
  std::string after;              // stamp of the newest file that is behind us; "" : none
  std::vector<LogPart> aside;     // files put aside, oldest first
  LogPart current;                // comes last
  std::unique_ptr<LogFile> file;  // the current one; null: there is none now
};

// At most about the last `most` bytes. `folder` is open.
LogRest RestAfter(LogFolder& folder, const LogPosition& position, std::uint64_t most,
                  std::vector<std::string>* warnings);

// The stamp, after `after`, under which the file that was current until now was put aside; `after`
// if it was removed. `position` is its end; while the file is open nobody else can get its inode.
std::string StampOf(LogFolder& folder, const LogPosition& position, const std::string& after,
                    std::vector<std::string>* warnings);

}  // namespace slc::ctl
