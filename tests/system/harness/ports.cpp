#include "tests/system/harness/ports.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "tests/system/harness/basics.h"

namespace slc::test {
namespace {

// The end of the kernel's range for outgoing connections that is nearer to 0.
int LowestOutgoingPort() {
  const std::string range = ReadText("/proc/sys/net/ipv4/ip_local_port_range");
  const int low = std::atoi(range.c_str());
  return low > 12000 ? low : 32768;
}

bool CanBind(int family, std::uint16_t port) {
  const UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return family == AF_INET6;  // a machine without IPv6
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// An abstract unix socket named after the port, held until this program ends, keeps other copies of
// the tests away from it.
bool Reserve(std::uint16_t port) {
  static std::vector<UniqueFd> held;
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "slc-system-test-port-" + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return false;
  held.push_back(std::move(fd));
  return CanBind(AF_INET, port) && CanBind(AF_INET6, port);
}

}  // namespace

std::uint16_t FreePort(int count) {
  constexpr int kLowest = 10000;
  const int highest = LowestOutgoingPort() - count;
  static std::mt19937 random{std::random_device{}()};
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int first = std::uniform_int_distribution<int>(kLowest, highest)(random);
    int good = 0;
    while (good < count && Reserve(static_cast<std::uint16_t>(first + good))) ++good;
    if (good == count) return static_cast<std::uint16_t>(first);
  }
  FAIL("found no free port");
  return 0;
}

}  // namespace slc::test
