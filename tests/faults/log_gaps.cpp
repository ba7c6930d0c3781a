#include "tests/faults/log_gaps.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/base/text.h"
#include "tests/system/harness.h"

namespace slc::test {
namespace {

struct Numbered {
  std::string worker;
  std::int64_t number = 0;
};

// "2026-01-01T00:00:00.000Z pid:1 worker:2 out 17 xxx"
std::optional<Numbered> ParseNumbered(const std::string& line, std::size_t width) {
  const std::size_t worker = line.find(" worker:");
  const std::size_t out = line.find(" out ", worker);
  if (worker == std::string::npos || out == std::string::npos) return std::nullopt;
  const std::string printed = line.substr(out + 1);
  if (printed.size() + 1 != width) return std::nullopt;
  const auto words = Split(printed, ' ');
  const auto number = ParseInteger(words[1], 1, 1LL << 40);
  if (!number) return std::nullopt;
  return Numbered{line.substr(worker + 1, out - worker - 1), *number};
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
    const auto numbered = ParseNumbered(line, width);
    if (!numbered) continue;
    ++found.lines;
    Last& last = workers[numbered->worker];
    if (numbered->number <= last.number) found.wrong += line + "\n";
    if (numbered->number > last.number + 1) {
      const std::int64_t lines = numbered->number - last.number - 1;
      found.gaps.push_back(
          {numbered->worker, lines * static_cast<std::int64_t>(width), last.stated, line});
    }
    last = {numbered->number, 0};
  }
  return found;
}

}  // namespace slc::test
