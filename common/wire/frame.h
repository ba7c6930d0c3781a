// Frames of the control protocol between slc (and the gateway) and slcd: a 4-byte big-endian length
// and that many bytes of JSON, over a unix stream socket. Pure: bytes in, frames out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc {

// 1024 workers with long reasons and a thousand services stay below a tenth of this.
inline constexpr std::size_t kMostFrameBytes = 16U << 20;

std::string EncodeFrame(std::string_view payload);

class FrameReader {
 public:
  // The largest frame this side accepts; a peer that announces more is an error.
  explicit FrameReader(std::size_t limit = kMostFrameBytes) : limit_(limit) {}

  void Append(std::string_view bytes) { buffer_ += bytes; }
  // The next whole frame; nothing if more bytes are needed; kProtocol when the announced length
  // exceeds the limit (the stream is useless from then on).
  Result<std::optional<std::string>> Next();

 private:
  std::size_t limit_;
  std::string buffer_;
};

}  // namespace slc
