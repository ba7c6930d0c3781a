// Conduct: does a worker keep to the protocol of its channel? Pure; one per worker.
//
// The channel is open to the application (it is a descriptor of its process), so anything may come
// through it. One who breaks the protocol is replaced like one that crashed: its own requests fail,
// and nobody else's. What a sound Node does is never a breach; its limits are far from what is seen
// of it:
//
//   unreadable   more than kMostUnreadable lines within kWindow that are not JSON, whatever their
//                size. One by accident (a library that writes to a descriptor it does not own) is
//                passed over.
//   too long     a line of more than kMostOfLine. Messages of an app end here, so they are
//                tolerated up to a size that nobody sends by intention.
//   too deep     a line nested deeper than kMostDepth.
//   dribbling    kMostCrumbs pieces below kCrumb in a line that is not ended for kSlowLine. Node
//                writes a message with as few calls as the socket's buffer allows.
//   descriptors  that no NODE_HANDLE announces, or more than one with it.
//   requests     more than kMostRequests within kWindow: listeners asked for, named, closed.
//   answers      more than kMostFalseAnswers within kWindow to what it was not asked. The last
//                connections of a killed master are answered to its successor: at most 64, half of
//                what is let pass.
//   not reading  it makes us answer and leaves the answers unread until a megabyte waits.
//   deaf         it has shut down its reading side, and kDeafFor later still runs.
//   not leaving  it said that it disconnects (which Node then does at once) and kLeavesWithin
//                later has not.
//
// A worker that only does not read is no rogue: one in a long computation, a synchronous call or a
// debugger looks the same. It gets no more connections (Dispatch::kStuck).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>

#include "common/base/time.h"

namespace slc {

// Facts of the channel.
struct LineGrows {  // bytes came, and the line they belong to goes on
  std::size_t piece = 0;
  std::size_t total = 0;  // of the line so far
};
struct LineUnreadable {};
struct LineNested {  // a readable line, so deep
  std::size_t depth = 0;
};
struct DescriptorsCame {  // with one message
  std::size_t count = 0;
  bool announced = false;
};
struct LeftUnread {};  // it has not read a megabyte
struct Deafened {};    // it will not read any more
struct ChannelClosed {};
// Facts of the messages.
struct Requested {};
struct AnsweredUnasked {};
struct AnnouncedLeave {};

using ConductFact =
    std::variant<LineGrows, LineUnreadable, LineNested, DescriptorsCame, LeftUnread, Deafened,
                 ChannelClosed, Requested, AnsweredUnasked, AnnouncedLeave>;

class Conduct {
 public:
  static constexpr Millis kWindow = 10'000;
  static constexpr std::size_t kMostUnreadable = 8;
  static constexpr std::size_t kMostOfLine = 16U << 20;
  static constexpr std::size_t kMostDepth = 1000;
  static constexpr std::size_t kCrumb = 1024;
  static constexpr std::size_t kMostCrumbs = 4;
  static constexpr Millis kSlowLine = 2000;
  static constexpr std::size_t kMostRequests = 2000;
  static constexpr std::size_t kMostFalseAnswers = 128;
  static constexpr Millis kDeafFor = 1000;
  static constexpr Millis kLeavesWithin = 3000;

  void On(const ConductFact& fact, Millis now);

  // What it has broken, for people; told once.
  std::optional<std::string> TakeBreach(Millis now);
  // When to ask at the latest; nothing if only a fact can change the answer.
  std::optional<Millis> deadline() const;

 private:
  // So many of something within kWindow.
  struct Count {
    Millis since = 0;
    std::size_t so_far = 0;
    std::size_t Add(Millis now);
  };
  void Record(const LineGrows& fact, Millis now);
  void Record(const LineUnreadable& fact, Millis now);
  void Record(const LineNested& fact, Millis now);
  void Record(const DescriptorsCame& fact, Millis now);
  void Record(const LeftUnread& fact, Millis now);
  void Record(const Deafened& fact, Millis now);
  void Record(const ChannelClosed& fact, Millis now);
  void Record(const Requested& fact, Millis now);
  void Record(const AnsweredUnasked& fact, Millis now);
  void Record(const AnnouncedLeave& fact, Millis now);
  void Broke(std::string what);

  std::string breach_;  // empty: none so far
  bool told_ = false;
  Count unreadable_;
  Count requests_;
  Count false_answers_;
  Millis line_since_ = 0;
  std::size_t crumbs_ = 0;
  bool closed_ = false;
  std::optional<Millis> deaf_at_;
  std::optional<Millis> leaves_at_;
};

}  // namespace slc
