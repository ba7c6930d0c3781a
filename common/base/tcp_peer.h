// Whose the other end of a TCP connection is, if it is on this machine: asked of the kernel
// (NETLINK_SOCK_DIAG), as a unix socket tells by itself.
#pragma once

#include <cstdint>
#include <optional>

namespace slc {

struct TcpPeer {
  unsigned uid = 0;         // of the process that has made or accepted it
  std::uint64_t inode = 0;  // of the socket, as in SocketsOf
};

// The other end, open, be it only to read what is still to come. Nothing if that is not on this
// machine, in another network namespace, closed, not accepted yet, or if the kernel does not tell.
std::optional<TcpPeer> FindTcpPeer(int socket);

}  // namespace slc
