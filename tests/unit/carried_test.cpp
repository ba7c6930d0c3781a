#include "common/wire/carried.h"

#include <string>

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("A piece says of which stream it is, and an empty one is its end") {
  const std::string binary("\0{\xff", 3);
  for (const std::string& data : {std::string(), std::string("x"), binary}) {
    for (std::size_t stream = 0; stream < kMostCarriedStreams; ++stream) {
      const std::string payload = EncodePiece({stream, data});
      const auto piece = DecodePiece(payload);
      REQUIRE(piece);
      CHECK(piece->stream == stream);
      CHECK(piece->data == data);
    }
  }
}

TEST_CASE("A sign of life and a message are no pieces") {
  CHECK_FALSE(DecodePiece(""));
  CHECK_FALSE(DecodePiece("{\"id\":\"x\"}"));
  CHECK_FALSE(DecodePiece(std::string(1, static_cast<char>(kMostCarriedStreams))));
}

}  // namespace slc
