// The result of an Inspection on its way from a worker to whoever asked: a unix stream socket whose
// ends are held by these two alone, so that a reader that is slow slows down only the worker's
// writing, and nothing of a result of gigabytes is in the memory of slcd or a master.
//
//   chunk  4 bytes, big-endian: length; that many bytes of the result
//   end    4 bytes: 0. The result is whole: only now it may be used
//   fail   4 bytes: length + 2^31; that many bytes of text, why there will be no whole result
//
// A stream that ends otherwise was cut: the worker has ended. Nothing is behind an end or a fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc {

// Pure: bytes in, parts of the result out. Keeps nothing of the result, and the beginning of a
// text.
class ResultReader {
 public:
  enum class State { kGoesOn, kWhole, kFailed, kBroken };

  // Takes in what was received: gives the part of the result at its beginning, if there is one,
  // and removes it and all else it has understood. To be called until `bytes` is empty.
  std::string_view Take(std::string_view& bytes);
  State state() const { return state_; }
  // Of kFailed and kBroken, for people: one line, without control characters.
  const std::string& reason() const { return reason_; }
  // Of the result, so far.
  std::uint64_t size() const { return size_; }

 private:
  void Begin();
  void Break(const char* reason);

  State state_ = State::kGoesOn;
  std::string head_;
  bool failing_ = false;
  std::uint32_t left_ = 0;  // of a chunk, or of the text of a fail
  std::uint64_t size_ = 0;
  std::string reason_;
};

// Of a stream that was read to its end: the result, or why there is none.
Result<std::string> WholeResult(std::string_view stream);

}  // namespace slc
