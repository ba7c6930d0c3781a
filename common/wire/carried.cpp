#include "common/wire/carried.h"

namespace slc {

std::string EncodePiece(const CarriedPiece& piece) {
  std::string payload;
  payload.reserve(1 + piece.data.size());
  payload += static_cast<char>(piece.stream);
  payload += piece.data;
  return payload;
}

std::optional<CarriedPiece> DecodePiece(std::string_view payload) {
  if (payload.empty()) return std::nullopt;
  const auto stream = static_cast<unsigned char>(payload.front());
  if (stream >= kMostCarriedStreams) return std::nullopt;
  return CarriedPiece{stream, payload.substr(1)};
}

}  // namespace slc
