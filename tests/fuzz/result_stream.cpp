// What a worker sends as the result of a look into it, in pieces of any size.
#include "common/wire/result_stream.h"

#include <string_view>

#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

struct Read {
  std::string result;
  ResultReader::State state = ResultReader::State::kGoesOn;
  std::string reason;

  bool operator==(const Read&) const = default;
};

Read ReadInPieces(std::string_view stream, std::size_t piece) {
  Read read;
  ResultReader reader;
  while (!stream.empty()) {
    std::string_view bytes = stream.substr(0, piece);
    stream.remove_prefix(bytes.size());
    while (!bytes.empty()) read.result += reader.Take(bytes);
  }
  read.state = reader.state();
  read.reason = reader.reason();
  return read;
}

}  // namespace
}  // namespace slc

// The first byte says how large the pieces are.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  if (size == 0) return 0;
  const std::string stream = fuzz::Text(data + 1, size - 1);
  const Read whole = ReadInPieces(stream, size);
  fuzz::Check(ReadInPieces(stream, 1U + data[0] % 32U) == whole, "pieces do not matter");
  fuzz::Check(whole.result.size() <= stream.size(), "nothing is made up");
  return 0;
}
