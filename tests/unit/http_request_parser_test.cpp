#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/http/request_parser.h"

namespace slc::http {
namespace {

using Event = RequestParser::Event;

struct Parsed {
  std::vector<RequestHead> heads;
  std::vector<std::string> bodies;  // of complete requests
  int refused = 0;                  // the status
  std::string reason;
};

// `piece` bytes at a time.
Parsed Parse(const std::string& bytes, std::size_t piece = std::string::npos) {
  RequestParser parser;
  Parsed parsed;
  std::string body;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string part = bytes.substr(at, piece);
    at += part.size();
    std::string_view rest = part;
    while (true) {
      const std::size_t before = rest.size();
      const Event event = parser.Next(rest);
      if (event == Event::kMore) {
        CHECK(rest.empty());
        break;
      }
      REQUIRE(rest.size() <= before);
      if (event == Event::kHead) parsed.heads.push_back(parser.head());
      if (event == Event::kData) body += parser.data();
      if (event == Event::kEnd) parsed.bodies.push_back(std::exchange(body, {}));
      if (event != Event::kRefused) continue;
      CHECK(parser.Next(rest) == Event::kRefused);
      parsed.refused = parser.refusal().status;
      parsed.reason = parser.refusal().reason;
      return parsed;
    }
  }
  return parsed;
}

std::string Get(const std::string& headers) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
}
std::string Post(const std::string& headers, const std::string& body) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
}
int Status(const std::string& bytes) { return Parse(bytes).refused; }

TEST_CASE("a request is read whatever pieces it comes in") {
  const std::string bytes =
      "POST /api/Services?filter=%7B%7D HTTP/1.1\r\nHost: localhost:8701\r\nX-One:  two \r\n"
      "Content-Length: 5\r\n\r\nhelloGET /next HTTP/1.1\r\nhost: b\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed parsed = Parse(bytes, piece);
    REQUIRE(parsed.heads.size() == 2);
    const RequestHead& head = parsed.heads[0];
    CHECK(head.method == "POST");
    CHECK(head.target == "/api/Services?filter=%7B%7D");
    CHECK(head.host == "localhost:8701");
    REQUIRE(head.Find("x-one"));
    CHECK(*head.Find("x-one") == "two");
    CHECK(head.Find("x-two") == nullptr);
    CHECK(head.length == 5);
    CHECK(head.has_body());
    CHECK(head.keep_alive);
    CHECK(parsed.bodies == std::vector<std::string>{"hello", ""});
    CHECK(parsed.heads[1].target == "/next");
    CHECK_FALSE(parsed.heads[1].has_body());
  }
}

TEST_CASE("chunks are put together whatever pieces they come in") {
  const std::string bytes = Post("Transfer-Encoding: Chunked\r\n",
                                 "5\r\nhello\r\n1;a=b;c=\"d\"\r\n \r\nA\r\n0123456789\r\n"
                                 "0\r\nTrailer: x\r\nHost: evil\r\n\r\n") +
                            Get("");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed parsed = Parse(bytes, piece);
    REQUIRE(parsed.heads.size() == 2);
    CHECK(parsed.heads[0].chunked);
    CHECK(parsed.heads[0].host == "a");
    CHECK(parsed.heads[0].Find("trailer") == nullptr);
    CHECK(parsed.bodies == std::vector<std::string>{"hello 0123456789", ""});
  }
}

TEST_CASE("large bodies go through in the pieces they come in") {
  const std::string data(300'000, 'x');
  Parsed parsed = Parse(Post("Content-Length: 300000\r\n", data), 65536);
  CHECK(parsed.bodies == std::vector<std::string>{data});
  parsed =
      Parse(Post("Transfer-Encoding: chunked\r\n", "493e0\r\n" + data + "\r\n0\r\n\r\n"), 65536);
  CHECK(parsed.bodies == std::vector<std::string>{data});
}

TEST_CASE("whether the connection stays is read as HTTP says") {
  CHECK(Parse(Get("")).heads.at(0).keep_alive);
  CHECK_FALSE(Parse(Get("Connection: close\r\n")).heads.at(0).keep_alive);
  CHECK_FALSE(Parse("GET / HTTP/1.0\r\n\r\n").heads.at(0).keep_alive);
  CHECK(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").heads.at(0).keep_alive);
  CHECK(Parse("GET / HTTP/1.0\r\n\r\n").heads.at(0).http10);
}

TEST_CASE("an upgrade is not taken up, and the next request is read as one") {
  const Parsed parsed =
      Parse(Get("Connection: Upgrade\r\nUpgrade: websocket\r\n") + Get("Connection: close\r\n"));
  CHECK(parsed.heads.size() == 2);
  CHECK(parsed.bodies.size() == 2);
}

TEST_CASE("an absolute target names the host") {
  const Parsed parsed = Parse("GET http://one:80/a?b HTTP/1.1\r\nHost: two\r\n\r\n");
  REQUIRE(parsed.heads.size() == 1);
  CHECK(parsed.heads[0].target == "/a?b");
  CHECK(parsed.heads[0].host == "one:80");
  CHECK(Parse("GET http://one HTTP/1.1\r\nHost: two\r\n\r\n").heads.at(0).target == "/");
  CHECK(Status("GET http:///a HTTP/1.1\r\nHost: two\r\n\r\n") == 400);
  CHECK(Status("GET ftp://one/a HTTP/1.1\r\nHost: two\r\n\r\n") == 400);
  CHECK(Status("GET * HTTP/1.1\r\nHost: two\r\n\r\n") == 400);
  CHECK(Status("OPTIONS * HTTP/1.1\r\nHost: two\r\n\r\n") == 0);
  // As Node's clients name a unix socket.
  CHECK(Status("GET //api HTTP/1.1\r\nHost: /run/slc.sock\r\n\r\n") == 0);
  CHECK(Status("GET /api HTTP/1.1\r\nHost: run/slc.sock\r\n\r\n") == 400);
  CHECK(Status("GET /api HTTP/1.1\r\nHost: /run/a@b\r\n\r\n") == 400);
}

TEST_CASE("what could be read in two ways is refused") {
  const std::vector<std::string> headers{
      "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
      "Content-Length: 1\r\nContent-Length: 1\r\n",
      "Content-Length: 1\r\nContent-Length: 2\r\n",
      "Content-Length: 1, 1\r\n",
      "Content-Length: +1\r\n",
      "Content-Length: -0\r\n",
      "Content-Length: 0x1\r\n",
      "Content-Length: 1 1\r\n",
      "Content-Length:\r\n",
      "Content-Length: 99999999999999999999\r\n",
      "Content-Length : 1\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Host: a\r\n",
      "Host : b\r\n",
      "X: a\r\n b\r\n",
      "X: a\r\n\tb\r\n",
      " X: a\r\n",
      "X: a\nY: b\r\n",
      "X: a\rY: b\r\n",
      "X: a\r\r\n",
      std::string("X: a\0b\r\n", 8),
      "X: a\x01\r\n",
      "X: a\x7f\r\n",
      "X\r\n",
      ": a\r\n",
      "X y: a\r\n",
      "X(: a\r\n",
      "X\x80: a\r\n",
  };
  for (const std::string& header : headers) {
    INFO(header);
    CHECK(Status(Post(header, "")) == 400);
  }
  CHECK(Status(Post("Transfer-Encoding: gzip, chunked\r\n", "")) == 501);
  CHECK(Status(Post("Transfer-Encoding: identity\r\n", "")) == 501);
  CHECK(Status(Post("Transfer-Encoding: xchunked\r\n", "")) == 501);
  CHECK(Status(Post("Transfer-Encoding: \"chunked\"\r\n", "")) == 501);
  CHECK(Status(Get("Expect: something\r\n")) == 417);
  CHECK(Status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
  CHECK(Status("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(Status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
  CHECK(Status("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n") == 400);
}

TEST_CASE("request lines of other protocols are refused with a status that says what is wrong") {
  CHECK(Status("GET /\r\n\r\n") == 400);
  CHECK(Status("GET\r\n\r\n") == 400);
  CHECK(Status("GET / HTTP/1.1 \r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("G(T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("GET / FTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(Status("GET / HTTP/1.2\r\nHost: a\r\n\r\n") == 505);
  CHECK(Status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  CHECK(Status("BREW / HTTP/1.1\r\nHost: a\r\n\r\n") == 501);
  CHECK(Status("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n") == 501);
  CHECK(Status("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n") == 501);
  CHECK(Status("GET / HTTP/1.1\nHost: a\n\n") == 400);
  CHECK(Status("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  for (std::size_t piece = 1; piece < 10; ++piece) {
    CHECK(Parse("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", piece).bodies.size() == 1);
    CHECK(Parse(Post("Content-Length: 1\r\n", "x\r\n\r\n"), piece).refused == 0);
  }
  CHECK(Status("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(Status(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)) == 400);
}

TEST_CASE("heads beyond their limits are refused, and those within are not") {
  const std::string long_target(RequestParser::kMostRequestLine - 20, 'a');
  CHECK(Status("GET /" + long_target + " HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
  for (const std::size_t piece : {std::size_t{1000}, std::string::npos}) {
    CHECK(Parse("GET /" + long_target + "aaaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n", piece).refused ==
          414);
    CHECK(Parse("GET /" + std::string(100'000, 'a'), piece).refused == 414);
    CHECK(
        Parse(Get("X: " + std::string(RequestParser::kMostHeaders, 'a') + "\r\n"), piece).refused ==
        431);
    CHECK(Parse("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a'), piece).refused == 431);
  }
  CHECK(Status(Get("X: " + std::string(RequestParser::kMostHeaders - 100, 'a') + "\r\n")) == 0);
  std::string many;
  for (std::size_t i = 1; i < RequestParser::kMostHeaderCount; ++i) many += "A: b\r\n";
  CHECK(Status(Get(many)) == 0);
  CHECK(Status(Get(many + "A: b\r\n")) == 431);
}

TEST_CASE("chunks that are none, or say more than their size, are refused") {
  const auto chunks = [](const std::string& body) {
    const std::string bytes = Post("Transfer-Encoding: chunked\r\n", body);
    const int whole = Parse(bytes).refused;
    CHECK(Parse(bytes, 1).refused == whole);
    return whole;
  };
  CHECK(chunks("x\r\n") == 400);
  CHECK(chunks("-1\r\n") == 400);
  CHECK(chunks("+1\r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("0x1\r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("1\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("1\rxa\r\n0\r\n\r\n") == 400);
  CHECK(chunks("0\rx\r\n") == 400);
  CHECK(chunks(" 1\r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("1 \r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("1\r\nab\r\n0\r\n\r\n") == 400);
  CHECK(chunks("fffffffffffffffff\r\n") == 400);
  CHECK(chunks("1;" + std::string(200, 'a') + "\r\na\r\n0\r\n\r\n") == 0);
  CHECK(chunks("1;" + std::string(400, 'a') + "\r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks(std::string(400, '0') + "1\r\na\r\n0\r\n\r\n") == 400);
  CHECK(chunks("0\r\nX: " + std::string(3000, 'a') + "\r\n\r\n") == 0);
  CHECK(chunks("0\r\nX: " + std::string(8000, 'a') + "\r\n\r\n") == 400);
}

TEST_CASE("random bytes after a good request never change what was read") {
  std::mt19937 random(3);
  const std::string good = Post("Content-Length: 3\r\n", "abc");
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (auto i = random() % 200; i > 0; --i) bytes += static_cast<char>(random());
    const Parsed parsed = Parse(bytes, 1 + random() % 100);
    REQUIRE(!parsed.bodies.empty());
    REQUIRE(parsed.bodies[0] == "abc");
  }
}

TEST_CASE("random damage to a good request is read alike in any pieces") {
  std::mt19937 random(4);
  const std::string good =
      Post("Transfer-Encoding: chunked\r\nX-A: b\r\n", "3\r\nabc\r\n0\r\n\r\n") + Get("Y: z\r\n");
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = good;
    for (auto i = 1 + random() % 3; i > 0; --i) {
      const std::size_t at = random() % bytes.size();
      static constexpr char kBytes[] = "\r\n :;0aA\t\0\x80";
      switch (random() % 3) {
        case 0:
          bytes[at] = kBytes[random() % (sizeof(kBytes) - 1)];
          break;
        case 1:
          bytes.erase(at, 1);
          break;
        default:
          bytes.insert(at, 1, kBytes[random() % (sizeof(kBytes) - 1)]);
      }
    }
    const Parsed whole = Parse(bytes);
    const Parsed pieces = Parse(bytes, 1 + random() % 7);
    INFO(bytes);
    CHECK(whole.bodies == pieces.bodies);
    CHECK(whole.heads.size() == pieces.heads.size());
    CHECK(whole.refused == pieces.refused);
  }
}

}  // namespace
}  // namespace slc::http
