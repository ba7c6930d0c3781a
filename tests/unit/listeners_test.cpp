#include "daemon/master/listeners.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <doctest/doctest.h>

namespace slc {
namespace {

ListenerFacts Loopback() {
  ListenerFacts facts;
  facts.address = "127.0.0.1";
  return facts;
}

// Opens `count` connections; how many of them came out of each socket.
std::vector<int> Shares(const std::vector<UniqueFd>& sockets, int port, int count) {
  std::vector<int> shares(sockets.size());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    for (std::size_t each = 0; each < sockets.size(); ++each) {
      while (UniqueFd(::accept4(sockets[each].get(), nullptr, nullptr, SOCK_CLOEXEC))) {
        ++shares[each];
      }
    }
  }
  return shares;
}

}  // namespace

TEST_CASE("A socket beside another shares its port, and nobody else gets in by accident") {
  ListenerFacts facts = Loopback();
  std::vector<UniqueFd> sockets;
  sockets.push_back(std::move(Bind(facts, 0, std::nullopt).fd));
  REQUIRE(sockets[0]);
  for (int i = 0; i < 3; ++i) {
    BoundListener beside = BindBeside(facts, sockets[0].get());
    REQUIRE_MESSAGE(beside.fd, beside.errno_value);
    sockets.push_back(std::move(beside.fd));
  }
  // 100 each by the kernel's choice; below 50 in one of some million runs.
  for (const int share : Shares(sockets, facts.bound_port, 400)) CHECK(share >= 50);

  ListenerFacts other = Loopback();
  other.port = facts.bound_port;
  const BoundListener refused = Bind(other, 0, std::nullopt);
  CHECK_FALSE(refused.fd);
  CHECK(refused.errno_value == EADDRINUSE);
}

TEST_CASE("Connections can be steered to some sockets of a port, in their order") {
  ListenerFacts facts = Loopback();
  std::vector<UniqueFd> sockets;
  sockets.push_back(std::move(Bind(facts, 0, std::nullopt).fd));
  REQUIRE(sockets[0]);
  for (int i = 0; i < 3; ++i) sockets.push_back(BindBeside(facts, sockets[0].get()).fd);
  const std::vector<std::vector<std::uint32_t>> choices{{0},    {1},    {3},
                                                        {0, 1}, {1, 3}, {0, 1, 2, 3}};
  for (const auto& places : choices) {
    REQUIRE(Steer(sockets[0].get(), places));
    const auto shares = Shares(sockets, facts.bound_port, 100 * static_cast<int>(places.size()));
    for (std::uint32_t i = 0; i < sockets.size(); ++i) {
      const bool chosen = std::find(places.begin(), places.end(), i) != places.end();
      CHECK_MESSAGE((chosen ? shares[i] >= 50 : shares[i] == 0), i, ": ", shares[i]);
    }
  }
  // As many slots as a service may have.
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < 1023; ++i) all.push_back(i + 1);
  MESSAGE("a choice of 1023 of 1024 is ", Steer(sockets[0].get(), all) ? "possible" : "too long");
}

TEST_CASE("Where workers have all sockets of a port another one can be bound beside them") {
  ListenerFacts facts = Loopback();
  UniqueFd first = std::move(Bind(facts, 0, std::nullopt).fd);
  const UniqueFd second = std::move(BindBeside(facts, first.get()).fd);
  REQUIRE(second);
  CHECK(BindBeside(facts, -1).fd);
}

}  // namespace slc
