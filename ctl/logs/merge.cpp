#include "ctl/logs/merge.h"

namespace slc::ctl {

LogMerger::LogMerger(std::vector<Source> sources)
    : sources_(std::move(sources)), heads_(sources_.size()) {
  for (std::size_t i = 0; i < sources_.size(); ++i) Advance(i);
}

void LogMerger::Advance(std::size_t source) {
  LogLine line;
  if (sources_[source](&line)) {
    heads_[source] = std::move(line);
  } else {
    heads_[source].reset();
  }
}

std::optional<std::size_t> LogMerger::Next(LogLine* line) {
  if (taken_) Advance(*std::exchange(taken_, std::nullopt));
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    if (!heads_[i]) continue;
    if (!first || heads_[i]->time < heads_[*first]->time) first = i;
  }
  if (!first) return std::nullopt;
  *line = std::move(*heads_[*first]);
  taken_ = first;
  return first;
}

LogMerger::Source GiveAway(std::vector<LogLine>& lines) {
  return [&lines, next = std::size_t{0}](LogLine* line) mutable {
    if (next == lines.size()) return false;
    *line = std::move(lines[next++]);
    return true;
  };
}

std::vector<LogLine> MergeByTime(std::vector<std::vector<LogLine>> lists) {
  std::vector<LogMerger::Source> sources;
  sources.reserve(lists.size());
  for (std::vector<LogLine>& list : lists) sources.push_back(GiveAway(list));
  LogMerger merger(std::move(sources));
  std::vector<LogLine> merged;
  LogLine line;
  while (merger.Next(&line)) merged.push_back(std::move(line));
  return merged;
}

}  // namespace slc::ctl
