// What the fuzz targets share. A target is one file that defines LLVMFuzzerTestOneInput: it takes
// any bytes for what a program reads from others, and checks what must hold of the outcome.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace slc::fuzz {

inline std::string Text(const std::uint8_t* data, std::size_t size) {
  return std::string(data, data + size);
}

// Ends the program if something that must hold does not; libFuzzer then keeps the input.
inline void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", what);
  std::abort();
}

// What decodes, encodes to a text that decodes, and encodes to the same text again.
template <typename Decoder, typename Encoder>
void CheckRoundTrip(const std::string& text, const Decoder& decode, const Encoder& encode) {
  const auto first = decode(text);
  if (!first) return;
  const std::string written = encode(*first);
  const auto second = decode(written);
  Check(second.ok(), "what was encoded decodes");
  Check(encode(*second) == written, "nothing is lost by encoding");
}

}  // namespace slc::fuzz
