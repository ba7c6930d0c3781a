#include "tests/faults/numbered_log.h"

#include <optional>

#include "common/base/text.h"

namespace slc::test {
namespace {

constexpr std::int64_t kMost = 1LL << 40;

// The number between these two, of which the first stands somewhere in the line.
std::optional<std::int64_t> NumberBetween(const std::string& line, const std::string& before,
                                          const std::string& after) {
  const std::size_t at = line.find(before);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = at + before.size();
  const std::size_t end = line.find(after, begin);
  if (end == std::string::npos) return std::nullopt;
  return ParseInteger(line.substr(begin, end - begin), 1, kMost);
}

}  // namespace

NumberedLog CountNumbered(World& world, const std::string& service, const std::string& stream) {
  const std::string text = ReadText(world.log_folder(service) + "/" + stream + ".log");
  // Every tenth line has one on stderr.
  const std::int64_t step = stream == "out" ? 1 : 10;
  std::int64_t last = 0;
  NumberedLog log;
  for (const std::string& line : LinesOf(text.substr(0, text.rfind('\n') + 1))) {
    if (Contains(line, " worker:0 ")) {
      const auto stated = NumberBetween(line, "[slc: ", " line");
      log.stated += stated.value_or(0);
      log.open = log.open || stated;
      continue;
    }
    const auto number = NumberBetween(line, " worker:1 " + stream + " ", " x");
    if (!number || *number <= last || *number % step != 0) {
      log.wrong += line + "\n";
      continue;
    }
    ++log.lines;
    log.missing += (*number - last) / step - 1;
    last = *number;
    log.open = false;
  }
  return log;
}

}  // namespace slc::test
