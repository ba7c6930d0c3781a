#include "daemon/master/listeners.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/text.h"
#include "daemon/master/socket_file.h"

namespace slc {
namespace {

// Flags as the worker's libuv numbers them.
constexpr int kTcpIpv6Only = 1;
constexpr int kUdpIpv6Only = 1;
constexpr int kUdpReuseAddress = 4;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// A numeric address, with an optional scope ("fe80::1%eth0").
std::optional<Address> MakeAddress(const std::string& text, int family, int port) {
  Address address;
  if (family == 4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<std::uint16_t>(port));
    address.length = sizeof(sockaddr_in);
    if (text.empty()) return address;
    if (::inet_pton(AF_INET, text.c_str(), &in->sin_addr) != 1) return std::nullopt;
    return address;
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(static_cast<std::uint16_t>(port));
  address.length = sizeof(sockaddr_in6);
  if (text.empty()) return address;
  const std::size_t percent = text.find('%');
  if (percent != std::string::npos) {
    in6->sin6_scope_id = ::if_nametoindex(text.c_str() + percent + 1);
  }
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &in6->sin6_addr) != 1) {
    return std::nullopt;
  }
  return address;
}

int BoundPort(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

void SetOption(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

// `beside`: others of ours listen there.
BoundListener BindInternet(ListenerFacts& facts, int family, int type, bool beside = false) {
  const auto address = MakeAddress(facts.address, family, facts.port);
  if (!address) return {UniqueFd(), EINVAL};
  UniqueFd fd(::socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {UniqueFd(), errno};
  if (type == SOCK_STREAM) {
    // As libuv does: a port in TIME_WAIT after a restart must not keep us out.
    SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (beside) SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  } else if ((facts.flags & kUdpReuseAddress) != 0) {
    SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (family == 6) {
    const int only = type == SOCK_STREAM ? kTcpIpv6Only : kUdpIpv6Only;
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, (facts.flags & only) != 0 ? 1 : 0);
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->length) !=
      0) {
    return {UniqueFd(), errno};
  }
  if (type == SOCK_STREAM && ::listen(fd.get(), facts.backlog) != 0) return {UniqueFd(), errno};
  facts.family = family;
  facts.bound_port = BoundPort(fd.get());
  return {std::move(fd), 0};
}

BoundListener BindUnix(ListenerFacts& facts, mode_t mode, const std::optional<RunAs>& owner) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {UniqueFd(), errno};
  if (facts.address.empty() || facts.address[0] != '\0') {
    const int reason = BindSocketFile(fd.get(), facts, mode, owner);
    if (reason != 0) return {UniqueFd(), reason};
  } else {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (facts.address.size() >= sizeof(address.sun_path)) return {UniqueFd(), ENAMETOOLONG};
    std::memcpy(address.sun_path, facts.address.data(), facts.address.size());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return {UniqueFd(), errno};
    }
  }
  if (::listen(fd.get(), facts.backlog) != 0) return {UniqueFd(), errno};
  facts.bound_port = -1;
  return {std::move(fd), 0};
}

}  // namespace

ListenerWish InterpretQuery(const QueryServer& query) {
  ListenerWish wish;
  ListenerFacts& facts = wish.facts;
  facts.address = query.address;
  facts.port = query.port;
  facts.flags = query.flags;
  facts.backlog = query.backlog;
  facts.data = query.data;
  if (query.type == "-1") {
    facts.kind = ListenerKind::kUnix;
    wish.mode = (query.readable_all ? 0444U : 0U) | (query.writable_all ? 0222U : 0U);
  } else if (query.type == "udp4" || query.type == "udp6") {
    facts.kind = ListenerKind::kUdp;
    facts.family = query.type == "udp6" ? 6 : 4;
  } else if (query.type == "4" || query.type == "6") {
    facts.kind = ListenerKind::kTcp;
    facts.family = query.type == "6" ? 6 : 4;
  } else {
    // listen({fd}): the number names a descriptor of the primary, and we have handed out none.
    wish.errno_value = query.fd >= 0 ? EBADF : EINVAL;
  }
  if (query.fd >= 0 && facts.kind != ListenerKind::kUdp) wish.errno_value = EBADF;
  facts.key = query.address + ":" + std::to_string(query.port) + ":" + query.type;
  if (facts.kind == ListenerKind::kTcp && (query.flags & kTcpIpv6Only) != 0) facts.key += ":6only";
  if (query.port == 0 && facts.kind != ListenerKind::kUnix) {
    facts.key += ":" + std::to_string(query.index);
  }
  return wish;
}

ListenerWish InterpretAddress(const ListenAddress& address) {
  ListenerWish wish;
  ListenerFacts& facts = wish.facts;
  facts.data = "null";
  if (!address.path.empty()) {
    facts.kind = ListenerKind::kUnix;
    facts.address = address.path;
    facts.port = -1;
    // As systemd makes its own: a proxy of another user connects, if its folder lets it.
    wish.mode = 0666;
  } else {
    facts.address = address.address;
    facts.port = address.port;
    facts.family = address.family;
  }
  ListenerFacts shown = facts;
  shown.bound_port = facts.port;
  facts.key = "listen " + DescribeListener(shown);
  return wish;
}

BoundListener Bind(ListenerFacts& facts, mode_t mode, const std::optional<RunAs>& owner) {
  switch (facts.kind) {
    case ListenerKind::kUnix:
      return BindUnix(facts, mode, owner);
    case ListenerKind::kUdp:
      return BindInternet(facts, facts.family, SOCK_DGRAM);
    case ListenerKind::kTcp: {
      // No address means "all, both families if there is IPv6", asked for as family 4.
      if (!facts.address.empty() || facts.family == 6) {
        return BindInternet(facts, facts.family, SOCK_STREAM);
      }
      BoundListener dual = BindInternet(facts, 6, SOCK_STREAM);
      if (dual.fd || (dual.errno_value != EAFNOSUPPORT && dual.errno_value != EADDRNOTAVAIL &&
                      dual.errno_value != EINVAL)) {
        return dual;
      }
      return BindInternet(facts, 4, SOCK_STREAM);
    }
    case ListenerKind::kInherited:
      break;
  }
  return {UniqueFd(), EINVAL};
}

BoundListener BindBeside(const ListenerFacts& facts, int beside) {
  if (beside >= 0) SetOption(beside, SOL_SOCKET, SO_REUSEPORT, 1);
  ListenerFacts copy = facts;
  copy.port = facts.bound_port;
  return BindInternet(copy, facts.family, SOCK_STREAM, true);
}

bool Steer(int fd, const std::vector<std::uint32_t>& places) {
  const auto count = static_cast<std::uint32_t>(places.size());
  // random modulo count; that is the place, or the number of its turn in a list.
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
  };
  bool all_from_first = true;
  for (std::uint32_t i = 0; i < count; ++i) all_from_first = all_from_first && places[i] == i;
  for (std::uint32_t i = 0; i < count && !all_from_first; ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, places[i]));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_A, 0));
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &whole, sizeof(whole)) == 0;
}

}  // namespace slc
