// The stream of frames that a client sends to slcd's socket, in pieces of any size.
#include <algorithm>
#include <string_view>
#include <vector>

#include "common/wire/frame.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

constexpr std::size_t kLimit = 1U << 16;

struct Read {
  std::vector<std::string> frames;
  bool failed = false;

  bool operator==(const Read&) const = default;
};

Read ReadInPieces(std::string_view stream, std::size_t piece) {
  Read read;
  FrameReader reader(kLimit);
  while (!stream.empty() && !read.failed) {
    reader.Append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    while (true) {
      auto frame = reader.Next();
      read.failed = !frame;
      if (!frame || !*frame) break;
      read.frames.push_back(std::move(**frame));
    }
  }
  return read;
}

}  // namespace
}  // namespace slc

// The first byte says how large the pieces are.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  if (size == 0) return 0;
  const std::string stream = fuzz::Text(data + 1, size - 1);
  const Read whole = ReadInPieces(stream, kLimit);
  fuzz::Check(ReadInPieces(stream, 1U + data[0] % 32U) == whole, "pieces do not matter");

  std::string written;
  for (const std::string& frame : whole.frames) written += EncodeFrame(frame);
  fuzz::Check(stream.compare(0, written.size(), written) == 0, "frames are what was sent");
  return 0;
}
