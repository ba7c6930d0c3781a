#include "daemon/master/core/worker_notice.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/base/text.h"

namespace slc {
namespace {

// Never in the middle of a character.
std::string CutStatus(std::string_view text) {
  std::size_t size = std::min(text.size(), kLongestStatus);
  const auto continues = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  constexpr std::size_t kLongestCharacter = 4;
  for (std::size_t back = 1; back < kLongestCharacter && size > 0 && continues(size); ++back) {
    --size;
  }
  return std::string(text.substr(0, size));
}

std::optional<Millis> ParseMicros(std::string_view text) {
  const auto micros = ParseInteger(text, 0, std::numeric_limits<std::int64_t>::max());
  if (!micros) return std::nullopt;
  return *micros / 1000;
}

}  // namespace

WorkerNotice ParseWorkerNotice(std::string_view datagram) {
  WorkerNotice notice;
  while (!datagram.empty()) {
    const std::string_view line = datagram.substr(0, datagram.find('\n'));
    datagram.remove_prefix(std::min(datagram.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (name == "READY") notice.ready = notice.ready || value == "1";
    if (name == "RELOADING") notice.reloading = notice.reloading || value == "1";
    if (name == "STOPPING") notice.stopping = notice.stopping || value == "1";
    if (name == "STATUS") notice.status = CutStatus(value);
    if (name == "ERRNO") {
      constexpr int kMostErrno = 4095;
      if (const auto number = ParseInteger(value, 1, kMostErrno)) {
        notice.errno_value = static_cast<int>(*number);
      }
    }
    if (name == "EXTEND_TIMEOUT_USEC") notice.more_time = ParseMicros(value);
  }
  return notice;
}

}  // namespace slc
