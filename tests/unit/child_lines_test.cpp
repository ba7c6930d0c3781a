#include "daemon/deploy/child_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/uv/timer.h"

using namespace slc;
using namespace slc::deploy;

namespace {

using Lines = std::vector<std::string>;

struct Told {
  Lines all;
  Lines last;
};

// What is told of a child that has printed `text` and ended.
Told TellOf(const std::string& text) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd write(ends[1]);
  REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= static_cast<int>(text.size()));
  REQUIRE(WriteAll(write.get(), text).ok());
  uv::Loop loop;
  Told told;
  ChildLines lines(loop, UniqueFd(ends[0]),
                   [&](const std::string& line) { told.all.push_back(line); });
  // Somebody else may hold the pipe.
  lines.Finish();
  told.last = lines.last();
  return told;
}

}  // namespace

TEST_CASE("what a child prints is told line by line, the last one even if it was not ended") {
  CHECK(TellOf("one\ntwo\r\nthree").all == Lines{"one", "two", "three"});
  CHECK(TellOf("").all.empty());
  CHECK(TellOf("\n\n").all == Lines{"", ""});
}

TEST_CASE("of a line that was drawn anew the end is told, and nothing that moves a cursor") {
  CHECK(TellOf("10%\r50%\r100%\n").all == Lines{"100%"});
  const Lines lines = TellOf("\x1b[2Jred\n").all;
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find('\x1b') == std::string::npos);
  CHECK(lines[0].find("red") != std::string::npos);
}

TEST_CASE("lines have a bounded length, and are a bounded number") {
  const Lines one = TellOf(std::string(10'000, 'x') + "\nnext\n").all;
  REQUIRE(one.size() == 2);
  CHECK(one[0].size() == ChildLines::kLongest);
  CHECK(one[1] == "next");
  std::string many;
  for (std::size_t i = 0; i < ChildLines::kMost + 100; ++i) many += std::to_string(i) + "\n";
  const Told told = TellOf(many);
  REQUIRE(told.all.size() == ChildLines::kMost + 1);
  CHECK(told.all.back() == "(more lines are not shown)");
  REQUIRE(told.last.size() == ChildLines::kKept);
  CHECK(told.last.back() == std::to_string(ChildLines::kMost + 99));
}
