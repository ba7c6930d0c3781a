#include "daemon/master/core/log_queue.h"

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"

namespace slc {
namespace {

int blocks_alive = 0;
int blocks_allowed = 1000;

LogMemory CountedMemory() {
  blocks_alive = 0;
  blocks_allowed = 1000;
  return LogMemory{[](std::size_t size) -> char* {
                     if (blocks_alive >= blocks_allowed) return nullptr;
                     ++blocks_alive;
                     return static_cast<char*>(std::malloc(size));
                   },
                   [](char* bytes, std::size_t) {
                     --blocks_alive;
                     std::free(bytes);
                   }};
}

constexpr int kOwnPid = 77;

LineHead RawHead(LogStream stream) { return {LogFormat::kRaw, stream, 0, 1, 1}; }

// Follows what a stream's file would hold and checks it against what was printed: lines are
// numbered, and each gap must say exactly how many numbers are missing at its place.
class StreamCheck {
 public:
  void Add(std::string_view bytes) { text_ += bytes; }

  // How many lines were written, and how many reported as dropped.
  std::pair<std::uint64_t, std::uint64_t> Check() const {
    std::uint64_t next = 0;
    std::uint64_t written = 0;
    std::uint64_t reported = 0;
    bool gap = false;
    for (const std::string& line : Split(text_, '\n')) {
      if (line.empty()) continue;
      if (StartsWith(line, "[slc: ")) {
        const auto count = std::strtoull(line.c_str() + 6, nullptr, 10);
        const std::string noun = count == 1 ? " line dropped]" : " lines dropped]";
        REQUIRE(line == "[slc: " + std::to_string(count) + noun);
        REQUIRE(count > 0);
        next += count;
        reported += count;
        gap = true;
        continue;
      }
      REQUIRE(std::strtoull(line.c_str(), nullptr, 10) == next);
      ++next;
      ++written;
      gap = false;
    }
    static_cast<void>(gap);
    return {written, reported};
  }

 private:
  std::string text_;
};

TEST_CASE(
    "random histories: written + dropped = produced, and gaps stand where lines are missing") {
  std::mt19937 random(3);
  const auto chance = [&random](int percent) {
    return std::uniform_int_distribution<int>(1, 100)(random) <= percent;
  };
  std::uint64_t all_dropped = 0;
  for (int round = 0; round < 60; ++round) {
    LogQueue queue(kOwnPid, CountedMemory());
    std::map<LogStream, std::uint64_t> produced;
    std::map<LogStream, StreamCheck> files;
    std::vector<std::unique_ptr<LogBlock>> taken;
    const int write_percent = round % 3 == 0 ? 60 : 3;
    const int err_percent = round % 2 == 0 ? 5 : 50;
    const auto write = [&](std::unique_ptr<LogBlock> block) {
      files[block->stream()].Add(block->text());
      queue.Written(std::move(block));
    };
    for (int step = 0; step < 400; ++step) {
      if (chance(2)) blocks_allowed = std::uniform_int_distribution<int>(0, 10)(random);
      // A burst of lines of one stream.
      const LogStream stream = chance(err_percent) ? LogStream::kErr : LogStream::kOut;
      const LineHead head = RawHead(stream);
      const std::size_t size = chance(10) ? 16000 : 100;
      for (int i = std::uniform_int_distribution<int>(1, 300)(random); i > 0; --i) {
        std::string text = std::to_string(produced[stream]++);
        text.resize(std::max(size, text.size()), ' ');
        if (!queue.Push(head, text)) queue.Drop(head);
      }
      while (chance(write_percent)) {
        auto block = queue.Take(0);
        if (!block) break;
        REQUIRE(!block->text().empty());
        REQUIRE(block->text().back() == '\n');
        write(std::move(block));
      }
      if (chance(10)) queue.Trim();
      REQUIRE(blocks_alive <= static_cast<int>(kLogBlocks));
    }
    blocks_allowed = 1000;
    while (auto block = queue.Take(0)) write(std::move(block));
    CHECK(queue.empty());
    std::uint64_t written = 0;
    std::uint64_t reported = 0;
    for (const auto& [stream, file] : files) {
      const auto [stream_written, stream_reported] = file.Check();
      REQUIRE(stream_written + stream_reported == produced[stream]);
      written += stream_written;
      reported += stream_reported;
    }
    CHECK(queue.produced() == produced[LogStream::kOut] + produced[LogStream::kErr]);
    CHECK(queue.written() == written);
    CHECK(queue.dropped() == reported);
    all_dropped += reported;
    queue.Trim();
    CHECK(blocks_alive == 0);
  }
  CHECK(all_dropped > 200000);
}

TEST_CASE("random histories with abandoned blocks: the counts still add up") {
  std::mt19937 random(4);
  for (int round = 0; round < 60; ++round) {
    LogQueue queue(kOwnPid, CountedMemory());
    std::uint64_t produced = 0;
    std::uint64_t seen = 0;
    for (int step = 0; step < 200; ++step) {
      const LogStream stream = random() % 4 == 0 ? LogStream::kErr : LogStream::kOut;
      const LineHead head(LogFormat::kText, stream, 0, 1, 1);
      for (auto i = random() % 400; i > 0; --i) {
        ++produced;
        if (!queue.Push(head, "some text that is neither short nor long")) queue.Drop(head);
      }
      if (random() % 3 == 0) {
        if (auto block = queue.Take(0)) {
          const std::size_t bytes = random() % (block->text().size() + 1);
          for (const std::string& line : Split(block->text().substr(0, bytes), '\n')) {
            if (EndsWith(line, "some text that is neither short nor long")) ++seen;
          }
          // The last part was cut from its "\n" unless that was the end.
          if (bytes > 0 && block->text()[bytes - 1] != '\n' &&
              EndsWith(block->text().substr(0, bytes), "short nor long")) {
            --seen;
          }
          queue.Abandon(std::move(block), bytes);
        }
      }
    }
    std::uint64_t inside = 0;
    while (auto block = queue.Take(0)) {
      inside += block->lines();
      queue.Abandon(std::move(block), 0);
    }
    static_cast<void>(inside);
    CHECK(queue.produced() == produced);
    CHECK(queue.written() == seen);
    CHECK(queue.written() + queue.dropped() == produced);
  }
}

TEST_CASE("a flood on stdout leaves room for a line on stderr") {
  LogQueue queue(kOwnPid);
  const std::string text(1000, 'x');
  int pushed = 0;
  while (queue.Push(RawHead(LogStream::kOut), text)) ++pushed;
  CHECK(pushed > 800);
  CHECK(queue.Push(RawHead(LogStream::kErr), "the reason"));
  CHECK(!queue.Push(RawHead(LogStream::kOut), text));
  CHECK(queue.produced() == static_cast<std::uint64_t>(pushed) + 1);
}

TEST_CASE("the line about a gap has the format of its neighbours and the master as its worker") {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    LogQueue queue(kOwnPid);
    const LineHead head(format, LogStream::kErr, 1795367798688, 5, 9);
    CHECK(queue.Push(head, "one"));
    queue.Drop(head);
    queue.Drop(head);
    CHECK(queue.Push(head, "four"));
    const auto block = queue.Take(0);
    const std::vector<std::string> lines = Split(block->text(), '\n');
    REQUIRE(lines.size() == 4);
    CHECK(block->lines() == 2);
    if (format == LogFormat::kText) {
      CHECK(lines[1] == "2026-11-22T17:16:38.688Z pid:77 worker:0 [slc: 2 lines dropped]");
    } else {
      CHECK(lines[1] ==
            "{\"time\":\"2026-11-22T17:16:38.688Z\",\"pid\":77,\"worker\":0,\"stream\":\"err\","
            "\"text\":\"[slc: 2 lines dropped]\"}");
    }
  }
}

TEST_CASE("a gap that no line follows is reported once all else is written") {
  LogQueue queue(kOwnPid);
  CHECK(queue.Push(RawHead(LogStream::kOut), "one"));
  queue.Drop(RawHead(LogStream::kOut));
  CHECK(!queue.empty());
  queue.Written(queue.Take(0));
  auto gap = queue.Take(0);
  REQUIRE(gap);
  CHECK(gap->text() == "[slc: 1 line dropped]\n");
  CHECK(gap->lines() == 0);
  queue.Written(std::move(gap));
  CHECK(queue.empty());
  CHECK(queue.Take(0) == nullptr);
  CHECK(queue.written() == 1);
  CHECK(queue.dropped() == 1);
}

TEST_CASE("a full buffer that gets one block free does not report a gap for each block") {
  LogQueue queue(kOwnPid);
  const LineHead head = RawHead(LogStream::kOut);
  const std::string text(100, 'x');
  std::size_t gaps = 0;
  for (int i = 0; i < 100000; ++i) {
    if (!queue.Push(head, text)) queue.Drop(head);
    if (i % 5000 != 0) continue;
    auto block = queue.Take(0);
    std::string written(block->text());
    for (std::size_t at = written.find("[slc"); at != std::string::npos;
         at = written.find("[slc", at + 1)) {
      ++gaps;
    }
    queue.Written(std::move(block));
  }
  CHECK(queue.dropped() > 50000);
  CHECK(gaps <= 5);
}

TEST_CASE("patience is limited, is earned by writing, and is none when waiting was vain") {
  Patience patience;
  CHECK(patience.Left(0) == Patience::kMost);
  patience.Waited(Patience::kMost);
  CHECK(patience.Left(0) == 0);
  CHECK(patience.Left(0) == 0);
  // 1 MB at 10 MB/s is a tenth of a second.
  CHECK(patience.Left(1'000'000) == 100'000);
  patience.Waited(60'000);
  CHECK(patience.Left(1'000'000) == 40'000);
  // It never grows beyond the most, however much was written.
  CHECK(patience.Left(1ULL << 40) == Patience::kMost);
  patience.Waited(Patience::kMost * 5);
  CHECK(patience.Left(1ULL << 40) == 0);
  // Nor is anything lost that is too little to count by itself.
  std::uint64_t written = 1ULL << 40;
  for (int i = 0; i < 30000; ++i) written += 1;
  for (std::uint64_t now = (1ULL << 40); now <= written; ++now) patience.Left(now);
  CHECK(patience.Left(written) == 3000);
}

}  // namespace
}  // namespace slc
