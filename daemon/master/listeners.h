// Binding the sockets an instance listens on. A socket is bound once and kept as long as the
// instance lives, or until every worker has closed it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/instance.h"
#include "common/model/listen_address.h"
#include "daemon/master/cluster_messages.h"

namespace slc {

// What a queryServer asks for, as facts without a bound port. errno_value != 0: it cannot be had
// (EBADF for listen({fd}) of a descriptor we do not have, EINVAL for what we do not know).
struct ListenerWish {
  ListenerFacts facts;
  mode_t mode = 0;  // what the socket's file is to have beyond the umask (unix)
  int errno_value = 0;
};
// The key is the same for the same address in every worker. An explicit port has one listener per
// instance; port 0 asks for a new one for each `index`.
ListenerWish InterpretQuery(const QueryServer& query);

// The same of an address of --listen. A unix socket is for its owner and group.
ListenerWish InterpretAddress(const ListenAddress& address);

// Binds, and listens if it is a stream. Fills in what was bound. On failure the fd is empty and
// errno_value tells why. `mode` and `owner` are those of a unix socket's file, see socket_file.h.
struct BoundListener {
  UniqueFd fd;
  int errno_value = 0;
};
BoundListener Bind(ListenerFacts& facts, mode_t mode, const std::optional<RunAs>& owner);

// One more socket where others of ours listen (TCP): the kernel spreads new connections over all of
// them. `beside`: one of them, or -1 if workers have them all. The first of them was bound without
// SO_REUSEPORT, so nobody else is there, and gets that option only now: Linux goes by it when a
// second socket is bound and when that begins to listen (net/ipv4/inet_connection_sock.c,
// net/core/sock_reuseport.c).
BoundListener BindBeside(const ListenerFacts& facts, int beside);

// Has the kernel choose among the sockets of the group that `fd` is in, by chance, only those with
// these places in it (in the order in which they began to listen). False if it does not allow that.
bool Steer(int fd, const std::vector<std::uint32_t>& places);

}  // namespace slc
