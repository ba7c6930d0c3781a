#include "daemon/deploy/unpack/gunzip.h"

#include <utility>

namespace slc::unpack {
namespace {

// Of gzip's two bytes of magic the first is enough: no tar archive begins with it, for then its
// first member's name would.
constexpr unsigned char kMagic = 0x1f;
constexpr int kGzipOnly = 16;

Error Damaged(const char* reason) {
  return Error{ErrorCode::kInvalid, std::string("the gzip stream is damaged") +
                                        (reason != nullptr ? std::string(": ") + reason : "")};
}

}  // namespace

Gunzip::~Gunzip() {
  if (piece_) ::inflateEnd(&stream_);
}

Status Gunzip::Begin(unsigned char first) {
  if (state_ == State::kBegin && first != kMagic) {
    state_ = State::kPlain;
    return Ok();
  }
  if (state_ == State::kBetween) {
    if (first != kMagic) {
      return Error{ErrorCode::kInvalid, "something follows the end of the gzip stream"};
    }
    ::inflateReset(&stream_);
  } else {
    if (::inflateInit2(&stream_, kGzipOnly + MAX_WBITS) != Z_OK) {
      return Error{ErrorCode::kInternal, "zlib cannot begin: out of memory?"};
    }
    piece_ = std::make_unique<std::array<char, kPiece>>();
  }
  state_ = State::kWithin;
  return Ok();
}

Result<std::string_view> Gunzip::Next(std::string_view& bytes) {
  while (!bytes.empty() || full_) {
    if (state_ == State::kBegin || state_ == State::kBetween) {
      if (Status begun = Begin(static_cast<unsigned char>(bytes.front())); !begun) {
        return begun.error();
      }
    }
    if (state_ == State::kPlain) return std::exchange(bytes, {});
    // zlib wants it mutable and does not change it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    stream_.next_out = reinterpret_cast<Bytef*>(piece_->data());
    stream_.avail_out = static_cast<uInt>(kPiece);
    const int outcome = ::inflate(&stream_, Z_NO_FLUSH);
    bytes.remove_prefix(bytes.size() - stream_.avail_in);
    if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) {
      return Damaged(stream_.msg);
    }
    full_ = outcome == Z_OK && stream_.avail_out == 0;
    if (outcome == Z_STREAM_END) state_ = State::kBetween;
    const std::string_view got(piece_->data(), kPiece - stream_.avail_out);
    if (!got.empty()) return got;
  }
  return std::string_view();
}

Status Gunzip::Finish() const {
  if (state_ == State::kWithin) {
    return Error{ErrorCode::kInvalid, "the gzip stream is cut off"};
  }
  return Ok();
}

}  // namespace slc::unpack
