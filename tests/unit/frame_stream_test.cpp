#include "common/wire/frame_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"

namespace slc {
namespace {

struct Ends {
  Ends() {
    SocketPair pair = MakeSocketPair(SOCK_STREAM);
    one.emplace(std::move(pair.first));
    other.emplace(std::move(pair.second));
  }
  std::optional<FrameStream> one;
  std::optional<FrameStream> other;
};

UniqueFd Pipe(UniqueFd* write_end) {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  write_end->reset(fds[1]);
  return UniqueFd(fds[0]);
}

std::vector<UniqueFd> One(UniqueFd fd) {
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(fd));
  return fds;
}

}  // namespace

TEST_CASE("frames of any size come whole and in order, with their descriptors") {
  std::mt19937 dice(7);
  for (int round = 0; round < 20; ++round) {
    Ends ends;
    struct Sent {
      std::string payload;
      UniqueFd pipe;  // the end that is kept of the descriptor that went with it
    };
    std::vector<Sent> sent;
    for (int i = 0; i < 30; ++i) {
      Sent each;
      each.payload.assign(dice() % (i % 7 == 0 ? 300'000 : 200), static_cast<char>('a' + i % 26));
      std::vector<UniqueFd> fds;
      if (dice() % 3 == 0) fds = One(Pipe(&each.pipe));
      ends.one->Queue(each.payload, std::move(fds));
      sent.push_back(std::move(each));
    }
    for (std::size_t next = 0; next < sent.size();) {
      REQUIRE(ends.one->Flush());
      REQUIRE(ends.other->Receive());
      while (next < sent.size()) {
        const auto frame = ends.other->Next();
        REQUIRE(frame);
        if (!*frame) break;
        CHECK(**frame == sent[next].payload);
        if (sent[next].pipe) {
          const auto fds = ends.other->TakeFds(1);
          REQUIRE(fds.size() == 1);
          REQUIRE(::write(sent[next].pipe.get(), "x", 1) == 1);
          char byte = 0;
          CHECK(::read(fds[0].get(), &byte, 1) == 1);
        }
        ++next;
      }
    }
    CHECK(ends.one->flushed());
    CHECK(ends.other->TakeFds(1).empty());
  }
}

TEST_CASE("the end of the other side is told, after what it had sent") {
  Ends ends;
  ends.one->Queue("last");
  REQUIRE(ends.one->Flush());
  ends.one.reset();
  const auto received = ends.other->Receive();
  REQUIRE(received);
  CHECK(*received);
  CHECK(**ends.other->Next() == "last");
  const auto end = ends.other->Receive();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == ErrorCode::kUnreachable);
  ends.other->Queue("to nobody");
  CHECK_FALSE(ends.other->Flush());
}

TEST_CASE("nothing there is no error; descriptors that nobody takes are one") {
  Ends ends;
  const auto nothing = ends.other->Receive();
  REQUIRE(nothing);
  CHECK_FALSE(*nothing);
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    UniqueFd write_end;
    ends.one->Queue("x", One(Pipe(&write_end)));
    REQUIRE(ends.one->Flush());
    const auto received = ends.other->Receive();
    refused = !received;
    if (refused) CHECK(received.error().code == ErrorCode::kProtocol);
  }
  CHECK(refused);
}

}  // namespace slc
