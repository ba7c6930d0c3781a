#include "ctl/logs/last_lines.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string_view>
#include <utility>

namespace slc::ctl {
namespace {

constexpr std::size_t kReadBytes = 64U << 10;

// The wanted ones among the lines of a window at the end of a file.
class Window {
 public:
  // `whole`: it begins where the file does, whose lines are not older than `begun`.
  Window(const LastLinesQuery& query, std::size_t count, bool whole, Millis begun, Millis changed)
      : query_(query),
        count_(count),
        dated_(whole),
        reaches_back_(whole),
        time_(begun),
        latest_(changed) {}

  void Take(std::string_view text, LogStream stream) {
    const Millis stamp = stamps_.Parse(text);
    if (stamp >= 0) {
      if (!dated_ && stamp < query_.since) reaches_back_ = true;
      time_ = stamp;
      latest_ = stamp;
      dated_ = true;
    }
    if (!dated_ || latest_ < query_.since) return;
    LogLine line;
    line.text.assign(text);
    line.time = time_;
    line.latest = latest_;
    line.stream = stream;
    if (!query_.wanted(line)) return;
    lines_.push_back(std::move(line));
    if (lines_.size() > count_) lines_.pop_front();
  }

  // Whether a larger window would give no other lines.
  bool IsEnough() const { return reaches_back_ || lines_.size() >= count_; }
  std::vector<LogLine> Lines() {
    return {std::make_move_iterator(lines_.begin()), std::make_move_iterator(lines_.end())};
  }

 private:
  const LastLinesQuery& query_;
  const std::size_t count_;
  bool dated_;  // false: the time of lines before the first stamp is not known
  bool reaches_back_;
  Millis time_;
  Millis latest_;
  StampParser stamps_;
  std::deque<LogLine> lines_;
};

// Gives `take` each line between two offsets, but for the rest of one that began before the first.
template <typename Take>
void ForEachLine(LogFile& file, std::uint64_t start, std::uint64_t end, Take&& take) {
  file.MoveTo(start);
  bool skip = start > 0;
  std::string buffer;
  for (std::uint64_t left = end - start; left > 0;) {
    const std::size_t old = buffer.size();
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadBytes));
    buffer.resize(old + want);
    const ssize_t got = file.Read(buffer.data() + old, want);
    buffer.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) break;
    left -= static_cast<std::uint64_t>(got);
    std::size_t begin = 0;
    std::size_t newline = buffer.find('\n', old);
    while (newline != std::string::npos) {
      if (!std::exchange(skip, false))
        take(std::string_view(buffer).substr(begin, newline - begin));
      begin = newline + 1;
      newline = buffer.find('\n', begin);
    }
    buffer.erase(0, begin);
  }
  if (!buffer.empty() && !skip) take(std::string_view(buffer));
}

// Within the first `size` bytes of a file that was begun at `begun`. Looks at a larger and larger
// part of the file's end: until there are enough lines, it reaches what is too old, or it is the
// whole file.
std::vector<LogLine> LastOfFile(LogFile& file, std::uint64_t size, LogStream stream, Millis begun,
                                const LastLinesQuery& query, std::size_t count) {
  std::uint64_t length = file.compressed() ? size : 4 * kReadBytes;
  while (true) {
    const std::uint64_t start = size > length ? size - length : 0;
    Window window(query, count, start == 0, begun, file.changed());
    ForEachLine(file, start, size, [&](std::string_view text) { window.Take(text, stream); });
    if (window.IsEnough()) return window.Lines();
    length *= 4;
  }
}

}  // namespace

std::vector<LogLine> LastLines(LogFolder& folder, const LogEnd& end, const LastLinesQuery& query,
                               std::vector<std::string>* warnings) {
  if (query.count == 0) return {};
  std::vector<std::vector<LogLine>> parts;  // newest first
  std::size_t have = 0;
  const auto add = [&](LogFile& file, std::uint64_t size, const std::string& after) {
    parts.push_back(
        LastOfFile(file, size, folder.stream(), TimeOfStamp(after), query, query.count - have));
    have += parts.back().size();
    if (std::string failure = file.TakeFailure(); !failure.empty()) {
      warnings->push_back(folder.path() + ": " + failure);
    }
  };
  if (end.current != nullptr) add(*end.current, end.size, end.after);
  std::vector<std::string> stamps;
  if (!end.after.empty()) stamps = folder.StampsAfter("");
  while (!stamps.empty() && stamps.back() > end.after) stamps.pop_back();
  while (!stamps.empty() && have < query.count && TimeOfStamp(stamps.back()) >= query.since) {
    const std::string stamp = stamps.back();
    stamps.pop_back();
    if (const auto file = folder.OpenFile(stamp, warnings)) {
      add(*file, file->size(), stamps.empty() ? std::string() : stamps.back());
    }
  }
  std::vector<LogLine> lines;
  for (std::size_t i = parts.size(); i-- > 0;) {
    std::move(parts[i].begin(), parts[i].end(), std::back_inserter(lines));
  }
  return lines;
}

std::uint64_t EndOfLastLine(LogFile& file) {
  std::uint64_t end = file.size();
  std::string window;
  while (end > 0) {
    const std::uint64_t start = end > kReadBytes ? end - kReadBytes : 0;
    window.resize(static_cast<std::size_t>(end - start));
    file.MoveTo(start);
    const ssize_t got = file.Read(window.data(), window.size());
    const std::size_t newline =
        got <= 0 ? std::string::npos
                 : std::string_view(window).substr(0, static_cast<std::size_t>(got)).rfind('\n');
    if (newline != std::string::npos) return start + newline + 1;
    end = start;
  }
  return 0;
}

}  // namespace slc::ctl
