// Request is the bytes of a lane's request, the same for each of its requests. Pure.
//
// A long body is not held in memory: it repeats one chunk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/load/options.h"

namespace slc::load {

class Request {
 public:
  explicit Request(const LaneOptions& options);

  std::uint64_t size() const { return size_; }
  // A piece of the request that begins at `offset`; empty only at the end.
  std::string_view PieceAt(std::uint64_t offset) const;

 private:
  std::string start_;  // the head and, if it is short, the whole body
  std::string chunk_;  // what a long body repeats
  std::uint64_t size_;
};

}  // namespace slc::load
