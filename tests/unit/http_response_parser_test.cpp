#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/http/response_parser.h"

namespace slc::http {
namespace {

using Event = ResponseParser::Event;

struct Parsed {
  std::vector<AnswerHead> heads;
  std::vector<std::string> bodies;  // of complete answers
  std::string refused;              // why
};

// `piece` bytes at a time, as answers to `method`, then the end of the connection.
Parsed Parse(const std::string& bytes, std::size_t piece = std::string::npos,
             const std::string& method = "GET") {
  ResponseParser parser;
  Parsed parsed;
  std::string body;
  parser.Expect(method);
  const auto take = [&](Event event) {
    if (event == Event::kHead) parsed.heads.push_back(parser.head());
    if (event == Event::kData) body += parser.data();
    if (event == Event::kEnd) parsed.bodies.push_back(std::exchange(body, {}));
    if (event == Event::kRefused) parsed.refused = parser.reason();
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string part = bytes.substr(at, piece);
    at += part.size();
    std::string_view rest = part;
    while (true) {
      const Event event = parser.Next(rest);
      if (event == Event::kMore) {
        CHECK(rest.empty());
        break;
      }
      take(event);
      if (event == Event::kRefused) return parsed;
      const bool more = at < bytes.size() || !rest.empty();
      if (event == Event::kEnd && more) parser.Expect(method);
    }
  }
  if (parsed.bodies.size() == parsed.heads.size() && !parsed.heads.empty()) return parsed;
  take(parser.Close());
  return parsed;
}

std::string Answer(const std::string& headers, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + headers + "\r\n" + body;
}

std::string Refused(const std::string& bytes) { return Parse(bytes).refused; }

}  // namespace

TEST_CASE("an answer is read whatever pieces it comes in") {
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 404 Not Found\r\nX-Powered-By: Express\r\nContent-Type: Application/JSON; "
      "charset=utf-8\r\nContent-Length: 4\r\n\r\nnull"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
      "14;ext=1\r\nApplication received\r\n0\r\nDate: today\r\n\r\n"
      "HTTP/1.1 204\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::string::npos}) {
    const Parsed parsed = Parse(bytes, piece);
    CHECK(parsed.refused == "");
    REQUIRE(parsed.heads.size() == 3);
    CHECK(parsed.heads[0].status == 404);
    CHECK(parsed.heads[0].phrase == "Not Found");
    CHECK(parsed.heads[0].media_type() == "application/json");
    CHECK(*parsed.heads[0].Find("x-powered-by") == "Express");
    CHECK(parsed.heads[0].keep_alive);
    CHECK(parsed.heads[2].status == 204);
    CHECK(parsed.bodies == std::vector<std::string>{"null", "Application received", ""});
  }
}

TEST_CASE("where an answer ends depends on what was asked, its status and its headers") {
  CHECK(Parse("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 1, "HEAD").bodies.size() == 1);
  CHECK(Parse("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").bodies.size() == 1);
  const Parsed open = Parse("HTTP/1.0 200 OK\r\n\r\nto the end", 3);
  REQUIRE(open.heads.size() == 1);
  CHECK(open.heads[0].until_close);
  CHECK_FALSE(open.heads[0].keep_alive);
  CHECK(open.bodies == std::vector<std::string>{"to the end"});
  CHECK_FALSE(Parse(Answer("Connection: Close\r\nContent-Length: 0\r\n", "")).heads[0].keep_alive);
  CHECK_FALSE(Parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").heads[0].keep_alive);
  CHECK(Parse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
            .heads[0]
            .keep_alive);
}

TEST_CASE("a truncated answer is never taken for a whole one") {
  CHECK(Refused("").find("without an answer") != std::string::npos);
  CHECK(Refused("HTTP/1.1 200 OK\r\nA: b\r\n").find("midst of a head") != std::string::npos);
  CHECK(Refused(Answer("Content-Length: 5\r\n", "1234")).find("midst") != std::string::npos);
  CHECK(Refused(Answer("Transfer-Encoding: chunked\r\n", "4\r\n1234\r\n")).find("midst") !=
        std::string::npos);
  CHECK(Refused(Answer("Transfer-Encoding: chunked\r\n", "4\r\n1234\r\n0\r\n")).find("midst") !=
        std::string::npos);
}

TEST_CASE("what could be read in two ways is refused") {
  const std::vector<std::string> wrong{
      Answer("Content-Length: 1\r\nContent-Length: 1\r\n", "a"),
      Answer("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
      Answer("Content-Length: +1\r\n", "a"),
      Answer("Content-Length: -0\r\n", ""),
      Answer("Content-Length: 1, 1\r\n", "a"),
      Answer("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      Answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      Answer("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n"),
      Answer("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
      Answer("Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n"),
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      Answer("A : b\r\nContent-Length: 0\r\n", ""),
      Answer("A: b\r\n c\r\nContent-Length: 0\r\n", ""),
      Answer("A: b\x01\r\nContent-Length: 0\r\n", ""),
      Answer("A: b\nContent-Length: 0\r\n", ""),
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 200 OK\r\rContent-Length: 0\r\n\r\n",
      "HTTP/2 200\r\n\r\n",
      "HTTP/1.2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 999 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 200 O\x1bK\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
  };
  for (const std::string& bytes : wrong) {
    CAPTURE(bytes);
    const Parsed parsed = Parse(bytes);
    CHECK(parsed.refused != "");
    CHECK(parsed.bodies.empty());
    CHECK(Parse(bytes, 1).refused != "");
  }
}

TEST_CASE("nothing is kept beyond what anybody needs") {
  CHECK(Refused("HTTP/1.1 200 " + std::string(9000, 'a')).find("8 KiB") != std::string::npos);
  CHECK(Refused(Answer("A: " + std::string(17'000, 'a') + "\r\n", "")).find("16 KiB") !=
        std::string::npos);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  CHECK(Refused(Answer(many + "Content-Length: 0\r\n", "")).find("100 headers") !=
        std::string::npos);
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  CHECK(Refused(interim).find("without end") != std::string::npos);
  // What is no HTTP is seen at its first byte, not waited for.
  ResponseParser parser;
  parser.Expect("GET");
  std::string_view bytes = "X";
  CHECK(parser.Next(bytes) == Event::kRefused);
}

TEST_CASE("bytes that nobody asked for are refused, not given to the next request") {
  ResponseParser parser;
  parser.Expect("GET");
  std::string_view bytes = "HTTP/1.1 204 X\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  CHECK(parser.Next(bytes) == Event::kHead);
  CHECK(parser.Next(bytes) == Event::kEnd);
  CHECK(parser.Next(bytes) == Event::kRefused);
}

}  // namespace slc::http
