#include "tests/faults/log_gaps.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/base/text.h"
#include "tests/system/harness.h"

namespace slc::test {
namespace {

struct Printed {
  std::string worker;
  std::string text;
};

// "2026-01-01T00:00:00.000Z pid:1 worker:2 out 17 xxx"; nothing if it is not a worker's.
std::optional<Printed> ParsePrinted(const std::string& line) {
  const std::size_t worker = line.find(" worker:");
  if (worker == std::string::npos) return std::nullopt;
  const std::size_t end = line.find(' ', worker + 1);
  if (end == std::string::npos || line.substr(worker, end - worker) == " worker:0") {
    return std::nullopt;
  }
  return Printed{line.substr(worker + 1, end - worker - 1), line.substr(end + 1)};
}

// "out 17 xxx"; nothing if it is not whole.
std::optional<std::int64_t> ParseNumber(const std::string& printed, std::size_t width) {
  const auto words = Split(printed, ' ');
  if (printed.size() + 1 != width || words.size() < 2 || words[0] != "out") return std::nullopt;
  return ParseInteger(words[1], 1, 1LL << 40);
}

// "... takes over from pid 1: ...; up to 64 KiB of what each worker printed ..."
std::optional<std::int64_t> ParseMark(const std::string& line) {
  static const std::string kBefore = "; up to ";
  if (!Contains(line, " takes over from pid ")) return std::nullopt;
  const std::size_t at = line.find(kBefore);
  const std::size_t unit = line.find(" KiB of what each worker printed", at);
  if (at == std::string::npos || unit == std::string::npos) return std::nullopt;
  const std::size_t begin = at + kBefore.size();
  const auto kib = ParseInteger(line.substr(begin, unit - begin), 0, 1 << 20);
  if (!kib) return std::nullopt;
  return *kib << 10;
}

}  // namespace

LogGaps FindGaps(const std::string& text, std::size_t width) {
  struct Last {
    std::int64_t number = 0;
    std::int64_t stated = 0;
    std::int64_t pieces = 0;  // bytes
  };
  std::map<std::string, Last> workers;
  LogGaps found;
  for (const std::string& line : LinesOf(text)) {
    if (const auto stated = ParseMark(line)) {
      ++found.marks;
      found.most_stated = std::max(found.most_stated, *stated);
      found.large += *stated > 64 << 10 ? 1 : 0;
      for (auto& [worker, last] : workers) last.stated += *stated;
      continue;
    }
    const auto printed = ParsePrinted(line);
    if (!printed) continue;
    Last& last = workers[printed->worker];
    const auto number = ParseNumber(printed->text, width);
    if (!number) {
      last.pieces += static_cast<std::int64_t>(printed->text.size()) + 1;
      continue;
    }
    ++found.lines;
    if (*number <= last.number) found.wrong += line + "\n";
    if (*number > last.number + 1) {
      const std::int64_t bytes = (*number - last.number - 1) * static_cast<std::int64_t>(width);
      found.gaps.push_back({printed->worker, bytes - last.pieces, last.stated, line});
    }
    last = {*number, 0, 0};
  }
  return found;
}

}  // namespace slc::test
