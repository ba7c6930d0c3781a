// The layout of a snapshot memfd, shared by its writer (slc-master) and its readers (slcd, a
// successor).
//
//   offset 0          half 0: header, state          header: magic u32, length u32, seq u64,
//   offset size / 2   half 1: header, state                  crc32c u32 of the state, reserved u32
// All in the machine's byte order: a snapshot never leaves its boot.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace slc {

struct SnapshotHeader {
  std::uint32_t magic = 0;
  std::uint32_t length = 0;
  std::uint64_t seq = 0;
  std::uint32_t crc = 0;
  std::uint32_t reserved = 0;
};
inline constexpr std::uint32_t kSnapshotMagic = 0x736c6353;

// The half that the next state will be written to, as a reader saw it.
struct SnapshotMark {
  std::int64_t start = -1;  // -1: it was being written
  SnapshotHeader header;
};

struct SnapshotContent {
  std::uint64_t seq = 0;
  std::string state;
  SnapshotMark mark;
};
// The newest valid half; never one older than a state that had been written when the call began.
// kNotFound if there is none.
Result<SnapshotContent> ReadSnapshot(int memfd);
// Whether nothing was written to the same memfd since it was read and `mark` was part of what it
// held: at the price of one look instead of five. False if that cannot be told.
bool IsUnchanged(int memfd, const SnapshotMark& mark);

// A memfd holding `content`, close-on-exec, positioned anywhere (readers use pread).
Result<int> MakeMemfd(const std::string& name, const std::string& content);
// The whole content of a memfd.
Result<std::string> ReadMemfd(int memfd);

}  // namespace slc
