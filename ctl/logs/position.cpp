#include "ctl/logs/position.h"

#include "common/base/crc32c.h"

namespace slc::ctl {

void LogPosition::Remember(std::string_view before) {
  if (before.size() > kRememberedBytes) before.remove_prefix(before.size() - kRememberedBytes);
  length = static_cast<std::uint32_t>(before.size());
  checksum = Crc32c(before);
}

bool Matches(LogFile& file, const LogPosition& position) {
  if (position.offset == 0) return !file.compressed();
  if (position.length == 0 || position.length > kRememberedBytes ||
      position.length > position.offset || file.size() < position.offset) {
    return false;
  }
  if (!file.MoveTo(position.offset - position.length)) return false;
  std::string found(position.length, '\0');
  std::size_t used = 0;
  while (used < found.size()) {
    const ssize_t got = file.Read(found.data() + used, found.size() - used);
    if (got <= 0) return false;
    used += static_cast<std::size_t>(got);
  }
  return Crc32c(found) == position.checksum;
}

}  // namespace slc::ctl
