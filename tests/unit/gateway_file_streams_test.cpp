#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "common/uv/async.h"
#include "daemon/gateway/file_streams.h"
#include "tests/unit/temp_folder.h"

namespace slc::gateway {
namespace {

// A client that takes little at a time.
UniqueFd Connect(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int small = 4096;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  const timeval patience{20, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  // Of 1.0 the end of the body is that of the connection.
  const std::string request = "GET /file HTTP/1.0\r\nHost: x\r\n\r\n";
  ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  return socket;
}

std::string Receive(const UniqueFd& socket, std::size_t limit) {
  std::string all;
  char bytes[8192];
  while (all.size() < limit) {
    const ssize_t got = ::recv(socket.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) break;
    all.append(bytes, static_cast<std::size_t>(got));
  }
  return all;
}

// A server whose every answer is the file; `client` talks to it on a thread.
void Serve(const std::string& path, const std::function<void(int port)>& client) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener.get(), 16) == 0);
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  uv::Loop loop;
  {
    FileStreams files(loop);
    std::unique_ptr<http::HttpServer> server;
    http::HttpServer::Events events;
    events.on_head = [](http::ExchangeId, http::RequestHead&, const http::ClientAddress&) {
      return http::HttpServer::Body::kCollect;
    };
    events.on_request = [&](http::ExchangeId exchange, const std::string&) {
      files.Send(server.get(), exchange, http::Response{},
                 UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
    };
    events.on_room = [&](http::ExchangeId exchange) { files.OnRoom(server.get(), exchange); };
    events.on_gone = [&](http::ExchangeId exchange) { files.OnGone(server.get(), exchange); };
    server = std::make_unique<http::HttpServer>(loop, std::move(listener), http::HttpLimits{},
                                                std::move(events));
    uv::Async done(loop, [&loop] { loop.Stop(); });
    std::thread talks([&] {
      client(ntohs(address.sin_port));
      done.Wake();
    });
    loop.Run();
    talks.join();
  }
}

std::string LargeContent() {
  std::string content;
  while (content.size() < 3U << 20) content += std::to_string(content.size()) + "\n";
  return content;
}

}  // namespace

TEST_CASE("a file comes whole, however slowly it is taken and by how many") {
  const TempFolder folder;
  const std::string content = LargeContent();
  folder.Write("file", content);
  std::string one;
  std::string other;
  Serve(folder / "file", [&](int port) {
    const UniqueFd first = Connect(port);
    const UniqueFd second = Connect(port);
    // That one takes nothing costs the other nothing.
    one = Receive(second, content.size() * 2);
    other = Receive(first, content.size() * 2);
  });
  CHECK(one.substr(one.find("\r\n\r\n") + 4) == content);
  CHECK(other.substr(other.find("\r\n\r\n") + 4) == content);
}

TEST_CASE("who leaves in the midst of a file is let go") {
  const TempFolder folder;
  folder.Write("file", LargeContent());
  std::string last;
  Serve(folder / "file", [&](int port) {
    for (int i = 0; i < 5; ++i) Receive(Connect(port), 10'000);
    last = Receive(Connect(port), std::string::npos);
  });
  CHECK(last.size() > 3U << 20);
}

TEST_CASE("an empty file is an empty answer, and one that cannot be read is broken off") {
  const TempFolder folder;
  folder.Write("empty", "");
  std::string empty;
  Serve(folder / "empty", [&](int port) { empty = Receive(Connect(port), std::string::npos); });
  CHECK(empty.find("200 OK") != std::string::npos);
  CHECK(empty.substr(empty.find("\r\n\r\n")) == "\r\n\r\n");
  // A folder opens like a file, and cannot be read like one.
  std::string broken;
  Serve(folder.path(), [&](int port) { broken = Receive(Connect(port), std::string::npos); });
  CHECK(broken.size() < 1000);
}

}  // namespace slc::gateway
