// Whose the other end of a TCP connection is, if it is on this machine: asked of the kernel
// (NETLINK_SOCK_DIAG), as a unix socket tells by itself.
#pragma once

#include <optional>

namespace slc {

// The uid of the process that has the other end open, be it only to read what is still to come.
// Nothing if that is not on this machine, in another network namespace, closed, or if the kernel
// does not tell.
std::optional<unsigned> UidOfTcpPeer(int socket);

}  // namespace slc
