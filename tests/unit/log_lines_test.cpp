#include "daemon/master/core/log_lines.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace slc {
namespace {

using Lines = std::vector<std::string>;

// What the splitter is to make of a whole output.
Lines Expected(const std::string& output) {
  Lines lines;
  std::size_t begin = 0;
  while (begin < output.size()) {
    const std::size_t newline = output.find('\n', begin);
    std::string line = output.substr(begin, newline - begin);
    begin = newline == std::string::npos ? output.size() : newline + 1;
    const std::size_t first = lines.size();
    // A "\r" goes with the end of the line, unless the end is missing: then it is all that is left.
    if (newline != std::string::npos && !line.empty() && line.back() == '\r') line.pop_back();
    if (newline == std::string::npos && line.size() % kLongestLine == 1 && line.back() == '\r' &&
        line.size() > 1) {
      line.pop_back();
    }
    for (std::size_t at = 0; at < line.size(); at += kLongestLine) {
      lines.push_back(line.substr(at, kLongestLine));
    }
    if (lines.size() == first) lines.push_back(line);
  }
  return lines;
}

TEST_CASE("lines come whole however the output is cut, and long ones in pieces") {
  std::mt19937 random(1);
  const auto pick = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  for (int round = 0; round < 500; ++round) {
    std::string output;
    for (std::size_t lines = pick(6); lines > 0; --lines) {
      std::size_t size = pick(40);
      if (pick(3) == 0) size = kLongestLine * pick(3) + pick(6) - std::min<std::size_t>(pick(3), 0);
      if (pick(5) == 0 && size > 3) size -= 3;
      std::string line(size, static_cast<char>('a' + pick(25)));
      if (!line.empty() && pick(4) == 0) line[pick(line.size() - 1)] = '\r';
      if (!line.empty() && pick(3) == 0) line.back() = '\r';
      output += line;
      if (pick(9) > 0) output += pick(2) == 0 ? "\r\n" : "\n";
    }
    // Every second history refuses lines now and then.
    const bool refuses = round % 2 == 1;
    Lines taken;
    const auto take = [&](std::string_view line) {
      if (refuses && pick(3) == 0) return false;
      taken.emplace_back(line);
      return true;
    };
    LineSplitter splitter;
    std::size_t at = 0;
    while (at < output.size()) {
      const std::size_t size = pick(2) == 0 ? 1 + pick(30) : 1 + pick(40000);
      std::string chunk = output.substr(at, size);
      at += chunk.size();
      // What was not used is fed again.
      std::size_t used = 0;
      int patience = 1000;
      while (used < chunk.size() && patience-- > 0) {
        used += splitter.Feed(std::string_view(chunk).substr(used), take);
      }
      REQUIRE(used == chunk.size());
      chunk.assign(chunk.size(), '#');
    }
    int patience = 1000;
    while (!splitter.Rest(take) && patience-- > 0) {
    }
    REQUIRE(splitter.empty());
    REQUIRE(taken == Expected(output));
  }
}

TEST_CASE("a line of 16 KiB is whole with either end, one byte more is cut") {
  for (const std::string& end : {std::string("\n"), std::string("\r\n")}) {
    for (const std::size_t cut :
         {std::size_t{1}, kLongestLine - 1, kLongestLine, kLongestLine + 1}) {
      for (const std::size_t size : {kLongestLine, kLongestLine + 1}) {
        const std::string output = std::string(size, 'x') + end;
        Lines taken;
        const auto take = [&taken](std::string_view line) {
          taken.emplace_back(line);
          return true;
        };
        LineSplitter splitter;
        splitter.Feed(output.substr(0, cut), take);
        splitter.Feed(output.substr(cut), take);
        REQUIRE(taken.size() == (size == kLongestLine ? 1 : 2));
        CHECK(taken[0].size() == kLongestLine);
        CHECK(splitter.empty());
      }
    }
  }
}

TEST_CASE("the last line needs no end, and an empty output has no line") {
  Lines taken;
  const auto take = [&taken](std::string_view line) {
    taken.emplace_back(line);
    return true;
  };
  LineSplitter splitter;
  CHECK(splitter.Rest(take));
  CHECK(taken.empty());
  splitter.Feed("one\n\ntw", take);
  splitter.Feed("o", take);
  CHECK(taken == Lines{"one", ""});
  CHECK(splitter.Rest(take));
  CHECK(taken == Lines{"one", "", "two"});
}

TEST_CASE("a long beginning of a line does not keep its memory") {
  LineSplitter splitter;
  const auto take = [](std::string_view) { return true; };
  splitter.Feed(std::string(10000, 'x'), take);
  splitter.Feed("\n", take);
  CHECK(splitter.empty());
}

std::string Written(const LineHead& head, const std::string& text) {
  std::string buffer(head.Room(text.size()) + 1, '#');
  char* end = head.Write(buffer.data(), text);
  REQUIRE(end <= buffer.data() + head.Room(text.size()));
  REQUIRE(buffer.back() == '#');
  return buffer.substr(0, static_cast<std::size_t>(end - buffer.data()));
}

constexpr Millis kMoment = 1795367798688;  // 2026-11-22T17:16:38.688Z

TEST_CASE("a text line has time, pid and worker in front and passes bytes through") {
  const LineHead head(LogFormat::kText, LogStream::kOut, kMoment, 27466, 1);
  CHECK(Written(head, "text") == "2026-11-22T17:16:38.688Z pid:27466 worker:1 text\n");
  CHECK(Written(head, "") == "2026-11-22T17:16:38.688Z pid:27466 worker:1 \n");
  const std::string bytes("\x00\x1b[31m\xff\r\t", 9);
  CHECK(Written(head, bytes) == "2026-11-22T17:16:38.688Z pid:27466 worker:1 " + bytes + "\n");
  const LineHead longest(LogFormat::kText, LogStream::kOut, kMoment, 2147483647, 4294967295);
  CHECK(Written(longest, "x") == "2026-11-22T17:16:38.688Z pid:2147483647 worker:4294967295 x\n");
}

TEST_CASE("a raw line is what was printed") {
  const LineHead head(LogFormat::kRaw, LogStream::kErr, kMoment, 27466, 1);
  CHECK(Written(head, "a\x01 b") == "a\x01 b\n");
}

TEST_CASE("a JSON line is valid JSON whatever was printed") {
  const LineHead head(LogFormat::kJson, LogStream::kErr, kMoment, 27466, 3);
  CHECK(Written(head, "say \"hi\" \\ \t\x1b") ==
        "{\"time\":\"2026-11-22T17:16:38.688Z\",\"pid\":27466,\"worker\":3,\"stream\":\"err\","
        "\"text\":\"say \\\"hi\\\" \\\\ \\t\\u001b\"}\n");
  const auto text = [&head](const std::string& printed) {
    const auto json = nlohmann::json::parse(Written(head, printed));
    return json["text"].get<std::string>();
  };
  CHECK(text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string bad = "\xef\xbf\xbd";
  CHECK(text("a\xff"
             "b") == "a" + bad + "b");
  CHECK(text("cut \xe2\x82") == "cut " + bad + bad);
  CHECK(text("overlong \xc0\xaf") == "overlong " + bad + bad);
  CHECK(text("surrogate \xed\xa0\x80") == "surrogate " + bad + bad + bad);
  CHECK(text("beyond \xf4\x90\x80\x80") == "beyond " + bad + bad + bad + bad);
}

TEST_CASE("random bytes in JSON stay within the room and parse; plain text comes back the same") {
  std::mt19937 random(2);
  const LineHead head(LogFormat::kJson, LogStream::kOut, kMoment, 1, 1);
  for (int round = 0; round < 20000; ++round) {
    const bool plain = round % 2 == 0;
    std::string printed(std::uniform_int_distribution<std::size_t>(0, 60)(random), ' ');
    for (char& c : printed) {
      c = static_cast<char>(plain ? std::uniform_int_distribution<int>(0, 127)(random)
                                  : std::uniform_int_distribution<int>(0, 255)(random));
      if (c == '\n') c = ' ';
    }
    const auto json = nlohmann::json::parse(Written(head, printed), nullptr, false);
    REQUIRE(json.is_object());
    if (plain) REQUIRE(json["text"].get<std::string>() == printed);
  }
  const std::string worst(kLongestLine, '\x01');
  CHECK(Written(head, worst).size() > 6 * kLongestLine);
}

}  // namespace
}  // namespace slc
