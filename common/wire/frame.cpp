#include "common/wire/frame.h"

namespace slc {
namespace {

constexpr std::size_t kHeader = 4;

}  // namespace

std::string EncodeFrame(std::string_view payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string frame;
  frame.reserve(kHeader + payload.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>((size >> shift) & 0xff);
  }
  frame += payload;
  return frame;
}

Result<std::optional<std::string>> FrameReader::Next() {
  if (buffer_.size() < kHeader) return std::optional<std::string>();
  std::size_t size = 0;
  for (std::size_t i = 0; i < kHeader; ++i) {
    size = (size << 8) | static_cast<unsigned char>(buffer_[i]);
  }
  if (size > limit_) {
    return Error{ErrorCode::kProtocol, "a frame of " + std::to_string(size) +
                                           " bytes is larger than the limit of " +
                                           std::to_string(limit_)};
  }
  if (buffer_.size() < kHeader + size) return std::optional<std::string>();
  std::optional<std::string> frame = buffer_.substr(kHeader, size);
  buffer_.erase(0, kHeader + size);
  return frame;
}

}  // namespace slc
