#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/uv/timer.h"
#include "daemon/gateway/line_streams.h"

namespace slc::gateway {
namespace {

UniqueFd Connect(const sockaddr_in& address) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
          0);
  const std::string request = "GET /follow HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0);
  return socket;
}

std::string Received(const UniqueFd& socket) {
  char bytes[4096];
  const ssize_t got = ::recv(socket.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
  return {bytes, got > 0 ? static_cast<std::size_t>(got) : 0};
}

// Nobody reads the pipe any more.
bool IsLet(const UniqueFd& pipe) {
  pollfd entry{pipe.get(), POLLOUT, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLERR) != 0;
}

}  // namespace

TEST_CASE("who is refused as a follower leaves no stream behind") {
  const UniqueFd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  UniqueFd listener(::dup(made.get()));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(::bind(made.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(made.get(), 16) == 0);
  REQUIRE(::getsockname(made.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  uv::Loop loop;
  LineStreams streams(loop);
  std::unique_ptr<http::HttpServer> server;
  std::vector<UniqueFd> pipes;
  http::HttpLimits limits;
  limits.followers = 1;
  http::HttpServer::Events events;
  events.on_head = [](http::ExchangeId, http::RequestHead&, const http::ClientAddress&) {
    return http::HttpServer::Body::kCollect;
  };
  events.on_request = [&](http::ExchangeId exchange, const std::string&) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    pipes.emplace_back(ends[1]);
    streams.Add(UniqueFd(ends[0]), "", {{server.get(), exchange, true, true}});
    if (pipes.size() == 2) loop.Stop();
  };
  events.on_gone = [&](http::ExchangeId exchange) { streams.OnGone(server.get(), exchange); };
  server = std::make_unique<http::HttpServer>(loop, std::move(listener), limits, std::move(events));
  uv::Timer late(loop, [&] { loop.Stop(); });
  late.StartIn(20'000);
  const UniqueFd first = Connect(address);
  const UniqueFd second = Connect(address);
  loop.Run();
  REQUIRE(pipes.size() == 2);
  const std::string answers = Received(first) + Received(second);
  CHECK(answers.find("HTTP/1.1 200 ") != std::string::npos);
  CHECK(answers.find("HTTP/1.1 503 ") != std::string::npos);
  CHECK_FALSE(IsLet(pipes[0]));
  CHECK(IsLet(pipes[1]));
}

}  // namespace slc::gateway
