#include "common/base/tcp_peer.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>

#include "common/base/unique_fd.h"

namespace slc {
namespace {

// States of the kernel's connections: open, and shut down for writing by its owner, who may still
// read (as `nc -N` does).
constexpr int kEstablished = 1;
constexpr int kFinWait1 = 4;
constexpr int kFinWait2 = 5;

struct Question {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

// Address and port as the kernel wants them; false for what is not TCP.
bool Put(const sockaddr_storage& from, __be32* address, __be16* port) {
  if (from.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&from);
    std::memcpy(address, &four->sin_addr, sizeof(four->sin_addr));
    *port = four->sin_port;
    return true;
  }
  if (from.ss_family != AF_INET6) return false;
  const auto* six = reinterpret_cast<const sockaddr_in6*>(&from);
  std::memcpy(address, &six->sin6_addr, sizeof(six->sin6_addr));
  *port = six->sin6_port;
  return true;
}

// An IPv4 client of a socket for both families has a mapped address here, but an IPv4 socket there.
void Unmap(sockaddr_storage& address) {
  if (address.ss_family != AF_INET6) return;
  const auto six = *reinterpret_cast<const sockaddr_in6*>(&address);
  if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return;
  address = {};
  auto* four = reinterpret_cast<sockaddr_in*>(&address);
  four->sin_family = AF_INET;
  four->sin_port = six.sin6_port;
  std::memcpy(&four->sin_addr, &six.sin6_addr.s6_addr[12], sizeof(four->sin_addr));
}

}  // namespace

std::optional<TcpPeer> FindTcpPeer(int socket) {
  sockaddr_storage ours{};
  sockaddr_storage theirs{};
  socklen_t our_length = sizeof(ours);
  socklen_t their_length = sizeof(theirs);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &our_length) != 0 ||
      ::getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &their_length) != 0) {
    return std::nullopt;
  }
  Unmap(ours);
  Unmap(theirs);
  Question question{};
  question.header.nlmsg_len = sizeof(question);
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  inet_diag_req_v2& request = question.request;
  request.sdiag_family = static_cast<__u8>(theirs.ss_family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0U;
  // Their socket: what is its own address is the peer's of ours.
  if (!Put(theirs, request.id.idiag_src, &request.id.idiag_sport) ||
      !Put(ours, request.id.idiag_dst, &request.id.idiag_dport)) {
    return std::nullopt;
  }
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return std::nullopt;
  // The kernel answers within the send; this is for the day it does not.
  const timeval patience{1, 0};
  ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (::send(netlink.get(), &question, sizeof(question), 0) != sizeof(question)) {
    return std::nullopt;
  }
  alignas(nlmsghdr) std::array<char, 4096> buffer;
  const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
  if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return std::nullopt;
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  const auto* found = reinterpret_cast<const inet_diag_msg*>(buffer.data() + NLMSG_HDRLEN);
  // One that listens there would be found where there is no such connection.
  const bool same = found->id.idiag_sport == request.id.idiag_sport &&
                    found->id.idiag_dport == request.id.idiag_dport;
  // What was closed by its process, or is not open yet, is told to be root's, and has no inode. The
  // kernel reads the uid first: a close in between does not lend root's to anybody.
  const int state = found->idiag_state;
  const bool open = state == kEstablished || state == kFinWait1 || state == kFinWait2;
  const bool owned = open && found->idiag_inode != 0;
  if (!same || !owned) return std::nullopt;
  return TcpPeer{found->idiag_uid, found->idiag_inode};
}

}  // namespace slc
