// Unpacked: what slc-unpack tells of the archive it has unpacked; or an Error, why it has not. One
// line of JSON on the descriptor that it is given for that.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace slc {

struct Unpacked {
  std::string sha256;         // of the bytes that were read, hex
  std::string sha1;           // the same, as StrongLoop's clients call a release
  std::uint64_t read = 0;     // bytes
  std::uint64_t bytes = 0;    // of all files
  std::uint64_t entries = 0;  // files, folders and links
  std::string top;            // the folder of the archive that was stripped; ".": there was none

  bool operator==(const Unpacked&) const = default;
};

// With its "\n".
std::string EncodeUnpacked(const Result<Unpacked>& outcome);
// The outcome that was told; kProtocol if `line` (without its "\n") is none, as it is of a process
// that was killed.
Result<Unpacked> DecodeUnpacked(const std::string& line);

}  // namespace slc
