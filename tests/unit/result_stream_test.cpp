#include "common/wire/result_stream.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "common/wire/frame.h"

namespace slc {
namespace {

using State = ResultReader::State;

const std::string kEnd(4, '\0');

// A chunk is written like a frame of the control protocol.
std::string Chunk(const std::string& bytes) { return EncodeFrame(bytes); }

std::string Fail(const std::string& reason) {
  std::string frame = EncodeFrame(reason);
  frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x80U);
  return frame;
}

std::string Read(ResultReader& reader, const std::string& stream, std::size_t piece) {
  std::string result;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const std::string part = stream.substr(at, piece);
    std::string_view bytes = part;
    while (!bytes.empty()) result += reader.Take(bytes);
  }
  return result;
}

}  // namespace

TEST_CASE("A result is whole at its end mark, in whatever pieces it comes") {
  const std::string stream = Chunk("one ") + Chunk(std::string(300, 'x')) + Chunk("!") + kEnd;
  for (std::size_t piece : {1, 2, 3, 5, 300, 1000}) {
    ResultReader reader;
    CHECK(Read(reader, stream, piece) == "one " + std::string(300, 'x') + "!");
    CHECK(reader.state() == State::kWhole);
    CHECK(reader.size() == 305);
  }
}

TEST_CASE("A result that is cut anywhere is not whole") {
  const std::string stream = Chunk("some") + Chunk("more") + kEnd;
  for (std::size_t length = 0; length < stream.size(); ++length) {
    ResultReader reader;
    Read(reader, stream.substr(0, length), 7);
    CHECK(reader.state() == State::kGoesOn);
  }
}

TEST_CASE("A result that failed says why") {
  for (std::size_t piece : {1, 100}) {
    ResultReader reader;
    CHECK(Read(reader, Chunk("half") + Fail("no memory"), piece) == "half");
    CHECK(reader.state() == State::kFailed);
    CHECK(reader.reason() == "no memory");
  }
  ResultReader silent;
  Read(silent, Fail(""), 100);
  CHECK(silent.state() == State::kFailed);
  CHECK(!silent.reason().empty());
}

TEST_CASE("Why it failed is one line of bounded length, fit for a terminal") {
  ResultReader forged;
  Read(forged, Fail("no\n2026 slcd info all is well \x1b[2J"), 3);
  CHECK(forged.state() == State::kFailed);
  CHECK(forged.reason().find('\n') == std::string::npos);
  CHECK(forged.reason().find('\x1b') == std::string::npos);
  CHECK(forged.reason().find("all is well") != std::string::npos);
  ResultReader wordy;
  Read(wordy, Fail(std::string(5000, 'x')), 1000);
  CHECK(wordy.state() == State::kBroken);
  CHECK(wordy.reason().size() < 100);
}

TEST_CASE("What is no result is told, and kept nowhere") {
  ResultReader more;
  CHECK(Read(more, kEnd + "x", 100).empty());
  CHECK(more.state() == State::kBroken);
  ResultReader endless;
  Read(endless, "\xff\xff\xff\xff" + std::string(100'000, 'x'), 1000);
  CHECK(endless.state() == State::kBroken);
  CHECK(endless.reason().size() < 100);
}

}  // namespace slc
