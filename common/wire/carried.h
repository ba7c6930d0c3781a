// Carried: how the answer to one Request travels where there is no unix socket, as the body of an
// HTTP answer: frames (frame.h), the payload of each being one of
//
// - nothing: whoever sends is alive, and so is slcd as long as the reply is owed
// - JSON: a Progress or the Reply, as at slcd's own socket
// - a byte below 32, and bytes: what came from that descriptor of the reply, counted from 0, which
//   cannot travel itself; no bytes: its end
//
// The body ends with the reply, or when all of its descriptors have ended. One that ends before was
// cut, and the same request may be sent again with the same id. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace slc {

// Of the HTTP body, whatever its status.
inline constexpr const char* kCarriedType = "application/vnd.slc.control";
// Where a request is sent to, by POST, its body being the payload of one frame.
inline constexpr const char* kCarriedPath = "/v1/control";
// How often at least there is a sign of life.
inline constexpr int kCarriedSignOfLifeMs = 5'000;
// Of descriptors of one reply.
inline constexpr std::size_t kMostCarriedStreams = 8;

struct CarriedPiece {
  std::size_t stream = 0;
  std::string_view data;  // empty: its end
};

// The payload of a piece.
std::string EncodePiece(const CarriedPiece& piece);
// Nothing if the payload is none. The data is a part of it.
std::optional<CarriedPiece> DecodePiece(std::string_view payload);

}  // namespace slc
