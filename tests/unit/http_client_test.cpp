#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/http/client.h"
#include "common/http/connect.h"
#include "tests/unit/temp_folder.h"

namespace slc::http {
namespace {

// A server at the other end of a pair of sockets, in a thread of its own. It reads what it waits
// for, and writes.
class Server {
 public:
  using Play = std::function<void(Server&)>;
  explicit Server(Play play) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    client_.reset(ends[0]);
    server_.reset(ends[1]);
    ::fcntl(client_.get(), F_SETFL, O_NONBLOCK);
    thread_ = std::thread([this, play = std::move(play)] {
      play(*this);
      server_.reset();
    });
  }
  ~Server() { Join(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int client() const { return client_.get(); }
  Client Connect() { return Client(std::move(client_), "box:8701"); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

  // What came, up to and with `end`; all of it if that never comes.
  std::string ReadTo(const std::string& end) {
    while (heard.find(end) == std::string::npos) {
      char buffer[4096];
      const ssize_t got = ::read(server_.get(), buffer, sizeof(buffer));
      if (got <= 0) break;
      heard.append(buffer, static_cast<std::size_t>(got));
    }
    const std::size_t found = heard.find(end);
    const std::size_t at = found == std::string::npos ? heard.size() : found + end.size();
    std::string part = heard.substr(0, at);
    heard.erase(0, at);
    return part;
  }
  void Write(const std::string& text) { static_cast<void>(WriteAll(server_.get(), text).ok()); }
  void HangUp() { ::shutdown(server_.get(), SHUT_RDWR); }

  std::string heard;

 private:
  UniqueFd client_;
  UniqueFd server_;
  std::thread thread_;
};

Patience Quick() {
  Patience patience;
  patience.send = patience.head = patience.idle = 100;
  return patience;
}

BodySource Pieces(std::vector<std::string> pieces) {
  auto left = std::make_shared<std::vector<std::string>>(std::move(pieces));
  auto at = std::make_shared<std::size_t>(0);
  return [left, at]() -> Result<std::string_view> {
    if (*at == left->size()) return std::string_view();
    return std::string_view((*left)[(*at)++]);
  };
}

}  // namespace

TEST_CASE("one connection serves several requests, with and without bodies") {
  std::string first;
  std::string second;
  std::string third;
  Server server([&](Server& self) {
    first = self.ReadTo("\r\n\r\n");
    self.Write("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    second = self.ReadTo("\r\n\r\nbody");
    self.Write(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    self.Write("3\r\nabc\r\n");
    self.Write("2\r\nde\r\n0\r\n\r\n");
    third = self.ReadTo("0\r\n\r\n");
    self.Write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nlast");
  });
  Client client = server.Connect();
  ClientRequest request;
  request.target = "/api/Api";
  request.headers = {{"Accept", "application/json"}};
  auto head = client.Ask(request, {});
  REQUIRE(head);
  CHECK(head->status == 404);
  CHECK_FALSE(client.usable());
  CHECK(*client.ReadAll(100) == "no");
  CHECK(client.usable());
  request = {};
  request.method = "POST";
  request.target = "/x";
  request.body = "body";
  REQUIRE(client.Ask(request, {}));
  CHECK(*client.ReadAll(100) == "abcde");
  request = {};
  request.method = "PUT";
  request.target = "/y";
  request.source = Pieces({"one", "two!"});
  REQUIRE(client.Ask(request, {}));
  CHECK(*client.ReadAll(100) == "last");
  CHECK_FALSE(client.usable());
  server.Join();
  CHECK(first == "GET /api/Api HTTP/1.1\r\nHost: box:8701\r\nAccept: application/json\r\n\r\n");
  CHECK(second == "POST /x HTTP/1.1\r\nHost: box:8701\r\nContent-Length: 4\r\n\r\nbody");
  CHECK(third ==
        "PUT /y HTTP/1.1\r\nHost: box:8701\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n"
        "two!\r\n0\r\n\r\n");
}

TEST_CASE("a server that refuses an upload is heard before it has taken all of it") {
  Server server([](Server& self) {
    self.ReadTo("\r\n\r\n");
    self.Write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n");
    // Nothing more is read: the client would wait for ever.
    self.ReadTo("never sent");
  });
  Client client = server.Connect();
  std::size_t sent = 0;
  ClientRequest request;
  request.method = "PUT";
  request.target = "/";
  const std::string piece(64 << 10, 'x');
  request.source = [&]() -> Result<std::string_view> {
    sent += piece.size();
    return std::string_view(piece);  // without end
  };
  const auto head = client.Ask(request, {});
  REQUIRE(head);
  CHECK(head->status == 413);
  CHECK(*client.ReadAll(10) == "");
  CHECK_FALSE(client.usable());
}

TEST_CASE("a body that cannot be read to its end is never ended") {
  std::string heard;
  Server server([&](Server& self) { heard = self.ReadTo("never sent"); });
  {
    Client client = server.Connect();
    ClientRequest request;
    request.method = "PUT";
    request.target = "/";
    int calls = 0;
    request.source = [&]() -> Result<std::string_view> {
      if (calls++ > 0) return Error{ErrorCode::kSystem, "read the archive: gone"};
      return std::string_view("part");
    };
    const auto head = client.Ask(request, {});
    REQUIRE_FALSE(head);
    CHECK(head.error().message == "read the archive: gone");
    CHECK_FALSE(client.usable());
  }
  server.Join();
  CHECK(heard.find("4\r\npart\r\n") != std::string::npos);
  CHECK(heard.find("0\r\n\r\n") == std::string::npos);
}

TEST_CASE("a connection that is lost, silent, or no HTTP is told apart") {
  const auto ask = [](const Server::Play& play, std::string* body = nullptr) {
    Server server(play);
    Client client = server.Connect();
    ClientRequest request;
    request.target = "/";
    auto head = client.Ask(request, Quick());
    if (!head) return head.error().code;
    auto rest = client.ReadAll(5);
    if (rest && body != nullptr) *body = *rest;
    return rest ? ErrorCode::kInternal : rest.error().code;
  };
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
  CHECK(ask([](Server& self) { self.ReadTo("\r\n\r\n"); }) == ErrorCode::kUnreachable);
  CHECK(ask([&](Server& self) {
          self.ReadTo("\r\n\r\n");
          self.Write(head + "12");
        }) == ErrorCode::kUnreachable);
  CHECK(ask([](Server& self) { self.ReadTo("never sent"); }) == ErrorCode::kTimeout);
  CHECK(ask([&](Server& self) {
          self.Write(head + "12");
          self.ReadTo("never sent");
        }) == ErrorCode::kTimeout);
  CHECK(ask([](Server& self) { self.Write("SSH-2.0-x\r\n"); }) == ErrorCode::kProtocol);
  CHECK(ask([](Server& self) {
          self.Write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456");
        }) == ErrorCode::kProtocol);
  std::string body;
  CHECK(ask([&](Server& self) { self.Write(head + "1234"); }, &body) == ErrorCode::kInternal);
  CHECK(body == "1234");
}

TEST_CASE("a piece is not waited for longer than one likes, wherever in it the server stops") {
  // Each part ends within another element of the answer.
  const std::vector<std::string> parts{"3",           "\r\nab",    "c",   "\r",
                                       "\n4\r\ndefg", "\r\n0\r\n", "\r\n"};
  Server server([&](Server& self) {
    self.ReadTo("\r\n\r\n");
    self.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const std::string& part : parts) {
      self.ReadTo("go");
      self.Write(part);
    }
    self.ReadTo("go");
  });
  const int other = ::dup(server.client());
  Client client = server.Connect();
  ClientRequest request;
  request.target = "/";
  REQUIRE(client.Ask(request, {}));
  std::string body;
  bool ended = false;
  for (const std::string& part : parts) {
    CAPTURE(part);
    auto none = client.TryRead(0);
    REQUIRE(none);
    CHECK_FALSE(*none);
    REQUIRE(::write(other, "go", 2) == 2);
    // What has come is taken, and after it there is nothing again.
    for (auto piece = client.TryRead(500); piece && *piece; piece = client.TryRead(20)) {
      body += **piece;
      ended = (*piece)->empty();
      if (ended) break;
    }
  }
  CHECK(body == "abcdefg");
  CHECK(ended);
  CHECK(client.usable());
  REQUIRE(::write(other, "go", 2) == 2);
  ::close(other);
}

TEST_CASE("a kept connection that was closed for being idle is known by that") {
  Server server([](Server& self) {
    self.ReadTo("\r\n\r\n");
    self.Write("HTTP/1.1 204 OK\r\n\r\n");
    self.HangUp();
  });
  Client client = server.Connect();
  ClientRequest request;
  request.target = "/";
  REQUIRE(client.Ask(request, {}));
  CHECK(*client.ReadAll(10) == "");
  server.Join();
  if (client.usable()) {
    CHECK_FALSE(client.Ask(request, {}));
    CHECK(client.may_have_been_idle());
  }
}

TEST_CASE("a unix socket is reached however long its path is, an address family by its name") {
  TempFolder home;
  const std::string deep = home / std::string(100, 'd') + "/" + std::string(100, 'e');
  REQUIRE(MakeDirectories(deep).ok());
  const UniqueFd folder(::open(deep.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string reach = PathThroughFd(folder.get(), "s");
  std::memcpy(address.sun_path, reach.c_str(), reach.size() + 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
          0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  CHECK(ConnectUnix(deep + "/s"));
  CHECK(ConnectUnix(deep + "/none").error().code == ErrorCode::kUnreachable);

  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(here);
  REQUIRE(::bind(tcp.get(), reinterpret_cast<const sockaddr*>(&here), size) == 0);
  REQUIRE(::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&here), &size) == 0);
  const std::uint16_t port = ntohs(here.sin_port);
  const auto refused = ConnectTcp("127.0.0.1", port, 1000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kUnreachable);
  CHECK(refused.error().message ==
        "connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  REQUIRE(::listen(tcp.get(), 1) == 0);
  // By its name, of which there may be an address before the one that listens.
  CHECK(ConnectTcp("localhost", port, 1000));
}

}  // namespace slc::http
