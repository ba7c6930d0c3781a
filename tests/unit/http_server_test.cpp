#include "common/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/uv/async.h"

namespace slc::http {
namespace {

UniqueFd Listener(int* port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(socket.get(), 1024) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  *port = ntohs(address.sin_port);
  return socket;
}

// A blocking client.
class Client {
 public:
  explicit Client(int port, int receive_buffer = 0) {
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const timeval patience{20, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  // Until `text` has come; empty if it does not come.
  std::string Until(const std::string& text) {
    while (true) {
      const std::size_t at = buffer_.find(text);
      if (at != std::string::npos) {
        std::string taken = buffer_.substr(0, at + text.size());
        buffer_.erase(0, taken.size());
        return taken;
      }
      if (!More()) return {};
    }
  }
  // All that comes until the server closes.
  std::string Rest() {
    while (More()) continue;
    return std::exchange(buffer_, {});
  }
  void EndSending() const { ::shutdown(socket_.get(), SHUT_WR); }

 private:
  bool More() {
    char bytes[65536];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  UniqueFd socket_;
  std::string buffer_;
};

// A server that answers "METHOD TARGET: BODY", and does otherwise for targets of these names.
struct ServerFixture {
  explicit ServerFixture(const HttpLimits& limits = {}) {
    HttpServer::Events events;
    events.on_head = [this](ExchangeId id, RequestHead& head, const ClientAddress& address) {
      CHECK(address.text == "127.0.0.1");
      CHECK(open.insert(id).second);
      targets[id] = head.method + " " + head.target;
      if (head.target == "/early") Reply(id, "early");
      return StartsWith(head.target, "/stream") ? HttpServer::Body::kStream
                                                : HttpServer::Body::kCollect;
    };
    events.on_request = [this](ExchangeId id, std::string body) {
      const std::string& target = targets[id];
      if (target == "GET /never") return;
      if (target == "GET /follow") {
        Response response;
        response.type = "text/event-stream";
        response.body = ServerSentEvent("", "first");
        server->Begin(id, response, true);
        followers.push_back(id);
      } else if (target == "GET /pieces") {
        server->Begin(id, Response{}, false);
        server->Write(id, "one ");
        server->Write(id, "two");
        End(id);
      } else if (target == "GET /flood") {
        server->Begin(id, Response{}, false);
        flood = 40;
        Flood(id);
      } else {
        Reply(id, target + ": " + body);
      }
    };
    events.on_data = [this](ExchangeId id, std::string_view data) {
      streamed += data.size();
      if (targets[id] == "POST /stream-held") {
        server->Pause(id);
        held.push_back(id);
      }
    };
    events.on_end = [this](ExchangeId id) { Reply(id, std::to_string(streamed)); };
    events.on_room = [this](ExchangeId id) { Flood(id); };
    events.on_gone = [this](ExchangeId id) {
      CHECK(open.erase(id) == 1);
      gone.push_back(targets[id]);
    };
    server = std::make_unique<HttpServer>(loop, Listener(&port), limits, std::move(events));
  }
  void Reply(ExchangeId id, const std::string& body) {
    Response response;
    response.body = body;
    open.erase(id);
    server->Answer(id, response);
  }
  void End(ExchangeId id) {
    open.erase(id);
    server->End(id);
  }
  void Flood(ExchangeId id) {
    while (flood > 0 && server->unsent(id) < HttpServer::kRoom) {
      most_unsent = std::max(most_unsent, server->unsent(id));
      --flood;
      server->Write(id, std::string(100'000, 'x'));
    }
    if (flood == 0) End(id);
  }
  // Runs the loop until the client is done.
  void Serve(const std::function<void()>& client) {
    uv::Async done(loop, [this] { loop.Stop(); });
    std::thread thread([&] {
      client();
      done.Wake();
    });
    loop.Run();
    thread.join();
  }

  // Runs the loop until it holds; 20 s at most.
  void RunUntil(const std::function<bool()>& holds) {
    int looks = 4000;
    std::unique_ptr<uv::Timer> look;
    look = std::make_unique<uv::Timer>(loop, [&] {
      if (holds() || --looks == 0) return loop.Stop();
      look->StartIn(5);
    });
    look->StartIn(0);
    loop.Run();
    REQUIRE(looks > 0);
  }

  uv::Loop loop;
  int port = 0;
  std::set<ExchangeId> open;
  std::map<ExchangeId, std::string> targets;
  std::vector<std::string> gone;
  std::vector<ExchangeId> followers;
  std::vector<ExchangeId> held;
  std::size_t streamed = 0;
  std::size_t most_unsent = 0;
  int flood = 0;
  std::unique_ptr<HttpServer> server;
};

std::string Get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
}

TEST_CASE("requests on one connection are answered one after the other, also those sent at once") {
  ServerFixture fixture;
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send(Get("/1"));
    CHECK(EndsWith(client.Until("GET /1: "), "Connection: keep-alive\r\n\r\nGET /1: "));
    client.Send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + Get("/3") +
                "HEAD /4 HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/pieces") +
                Get("/5", "Connection: close\r\n"));
    CHECK(!client.Until("\r\n\r\nPOST /2: abc").empty());
    CHECK(!client.Until("\r\n\r\nGET /3: ").empty());
    CHECK(!client.Until("Content-Length: 9\r\nConnection: keep-alive\r\n\r\nHTTP/1.1").empty());
    CHECK(
        !client.Until("chunked\r\nConnection: keep-alive\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")
             .empty());
    CHECK(EndsWith(client.Rest(), "Connection: close\r\n\r\nGET /5: "));
  });
  CHECK(fixture.open.empty());
  CHECK(fixture.gone.empty());
  CHECK(fixture.server->connections() == 0);
}

TEST_CASE("a client that has said all before it reads is answered") {
  ServerFixture fixture;
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb");
    client.EndSending();
    CHECK(EndsWith(client.Rest(), "POST /x: b"));
  });
}

TEST_CASE("what is no request is refused with a status, and the answer arrives") {
  ServerFixture fixture;
  fixture.Serve([&] {
    for (const auto& [bytes, status] : std::vector<std::pair<std::string, std::string>>{
             {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
             {"GET / HTTP/1.1\r\n\r\n" + std::string(200'000, 'x'), "400"},
             {Get("/x", "X: " + std::string(20'000, 'y') + "\r\n"), "431"},
             {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" +
                  std::string(2'000'000, 'x'),
              "413"},
             {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1e8480\r\n" +
                  std::string(2'000'000, 'x') + "\r\n0\r\n\r\n",
              "413"},
             {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"}}) {
      Client client(fixture.port);
      client.Send(bytes);
      const std::string answer = client.Rest();
      INFO(answer);
      CHECK(StartsWith(answer, "HTTP/1.1 " + status + " "));
      CHECK(answer.find("Connection: close") != std::string::npos);
      CHECK(answer.find("\"message\":\"") != std::string::npos);
    }
  });
  CHECK(fixture.open.empty());
}

TEST_CASE("a body is asked for with 100 Continue, but not if the answer needs none") {
  ServerFixture fixture;
  fixture.Serve([&] {
    const auto post = [](const std::string& target) {
      return "POST " + target +
             " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    };
    Client client(fixture.port);
    client.Send(post("/x"));
    CHECK(client.Until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.Send("abc");
    CHECK(!client.Until("POST /x: abc").empty());
    client.Send(post("/early"));
    const std::string answer = client.Until("early");
    CHECK(StartsWith(answer, "HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("Connection: close") != std::string::npos);
    client.EndSending();
    CHECK(client.Rest().empty());
  });
}

TEST_CASE("an answer that comes before the body has ended arrives whatever is still sent") {
  ServerFixture fixture;
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
    CHECK(client.Send(std::string(5'000'000, 'x')));
    CHECK(EndsWith(client.Rest(), "\r\n\r\nearly"));
  });
}

TEST_CASE("a streamed body is held back as long as its owner likes, and is not collected") {
  ServerFixture fixture;
  const std::size_t size = 8'000'000;
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n");
    CHECK(client.Send(std::string(size, 'x')));
    CHECK(!client.Until("\r\n\r\n8000000").empty());
  });
  CHECK(fixture.streamed == size);
  fixture.streamed = 0;
  std::atomic<std::size_t> sent = 0;
  uv::Timer tick(fixture.loop, [&] {
    if (fixture.held.empty()) return;
    // All that the kernel's buffers take has been sent, and one piece was read.
    CHECK(fixture.streamed <= 128U << 10);
    const ExchangeId id = fixture.held.front();
    fixture.targets[id] = "POST /stream";
    fixture.server->Resume(id);
  });
  tick.StartIn(500);
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send("POST /stream-held HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
    CHECK(client.Send(std::string(30'000'000, 'x')));
    CHECK(!client.Until("\r\n\r\n30000000").empty());
  });
}

TEST_CASE("an answer in pieces waits for its client, within bounds") {
  ServerFixture fixture;
  fixture.Serve([&] {
    Client client(fixture.port, 4096);
    client.Send(Get("/flood", "Connection: close\r\n"));
    const std::string answer = client.Rest();
    CHECK(EndsWith(answer, "\r\n0\r\n\r\n"));
    CHECK(answer.size() > 4'000'000);
  });
  CHECK(fixture.most_unsent < HttpServer::kRoom);
  CHECK(fixture.gone.empty());
}

TEST_CASE("followers are told of what happens, and let go when they leave or do not read") {
  HttpLimits limits;
  limits.unsent = 200'000;
  limits.followers = 2;
  ServerFixture fixture(limits);
  std::unique_ptr<Client> lazy;
  fixture.Serve([&] {
    Client keen(fixture.port);
    keen.Send(Get("/follow"));
    CHECK(!keen.Until("data: first\n\n").empty());
    lazy = std::make_unique<Client>(fixture.port, 4096);
    lazy->Send(Get("/follow"));
    CHECK(!lazy->Until("data: first\n\n").empty());
    Client third(fixture.port);
    third.Send(Get("/follow"));
    CHECK(StartsWith(third.Until("follow already"), "HTTP/1.1 503"));
  });
  REQUIRE(fixture.followers.size() == 3);
  // The keen one has left, the third was refused.
  uv::Timer tick(fixture.loop, [&] {
    for (int i = 0; i < 100; ++i)
      fixture.server->Write(fixture.followers[1], std::string(100'000, 'x'));
  });
  tick.StartIn(50);
  fixture.Serve([&] { lazy->Rest(); });
  fixture.open.erase(fixture.followers[2]);
  CHECK(fixture.gone == std::vector<std::string>{"GET /follow", "GET /follow"});
  CHECK(fixture.open.empty());
}

TEST_CASE("slow clients are let go in time, and told if they have begun") {
  HttpLimits limits;
  limits.head = 600;
  limits.idle = 600;
  limits.body_idle = 600;
  ServerFixture fixture(limits);
  fixture.Serve([&] {
    Client silent(fixture.port);
    Client half(fixture.port);
    half.Send("GET / HT");
    Client idle(fixture.port);
    idle.Send(Get("/x"));
    Client body(fixture.port);
    body.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    Client dripping(fixture.port);
    dripping.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\na");
    std::thread drip([&] {
      while (dripping.Send("b")) ::usleep(50'000);
    });
    CHECK(silent.Rest().empty());
    CHECK(StartsWith(half.Rest(), "HTTP/1.1 408 "));
    CHECK(EndsWith(idle.Rest(), "GET /x: "));
    CHECK(StartsWith(body.Rest(), "HTTP/1.1 408 "));
    CHECK(StartsWith(dripping.Rest(), "HTTP/1.1 408 "));
    drip.join();
  });
  CHECK(fixture.gone == std::vector<std::string>{"POST /x", "POST /x"});
}

TEST_CASE("hundreds who never ask do not keep out one who does") {
  ServerFixture fixture;
  std::vector<std::unique_ptr<Client>> slow;
  fixture.Serve([&] {
    for (int i = 0; i < 500; ++i) {
      slow.push_back(std::make_unique<Client>(fixture.port));
      slow.back()->Send("GET / HTTP/1.1\r\nX: ");
      if (i % 10 != 0) continue;
      Client good(fixture.port);
      good.Send(Get("/good"));
      CHECK(!good.Until("GET /good: ").empty());
    }
  });
  CHECK(fixture.server->connections() <= HttpLimits{}.per_address + 1);
}

TEST_CASE("who follows takes no place of others of his address") {
  HttpLimits limits;
  limits.per_address = 2;
  ServerFixture fixture(limits);
  std::vector<std::unique_ptr<Client>> followers;
  fixture.Serve([&] {
    for (int i = 0; i < 5; ++i) {
      followers.push_back(std::make_unique<Client>(fixture.port));
      followers.back()->Send(Get("/follow"));
      CHECK(StartsWith(followers.back()->Until("\r\n\r\n"), "HTTP/1.1 200"));
    }
    Client one(fixture.port);
    one.Send(Get("/one"));
    CHECK(!one.Until("GET /one: ").empty());
  });
  CHECK(fixture.gone.empty());
}

TEST_CASE("after its last request a connection ends") {
  HttpLimits limits;
  limits.requests = 3;
  ServerFixture fixture(limits);
  fixture.Serve([&] {
    Client client(fixture.port);
    client.Send(Get("/1") + Get("/2") + Get("/3") + Get("/4"));
    const std::string answers = client.Rest();
    CHECK(answers.find("GET /3: ") != std::string::npos);
    CHECK(answers.find("GET /4: ") == std::string::npos);
  });
}

TEST_CASE("a client that has left before its answer is let go when it is answered") {
  ServerFixture fixture;
  fixture.Serve([&] { Client(fixture.port).Send(Get("/never")); });
  fixture.RunUntil([&] { return fixture.targets.size() == 1; });
  // It may only have said all it had to say.
  fixture.server->Answer(fixture.targets.begin()->first, Response{});
  fixture.server->Answer(fixture.targets.begin()->first, Response{});
  fixture.server->Answer(12345, Response{});
  fixture.RunUntil([&] { return fixture.server->connections() == 0; });
}

}  // namespace
}  // namespace slc::http
