// Gunzip: the plain bytes of a gzip stream, piece by piece. What does not begin as gzip is taken
// for plain, and passed through as it is.
//
// Several gzip streams one behind the other are one, as `cat a.gz b.gz` makes it; anything else
// behind the end is refused.
#pragma once

#include <zlib.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::unpack {

class Gunzip {
 public:
  Gunzip() = default;
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  // Takes from the front of `bytes` and gives what it became, valid until the next call: at most
  // kPiece bytes, so that one who has seen enough can stop. Empty: more are needed. kInvalid for
  // what is damaged.
  Result<std::string_view> Next(std::string_view& bytes);
  // There are no more bytes: kInvalid if the stream is cut off.
  Status Finish() const;
  bool compressed() const { return state_ != State::kBegin && state_ != State::kPlain; }

 private:
  static constexpr std::size_t kPiece = std::size_t{64} << 10;
  enum class State { kBegin, kPlain, kWithin, kBetween };

  Status Begin(unsigned char first);

  State state_ = State::kBegin;
  bool full_ = false;  // the last piece was whole: zlib may hold more
  z_stream stream_{};
  std::unique_ptr<std::array<char, kPiece>> piece_;
};

}  // namespace slc::unpack
