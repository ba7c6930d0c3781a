// LogCursor: how far `slc ctl log-dump` has got in the logs of a service.
//
// Kept in the log directory itself, in "dump.cursor": two lines of text, replaced atomically. It
// survives files being put aside and compressed (see LogPosition). An OFD lock on "dump.lock" keeps
// two dumps from printing the same lines.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "ctl/logs/line.h"
#include "ctl/logs/position.h"

namespace slc::ctl {

inline constexpr std::uint64_t kMostDumped = 1U << 20;

class LogCursor {
 public:
  // Waits up to `patience` for another dump to finish. kNotFound: there is no such directory;
  // kConflict: the other one does not finish.
  static Result<LogCursor> Open(const std::string& directory, Millis patience);

  // What came since the cursor, merged by time: whole lines, at most the last kMostDumped bytes
  // (with their "\n"); older ones are cut and never dumped. All is new, with a warning, if there
  // was a cursor that could not be read.
  struct New {
    std::vector<LogLine> lines;
    std::vector<LogPosition> positions;  // behind each line, in its stream
    // Behind the last line that was cut; nothing if none was. Out, err.
    std::array<std::optional<LogPosition>, 2> cut;
    std::vector<std::string> warnings;
  };
  Result<New> Read();

  // Moves on behind the first `count` lines of what Read() gave, and behind what was cut before
  // them, and makes that durable. Stays where it is if `count` is 0.
  Status MoveBehind(const New& read, std::size_t count);

 private:
  LogCursor(std::string path, UniqueFd directory, UniqueFd lock);

  std::string path_;
  UniqueFd directory_;
  UniqueFd lock_;
  std::array<LogPosition, 2> positions_;  // out, err
};

// The content of the file, pure. Parse: nothing if it is not what Format made.
std::string FormatCursor(const std::array<LogPosition, 2>& positions);
std::optional<std::array<LogPosition, 2>> ParseCursor(const std::string& text);

}  // namespace slc::ctl
