// InHand: how much of what workers print the master may have read and not yet written. It dies with
// the master, while what is in a pipe does not.
//
// Usually little: then the pipes are left alone until the writer has made room, which takes it some
// ten microseconds. A disk that makes it wait must not make workers wait: after kHiccup the master
// takes what its buffer holds (LogQueue), and is *behind* until all is written. Whoever takes over
// is to know that (Most).
//
// Pure: the caller tells what is unwritten, and waits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "daemon/master/core/log_lines.h"
#include "daemon/master/core/log_queue.h"

namespace slc {

class InHand {
 public:
  // Bytes as workers print them: lines of all of them, and what has no end yet of one.
  static constexpr std::size_t kUsual = 64U << 10;
  // At once, so that one is read while the other is written.
  static constexpr std::size_t kRead = kUsual / 2;
  // Less than this is not worth a read.
  static constexpr std::size_t kSmallestRead = 8U << 10;
  // Microseconds. Longer than two busy cores take to let the writer run; an app that prints 1 MB in
  // a second has not filled its pipe by then.
  static constexpr std::int64_t kHiccup = 25'000;

  // How much of a worker's output may be read now, while lines of `unwritten` bytes are not written
  // and of its own lines so much `begun`; 0: nothing before the writer has made room.
  std::size_t MayRead(std::size_t unwritten, std::size_t begun, std::size_t wanted) const {
    if (behind_) return wanted;
    const std::size_t held = unwritten + begun;
    const std::size_t room = held < kUsual ? kUsual - held : 0;
    return room < kSmallestRead ? 0 : std::min({room, wanted, kRead});
  }
  // True if that is news.
  bool FallBehind() {
    const bool news = !behind_;
    behind_ = true;
    return news;
  }
  bool CatchUp(std::size_t unwritten) {
    const bool news = behind_ && unwritten == 0;
    if (news) behind_ = false;
    return news;
  }
  bool behind() const { return behind_; }

  // What of one worker's output may be lost with the master; when behind also a full buffer.
  static constexpr std::size_t Most(bool behind) {
    return behind ? kUsual + 2 * kLongestLine + kLogBlocks * kLogBlockBytes : kUsual;
  }

 private:
  bool behind_ = false;
};

}  // namespace slc
