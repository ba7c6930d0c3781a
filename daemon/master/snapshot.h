// Snapshot: the instance's state in a memfd of two halves, {magic, seq, length, crc32c} and JSON
// each. The writer fills the idle half; a reader takes the valid half with the highest seq. So a
// writer may be killed at any point and the state before is still there. slcd holds a duplicate of
// the memfd: it reads the facts it shows from here, and hands it to a successor.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

class Snapshot {
 public:
  // Room for `capacity` bytes of state per half.
  static Result<Snapshot> Create(std::size_t capacity);
  // Goes on with an existing memfd, with seq above everything in it by a wide step, so that what a
  // stalled predecessor may still write loses.
  static Result<Snapshot> Continue(UniqueFd memfd);

  // False if `state` does not fit: the caller makes a larger one.
  bool Write(const std::string& state);
  int fd() const { return memfd_.get(); }
  std::size_t capacity() const { return capacity_; }

 private:
  UniqueFd memfd_;
  std::size_t capacity_ = 0;
  std::uint64_t seq_ = 0;
};

}  // namespace slc
