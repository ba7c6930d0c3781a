// MessageNumbers: numbers the cluster messages that an instance sends. A worker's answer names the
// number of what it answers, so no number is used twice, not by a later master either: the last one
// is in the snapshot.
#pragma once

#include <cstdint>

namespace slc {

class MessageNumbers {
 public:
  std::uint64_t Next() { return ++last_; }
  std::uint64_t last() const { return last_; }

  // After a predecessor whose last number known is `last`. What it sent after that snapshot is
  // stepped over: an answer to it must not be taken for an answer to us.
  void ContinueAfter(std::uint64_t last) { last_ = last + kStep; }

 private:
  static constexpr std::uint64_t kStep = 1U << 20;
  std::uint64_t last_ = 0;
};

}  // namespace slc
