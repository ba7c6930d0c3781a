// The gateway under attack: what is no request, what could be read in two ways, clients that never
// end, and many at once. It stays the same process, and good clients are served meanwhile.
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/system/harness.h"
#include "tests/system/raw_connection.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;
using std::string_literals::operator""s;

namespace {

struct Gateway {
  explicit Gateway(World& world) {
    world.Must({"ctl", "create", "web"});
    world.Must({"gateway", "start", "--listen", "127.0.0.1:" + std::to_string(port)});
    pid = Pid(world);
  }
  static int Pid(World& world) { return world.Json({"gateway", "--json"})["gateway"]["pid"]; }
  // Milliseconds that a good client waits for a status of 200; -1: another answer, or none.
  Millis Ask() const {
    const Millis begin = BootNow();
    RawConnection client(port);
    if (!client.SendGet("/v1/services")) return -1;
    const std::string answer = client.Answer();
    return answer.rfind("HTTP/1.1 200", 0) == 0 ? BootNow() - begin : -1;
  }

  std::uint16_t port = FreePort();
  int pid = 0;
};

// Those with a NUL in them are written with an s, or they would end there.
using Texts = std::initializer_list<std::string>;

// Requests that are none, or that two readers could understand differently. None is to be answered
// with 200.
std::vector<std::string> Malformed() {
  std::vector<std::string> corpus;
  const std::string end = "\r\nHost: localhost\r\n\r\n";
  const auto with_header = [&](const std::string& header) {
    corpus.push_back("GET /v1/services HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n\r\n");
    corpus.push_back("POST /v1/shutdown HTTP/1.1\r\nHost: localhost\r\n" + header +
                     "\r\n\r\n0\r\n\r\n");
  };
  // Request lines.
  for (const std::string& line : Texts{"",
                                       " ",
                                       "GET",
                                       "GET ",
                                       "GET /",
                                       "GET / HTTP/1.1 x",
                                       "GET  / HTTP/1.1",
                                       "GET /\tHTTP/1.1",
                                       "get / HTTP/1.1",
                                       "G\x01T / HTTP/1.1",
                                       "GET / HTTP/2.0",
                                       "GET / HTTP/0.9",
                                       "GET / HTTP/1.2",
                                       "GET / HTTP/11",
                                       "GET / http/1.1",
                                       "GET / HTTP/1.",
                                       "GET / HTP/1.1",
                                       "GET a HTTP/1.1",
                                       "GET ? HTTP/1.1",
                                       "GET //\x80 HTTP/1.1",
                                       "GET /\x00x HTTP/1.1"s,
                                       "GET /a b HTTP/1.1",
                                       "GET http:// HTTP/1.1",
                                       "GET ftp://x/ HTTP/1.1",
                                       "CONNECT / HTTP/1.1",
                                       "PRI * HTTP/2.0",
                                       "\x16\x03\x01\x02",
                                       "SSH-2.0-x",
                                       "HELO x",
                                       "*1"}) {
    corpus.push_back(line + end);
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (byte == '/' || byte == '*') continue;
    const auto c = static_cast<char>(byte);
    corpus.push_back(std::string("GET ") + c + "x HTTP/1.1" + end);
  }
  // Header lines.
  for (const std::string& header : Texts{"Content-Length: -1",
                                         "Content-Length: +1",
                                         "Content-Length: 0x1",
                                         "Content-Length: 1 1",
                                         "Content-Length: 1,1",
                                         "Content-Length: 1\r\nContent-Length: 2",
                                         "Content-Length:",
                                         "Content-Length: 99999999999999999999",
                                         "Content-Length: 1\r\nTransfer-Encoding: chunked",
                                         "Transfer-Encoding: chunked\r\nContent-Length: 1",
                                         "Transfer-Encoding: gzip",
                                         "Transfer-Encoding: chunked, chunked",
                                         "Transfer-Encoding: chunked, gzip",
                                         "Transfer-Encoding: identity",
                                         "Transfer-Encoding: xchunked",
                                         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                         "Transfer-Encoding : chunked",
                                         "Transfer-Encoding:\013chunked",
                                         "Transfer\x00-Encoding: chunked"s,
                                         " Transfer-Encoding: chunked",
                                         "X: a\r\n b",
                                         "X: a\r\n\tb",
                                         "X\r\n",
                                         ": x",
                                         "X Y: z",
                                         "X\t: z",
                                         "X: a\x00z"s,
                                         "X: a\x01z",
                                         "X: a\rz",
                                         "X: a\nz: b",
                                         "Host: other",
                                         "Host: a\r\nHost: b",
                                         "Content-Length: 1;",
                                         "Content_Length",
                                         "Content-Length: \x31\xa0"}) {
    with_header(header);
  }
  corpus.push_back("GET / HTTP/1.1\r\n\r\n");
  corpus.push_back("GET / HTTP/1.1\nHost: localhost\n\n");
  corpus.push_back("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
  corpus.push_back("GET /" + std::string(20'000, 'a') + " HTTP/1.1" + end);
  corpus.push_back("GET / HTTP/1.1\r\nX: " + std::string(70'000, 'a') + end);
  std::string many = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 500; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  corpus.push_back(many + "\r\n");
  // Chunks.
  for (const std::string& chunk :
       Texts{"x\r\n", "-1\r\na\r\n", "0x1\r\na\r\n", "1\na\n", "1 \r\na\r\n", "1\r\nab\r\n",
             "1\r\na", "fffffffffffffffff\r\n", "1;\x00\r\na\r\n"s, "\r\n", "0\r\nX\r\n\r\n",
             "0\r\nContent-Length: 3\r\n\r\n"}) {
    corpus.push_back(
        "PUT /v1/services/web/size HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\n" +
        chunk + "0\r\n\r\n");
  }
  return corpus;
}

// What is refused, but ends beyond doubt: the connection goes on.
std::vector<std::string> RefusedAlone() {
  std::vector<std::string> requests;
  for (const char* target : {"/%zz", "/%0", "/../../etc/passwd", "/%2e%2e/x", "/a/%00"}) {
    requests.push_back("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  requests.push_back("GET / HTTP/1.1\r\nHost:\r\n\r\n");
  return requests;
}

// JSON that is none, or not what is asked for.
std::vector<std::string> Bodies() {
  std::vector<std::string> bodies{"{",
                                  "[]",
                                  "null",
                                  "1",
                                  "\"x\"",
                                  "{\"size\":}",
                                  "{\"size\":1",
                                  "{\"size\":-1}",
                                  "{'size':1}",
                                  "{\"size\":1e99}",
                                  "{\"size\":[1]}",
                                  "{\"size\":{}}",
                                  "{\"size\":\"1\",}",
                                  "{\"size\":NaN}",
                                  "\xff\xfe",
                                  std::string("\0", 1),
                                  "{\"size\":\"\xc3\"}"};
  bodies.push_back(std::string(100'000, '['));
  bodies.push_back(std::string(5'000, '{') + "\"a\":");
  bodies.push_back("{\"size\":\"" + std::string(500'000, 'a') + "\"}");
  return bodies;
}

}  // namespace

TEST_SUITE("gateway-attack") {
  TEST_CASE("what is no request, or could be two, is refused, and harms nobody") {
    World world;
    const Gateway gateway(world);
    const auto corpus = Malformed();
    CHECK(corpus.size() >= 300);
    // A second request follows each: whoever is taken in answers it too.
    const std::string second = "GET /v1/daemon HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const auto answer_to = [&](const std::string& request) {
      RawConnection client(gateway.port);
      REQUIRE(client.connected());
      // It may have been refused, and closed, before all was sent.
      static_cast<void>(client.Send(request + second));
      ::shutdown(client.fd(), SHUT_WR);
      CHECK_MESSAGE(client.WaitForEnd(15'000), request.substr(0, 200));
      return client.received();
    };
    for (const std::string& request : corpus) {
      const std::string answer = answer_to(request);
      CHECK_MESSAGE(answer.find(" 200 ") == std::string::npos, request.substr(0, 200), " -> ",
                    answer.substr(0, 200));
    }
    for (const std::string& request : RefusedAlone()) {
      const std::string answer = answer_to(request);
      CHECK_MESSAGE(answer.rfind("HTTP/1.1 40", 0) == 0, request, " -> ", answer);
      CHECK_MESSAGE(answer.find("HTTP/1.1 200 ") != std::string::npos, request, " -> ", answer);
    }
    for (const std::string& body : Bodies()) {
      RawConnection client(gateway.port);
      REQUIRE(
          client.Send("PUT /v1/services/web/size HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body));
      const std::string answer = client.Answer();
      CHECK_MESSAGE(answer.rfind("HTTP/1.1 4", 0) == 0, body.substr(0, 100), " -> ",
                    answer.substr(0, 100));
    }
    CHECK(gateway.Ask() >= 0);
    CHECK(Gateway::Pid(world) == gateway.pid);
    CHECK(world.View("web").size == "cpu");
  }

  TEST_CASE("500 clients that never end their requests keep nobody out") {
    World world;
    const Gateway gateway(world);
    std::vector<std::unique_ptr<RawConnection>> slow;
    std::vector<Millis> waits;
    const auto ask = [&] { waits.push_back(gateway.Ask()); };
    for (int i = 0; i < 500; ++i) {
      auto client = std::make_unique<RawConnection>(gateway.port);
      if (client->connected()) {
        static_cast<void>(client->Send("POST /v1/services/web/start HTTP/1.1\r\nHost: localh"));
      }
      slow.push_back(std::move(client));
      if (i % 5 == 0) ask();
    }
    // Each says one byte more now and then, as who wants to be taken for slow does.
    for (int round = 0; round < 20; ++round) {
      for (auto& client : slow) static_cast<void>(client->Send("o"));
      for (int i = 0; i < 5; ++i) ask();
    }
    std::sort(waits.begin(), waits.end());
    CHECK(waits.front() >= 0);
    const Millis p99 = waits[waits.size() * 99 / 100];
    MESSAGE(waits.size() << " good requests, p99 " << p99 << " ms, most " << waits.back() << " ms");
    CHECK(p99 <= 200);
    CHECK(Gateway::Pid(world) == gateway.pid);
  }

  TEST_CASE("a client that asks without end and reads nothing costs a bounded amount") {
    World world;
    const Gateway gateway(world);
    const auto memory = [&] {
      const std::string status = ReadText("/proc/" + std::to_string(gateway.pid) + "/status");
      const std::size_t at = status.find("VmRSS:");
      return std::atol(status.c_str() + at + 6);
    };
    CHECK(gateway.Ask() >= 0);
    const long before = memory();
    RawConnection greedy(gateway.port);
    std::string requests;
    for (int i = 0; i < 200; ++i) {
      requests += "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }
    const timeval patience{1, 0};
    ::setsockopt(greedy.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    for (int i = 0; i < 20 && greedy.Send(requests); ++i) CHECK(gateway.Ask() >= 0);
    CHECK(gateway.Ask() >= 0);
    const long grown = memory() - before;
    MESSAGE("grew by " << grown << " KiB");
    CHECK(grown < 4096);
    CHECK(Gateway::Pid(world) == gateway.pid);
  }
}
