// LogPosition: a place in a stream that stays findable when the file is put aside, compressed or
// removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ctl/logs/file.h"

namespace slc::ctl {

struct LogPosition {
  std::string after;           // stamp of the newest file put aside that was read whole; "" : none
  std::uint64_t inode = 0;     // of the file that came next
  std::uint64_t offset = 0;    // in its uncompressed bytes
  std::uint32_t length = 0;    // of the bytes before `offset` whose checksum is:
  std::uint32_t checksum = 0;  // it tells the file from another one with the same inode or place

  // Notes that `before` is what stands before the offset, or the end of that.
  void Remember(std::string_view before);

  bool operator==(const LogPosition&) const = default;
};

// More bytes than that are not remembered.
inline constexpr std::size_t kRememberedBytes = 256;

// Whether the bytes before the position are those that stood there. Moves the file.
bool Matches(LogFile& file, const LogPosition& position);

}  // namespace slc::ctl
