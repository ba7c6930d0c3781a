// The channel to a worker: lines out of a stream of bytes, and descriptors that belong to some.
#include "daemon/master/node_channel.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "common/base/time.h"
#include "daemon/master/cluster_messages.h"
#include "tests/unit/node_recordings.h"

namespace slc {
namespace {

using testing::kRecordedVersions;
using testing::ReadRecording;
using testing::RecordedWorker;

std::ptrdiff_t CountOpenFiles() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// A worker's end of a channel, and ours.
class Channel {
 public:
  Channel() : ends_(MakeSocketPair(SOCK_STREAM)) { Open(); }

  // Another image of us takes it up.
  void Succeed() {
    const std::string partial = channel_->partial();
    CHECK_FALSE(channel_->inside_long_line());
    channel_.reset();
    Open();
    channel_->GoOn(partial);
  }

  // As a worker writes: at most `piece` bytes at once, the descriptor with the first of them.
  // `then`: done after each.
  void Write(
      const std::string& message, std::size_t piece, const std::function<void()>& then = [] {}) {
    const std::string line = message + "\n";
    for (std::size_t at = 0; at < line.size(); at += piece) {
      const int fd = STDIN_FILENO;
      const bool with_fd = at == 0 && AnnouncesHandle(message);
      const std::string_view bytes = std::string_view(line).substr(at, piece);
      REQUIRE(SendWithFds(ends_.second.get(), bytes, &fd, with_fd ? 1 : 0) ==
              static_cast<long>(bytes.size()));
      channel_->ReadDry();
      then();
    }
  }
  // Several messages, read when all are there.
  void WriteTogether(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) {
      const int fd = STDIN_FILENO;
      SendWithFds(ends_.second.get(), message + "\n", &fd, AnnouncesHandle(message) ? 1 : 0);
    }
    channel_->ReadDry();
  }
  // Bytes with `count` descriptors, as no Node sends them.
  void WriteWith(std::string_view bytes, std::size_t count) {
    const std::vector<int> fds(count, STDIN_FILENO);
    REQUIRE(SendWithFds(ends_.second.get(), bytes, fds.data(), count) ==
            static_cast<long>(bytes.size()));
    channel_->ReadDry();
  }
  void StopReading() { ::shutdown(ends_.second.get(), SHUT_RD); }
  bool Send(const std::string& frame) { return channel_->Send(frame); }
  void Leave() {
    ends_.second.reset();
    channel_->ReadDry();
  }
  // What the worker was answered since the last call.
  std::string Answers() {
    std::string text(4096, '\0');
    const ssize_t got = ::recv(ends_.second.get(), text.data(), text.size(), MSG_DONTWAIT);
    return text.substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  std::vector<std::string> lines;
  std::vector<ConductFact> facts;
  bool ended = false;

  template <typename Fact>
  std::size_t Count() const {
    return static_cast<std::size_t>(
        std::count_if(facts.begin(), facts.end(),
                      [](const ConductFact& fact) { return std::holds_alternative<Fact>(fact); }));
  }

 private:
  void Open() {
    channel_.emplace(loop_, ends_.first.get(),
                     NodeChannel::Events{
                         [this](std::string_view line) { lines.emplace_back(line); },
                         [this] { ended = true; },
                         [] {},
                         [this](const ConductFact& fact) { facts.push_back(fact); },
                     });
  }

  uv::Loop loop_;
  SocketPair ends_;
  std::optional<NodeChannel> channel_;
};

// What must come out: the lines without a handle, and an answer to each with one.
struct Outcome {
  std::vector<std::string> lines;
  std::string answers;
};
Outcome ExpectedOf(const RecordedWorker& worker) {
  Outcome expected;
  for (const std::string& message : worker.messages) {
    if (AnnouncesHandle(message)) {
      expected.answers += HandleAcknowledgement();
    } else {
      expected.lines.push_back(message);
    }
  }
  return expected;
}

}  // namespace

TEST_CASE("Recorded workers are understood whatever the pieces in which their bytes come") {
  for (const int version : kRecordedVersions) {
    CAPTURE(version);
    for (const RecordedWorker& worker : ReadRecording(version)) {
      CAPTURE(worker.scenario);
      const Outcome expected = ExpectedOf(worker);
      for (const std::size_t piece : {1U, 7U, 100U, 10'000U}) {
        CAPTURE(piece);
        Channel channel;
        const std::ptrdiff_t open = CountOpenFiles();
        for (const std::string& message : worker.messages) channel.Write(message, piece);
        CHECK(channel.lines == expected.lines);
        CHECK(channel.Answers() == expected.answers);
        CHECK(CountOpenFiles() == open);
        CHECK_FALSE(channel.ended);
        channel.Leave();
        CHECK(channel.ended);
      }
      {
        // Another image after each piece: nothing that was read is lost.
        Channel channel;
        for (const std::string& message : worker.messages) {
          channel.Write(message, 100, [&channel] { channel.Succeed(); });
        }
        CHECK(channel.lines == expected.lines);
        CHECK(channel.Answers() == expected.answers);
      }
      Channel channel;
      const std::ptrdiff_t open = CountOpenFiles();
      channel.WriteTogether(worker.messages);
      CHECK(channel.lines == expected.lines);
      CHECK(channel.Answers() == expected.answers);
      CHECK(CountOpenFiles() == open);
    }
  }
}

TEST_CASE("A line longer than one look is the app's own, and does not shift what follows") {
  const std::string handle =
      R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":")" + std::string(200'000, 'x') + R"("})";
  const std::string own = "\"" + std::string(200'000, 'y') + "\"";
  Channel channel;
  const std::ptrdiff_t open = CountOpenFiles();
  channel.Write(handle, 50'000);
  CHECK(channel.lines.empty());
  CHECK(channel.Answers() == HandleAcknowledgement());
  channel.Write(own, 50'000);
  CHECK(channel.lines.empty());
  CHECK(channel.Count<LineUnreadable>() == 0);
  channel.Write(R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})", 10);
  REQUIRE(channel.lines.size() == 1);
  CHECK(std::holds_alternative<Online>(ParseWorkerMessage(channel.lines[0])));
  CHECK(CountOpenFiles() == open);
}

TEST_CASE("What a worker does wrong on its channel is told") {
  Channel channel;
  const std::ptrdiff_t open = CountOpenFiles();
  SUBCASE("long lines that are not JSON, or are deep") {
    channel.Write(std::string(200'000, '['), 50'000);
    CHECK(channel.Count<LineUnreadable>() == 1);
    channel.Write(std::string(70'000, '[') + std::string(70'000, ']'), 50'000);
    REQUIRE(channel.Count<LineNested>() == 1);
    CHECK(std::get<LineNested>(channel.facts.back()).depth == 70'000);
  }
  SUBCASE("a line without end") {
    for (int i = 1; i <= 5; ++i) {
      channel.WriteWith("x", 0);
      const auto& grows = std::get<LineGrows>(channel.facts.back());
      CHECK(grows.piece == 1);
      CHECK(grows.total == static_cast<std::size_t>(i));
    }
    channel.WriteWith("\n\"y", 0);
    CHECK(channel.lines == std::vector<std::string>{"xxxxx"});
    channel.WriteWith("z", 0);
    CHECK(std::get<LineGrows>(channel.facts.back()).total == 3);
  }
  SUBCASE("descriptors, which are closed") {
    const std::string handle = R"({"cmd":"NODE_HANDLE","type":"net.Socket"})";
    channel.WriteWith(handle + "\n", 1);
    REQUIRE(channel.Count<DescriptorsCame>() == 1);
    CHECK(std::get<DescriptorsCame>(channel.facts.back()).announced);
    channel.WriteWith("\"ready\"\n", 1);
    CHECK_FALSE(std::get<DescriptorsCame>(channel.facts.back()).announced);
    channel.WriteWith(handle + "\n", 200);
    CHECK(std::get<DescriptorsCame>(channel.facts.back()).count == 200);
    CHECK(channel.Count<DescriptorsCame>() == 3);
  }
  SUBCASE("that it does not read, or will not any more") {
    const std::string frame(10'000, 'x');
    while (channel.Send(frame)) {
    }
    CHECK(channel.Count<LeftUnread>() == 1);
    channel.StopReading();
    CHECK(channel.Count<Deafened>() == 0);
    Channel other;
    other.StopReading();
    other.Send("x\n");
    CHECK(other.Count<Deafened>() >= 1);
  }
  SUBCASE("its end") {
    channel.Leave();
    CHECK(channel.Count<ChannelClosed>() == 1);
    return;
  }
  CHECK(CountOpenFiles() == open);
}

TEST_CASE("What is read after the end is bounded, even if somebody goes on writing") {
  // One that writes whenever it is read from: a child of the worker has the channel too.
  uv::Loop loop;
  SocketPair ends = MakeSocketPair(SOCK_STREAM);
  std::size_t lines = 0;
  NodeChannel channel(loop, ends.first.get(),
                      {[&](std::string_view) {
                         ++lines;
                         SendWithFds(ends.second.get(), "\"again\"\n", nullptr, 0);
                       },
                       [] {}, [] {}, [](const ConductFact&) {}});
  SendWithFds(ends.second.get(), "\"first\"\n", nullptr, 0);
  channel.ReadDry();
  CHECK(lines >= 100);
  CHECK(lines <= 2000);
}

TEST_CASE("Nobody can keep us in the closing of a socket") {
  // A connection that lingers until what was sent is received, and the other end does not receive.
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(server.get(), 1) == 0);
  REQUIRE(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  UniqueFd lingers(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(lingers.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  const linger on{1, 5};
  REQUIRE(::setsockopt(lingers.get(), SOL_SOCKET, SO_LINGER, &on, sizeof(on)) == 0);
  const std::string much(1U << 20, 'x');
  while (::send(lingers.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  uv::Loop loop;
  SocketPair ends = MakeSocketPair(SOCK_STREAM);
  NodeChannel channel(loop, ends.first.get(),
                      {[](std::string_view) {}, [] {}, [] {}, [](const ConductFact&) {}});
  const int fd = lingers.get();
  SendWithFds(ends.second.get(), "\"mine\"\n", &fd, 1);
  lingers.reset();
  const Millis start = BootNow();
  channel.ReadDry();
  // Without our care it is the five seconds above.
  CHECK(BootNow() - start < 2000);
}

}  // namespace slc
