// The channel to a worker: lines out of a stream of bytes, and descriptors that belong to some.
#include "daemon/master/node_channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
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
  Channel()
      : ends_(MakeSocketPair(SOCK_STREAM)),
        channel_(loop_, ends_.first.get(),
                 {[this](std::string_view line) { lines.emplace_back(line); },
                  [this] { ended = true; }, [] {}}) {}

  // As a worker writes: at most `piece` bytes at once, the descriptor with the first of them.
  void Write(const std::string& message, std::size_t piece) {
    const std::string line = message + "\n";
    for (std::size_t at = 0; at < line.size(); at += piece) {
      const int fd = STDIN_FILENO;
      const bool with_fd = at == 0 && AnnouncesHandle(message);
      const std::string_view bytes = std::string_view(line).substr(at, piece);
      REQUIRE(SendWithFds(ends_.second.get(), bytes, &fd, with_fd ? 1 : 0) ==
              static_cast<long>(bytes.size()));
      channel_.ReadDry();
    }
  }
  // Several messages, read when all are there.
  void WriteTogether(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) {
      const int fd = STDIN_FILENO;
      SendWithFds(ends_.second.get(), message + "\n", &fd, AnnouncesHandle(message) ? 1 : 0);
    }
    channel_.ReadDry();
  }
  void Leave() {
    ends_.second.reset();
    channel_.ReadDry();
  }
  // What the worker was answered since the last call.
  std::string Answers() {
    std::string text(4096, '\0');
    const ssize_t got = ::recv(ends_.second.get(), text.data(), text.size(), MSG_DONTWAIT);
    return text.substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  std::vector<std::string> lines;
  bool ended = false;

 private:
  uv::Loop loop_;
  SocketPair ends_;
  NodeChannel channel_;
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
      Channel channel;
      const std::ptrdiff_t open = CountOpenFiles();
      channel.WriteTogether(worker.messages);
      CHECK(channel.lines == expected.lines);
      CHECK(channel.Answers() == expected.answers);
      CHECK(CountOpenFiles() == open);
    }
  }
}

TEST_CASE("A line longer than one look is told by its beginning and does not shift what follows") {
  const std::string handle =
      R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":")" + std::string(200'000, 'x') + R"("})";
  const std::string own = "\"" + std::string(200'000, 'y') + "\"";
  Channel channel;
  const std::ptrdiff_t open = CountOpenFiles();
  channel.Write(handle, 50'000);
  CHECK(channel.lines.empty());
  CHECK(channel.Answers() == HandleAcknowledgement());
  channel.Write(own, 50'000);
  REQUIRE(channel.lines.size() == 1);
  CHECK(channel.lines[0].substr(0, 100) == own.substr(0, 100));
  channel.Write(R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})", 10);
  REQUIRE(channel.lines.size() == 2);
  CHECK(std::holds_alternative<Online>(ParseWorkerMessage(channel.lines[1])));
  CHECK(CountOpenFiles() == open);
}

}  // namespace slc
