// One line of a log, and what it says about itself.
//
// A line is what stands in the file, whatever its format. Its time is taken from the stamp that
// text and JSON lines begin with; a line without one (raw format, or a line put there by hand) has
// the time of the line before it in the same stream. So raw files cannot be merged line by line:
// what they hold counts as written when the file was begun, one file after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/log_names.h"
#include "common/base/time.h"

namespace slc::ctl {

struct LogLine {
  std::string text;   // the whole line without its "\n"
  Millis time = 0;    // wall time for merging; 0: unknown
  Millis latest = 0;  // it was not written later than that; = time if it is known
  LogStream stream = LogStream::kOut;
  bool ended = true;       // had a "\n"
  std::uint64_t end = 0;   // offset behind it in its file
  std::uint32_t file = 0;  // which file that is, for LogStreamReader::After
};

// Of a line that is neither text nor JSON format only `text` is known.
struct LogFields {
  std::optional<Millis> time;
  std::optional<std::int64_t> pid;
  std::optional<WorkerId> worker;
  std::string text;
};
LogFields ParseLogLine(const std::string& line);

// The stamp a line of text or JSON format begins with; -1 if there is none. Remembers the last
// minute seen: most lines are of the same one.
class StampParser {
 public:
  Millis Parse(std::string_view line);

 private:
  std::string minute_;
  Millis minute_start_ = 0;
};

}  // namespace slc::ctl
