// When it is certain that a descriptor that has not arrived was a connection of ours.
#include "daemon/master/core/sent_handles.h"

#include <deque>
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

// A worker's channel, on which two masters write in turn.
std::string TwoMasters(Random& random) {
  struct Frame {
    bool ours;
    bool connection;
    std::uint64_t number;
  };
  constexpr std::uint64_t kOurs = 1000;
  const bool adopted = random.Chance(70);
  SentHandles handles;
  if (adopted) handles.Inherit(kOurs);
  std::deque<Frame> sent;
  for (std::uint64_t i = 0; adopted && i < random.Below(6); ++i) {
    sent.push_back({false, random.Chance(60), i + 1});
  }
  std::uint64_t number = kOurs;
  // Node queues its answers to messages while it waits for an acknowledgement of the app's own.
  std::deque<std::uint64_t> held;
  const bool holds = random.Chance(30);
  for (int turn = 0; turn < 60; ++turn) {
    if (random.Chance(40)) {
      sent.push_back({true, random.Chance(70), ++number});
      handles.Sent(sent.back().connection);
    } else if (!sent.empty()) {
      const Frame frame = sent.front();
      sent.pop_front();
      if (random.Chance(50)) {
        if (handles.Missed() && !(frame.ours && frame.connection)) {
          return "takes for a connection of ours what is none";
        }
      } else {
        handles.Arrived();
        if (frame.connection) held.push_back(frame.number);
      }
    }
    while (!held.empty() && (!holds || random.Chance(20))) {
      handles.Answered(held.front());
      held.pop_front();
    }
  }
  return {};
}

TEST_CASE("SentHandles: nothing of a predecessor's, and no listener, is taken for a connection") {
  RunHistories(10'000, TwoMasters);
}

TEST_CASE("SentHandles: a connection is known for one, at once or when a predecessor is answered") {
  SentHandles handles;
  handles.Sent(true);
  CHECK(handles.Missed());
  handles.Sent(false);
  handles.Sent(true);
  CHECK_FALSE(handles.Missed());
  CHECK(handles.Missed());

  SentHandles adopted;
  adopted.Inherit(100);
  adopted.Sent(true);
  adopted.Sent(true);
  CHECK_FALSE(adopted.Missed());
  adopted.Answered(100);
  CHECK_FALSE(adopted.Missed());
  adopted.Answered(101);
  CHECK(adopted.Missed());
}

TEST_CASE("SentHandles: the next image of a master knows as much") {
  SentHandles handles;
  handles.Sent(true);
  handles.Sent(false);
  handles.Arrived();
  SentHandles next;
  REQUIRE(next.GoOn(handles.Text()));
  next.Sent(true);
  CHECK_FALSE(next.Missed());
  CHECK(next.Missed());
  for (const char* text : {"", "1", "0 0 0 0 x"}) CHECK_FALSE(next.GoOn(text));
}

}  // namespace
}  // namespace slc
