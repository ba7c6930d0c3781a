// SentHandles: of the descriptors that went out to a worker by its channel, whether one that has
// not arrived was a connection. Pure; one per channel.
//
// Node answers each in the order in which they came (NODE_HANDLE_ACK, or _NACK where it had no room
// for it), and does not say which it is about. So answers are counted; where a predecessor has
// left some unanswered, not before those are behind us: until then nothing is certain.
#pragma once

#include <cstdint>
#include <string>

namespace slc {

class SentHandles {
 public:
  // A predecessor may have sent some that are not answered. Its messages had numbers up to `last`
  // (see MessageNumbers).
  void Inherit(std::uint64_t last) {
    inherited_ = true;
    last_of_predecessor_ = last;
  }
  // What the next image of this master goes on with, and nothing of it if it cannot be read.
  std::string Text() const;
  bool GoOn(const std::string& text);

  void Sent(bool connection) {
    ++sent_;
    if (!connection) last_other_ = sent_;
  }
  void Arrived() {
    if (!inherited_) ++answered_;
  }
  // One has not arrived. True: it was a connection that we have sent, for certain.
  bool Missed() {
    Arrived();
    return !inherited_ && answered_ > last_other_;
  }
  // It has answered our message of that number: all of the predecessor is answered. Some of ours
  // may be, too: from then on fewer are counted than there were, which only makes less certain.
  void Answered(std::uint64_t number) {
    if (number > last_of_predecessor_) inherited_ = false;
  }

 private:
  bool inherited_ = false;
  std::uint64_t last_of_predecessor_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;    // at least
  std::uint64_t last_other_ = 0;  // the last that was no connection
};

}  // namespace slc
