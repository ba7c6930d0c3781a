// LogMerger: several streams of lines as one, ordered by time. Within a stream their order is kept;
// of lines of the same time that of the first stream comes first. Holds one line of each.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "ctl/logs/line.h"

namespace slc::ctl {

class LogMerger {
 public:
  // Gives the next line of a stream; false: there is none (any more).
  using Source = std::function<bool(LogLine* line)>;
  explicit LogMerger(std::vector<Source> sources);

  // The next line and the index of its stream; nothing when all have come to their ends.
  std::optional<std::size_t> Next(LogLine* line);

 private:
  void Advance(std::size_t source);

  std::vector<Source> sources_;
  std::vector<std::optional<LogLine>> heads_;
  std::optional<std::size_t> taken_;  // whose head was given away last
};

// Gives the lines of a list, which must outlive it, away.
LogMerger::Source GiveAway(std::vector<LogLine>& lines);

// Whole lists at once.
std::vector<LogLine> MergeByTime(std::vector<std::vector<LogLine>> lists);

}  // namespace slc::ctl
