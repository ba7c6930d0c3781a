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

#include <cstddef>
#include <cstdint>

#include "daemon/master/core/log_lines.h"
#include "daemon/master/core/log_queue.h"

namespace slc {

class InHand {
 public:
  // Bytes as workers print them, of all of them together.
  static constexpr std::size_t kUsual = 32U << 10;
  // Less than this is not worth a read.
  static constexpr std::size_t kSmallestRead = 8U << 10;
  // Microseconds. Longer than two busy cores take to let the writer run; an app that prints 1 MB in
  // a second has not filled its pipe by then.
  static constexpr std::int64_t kHiccup = 25'000;

  // How much may be read now while `unwritten` is; 0: nothing before the writer has made room.
  std::size_t MayRead(std::size_t unwritten, std::size_t wanted) const {
    if (behind_) return wanted;
    const std::size_t room = unwritten < kUsual ? kUsual - unwritten : 0;
    return room < kSmallestRead ? 0 : (room < wanted ? room : wanted);
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

  // What of one worker's output may be lost with the master: with the beginnings of a line on both
  // streams, and when behind a buffer and a read more.
  static constexpr std::size_t Most(bool behind) {
    const std::size_t usual = kUsual + 2 * kLongestLine;
    return behind ? usual + kLogBlocks * kLogBlockBytes : usual;
  }

 private:
  bool behind_ = false;
};

}  // namespace slc
