// Binding the sockets an instance listens on. A socket is bound once and kept as long as the
// instance lives, or until every worker has closed it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/instance.h"
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

// Binds, and listens if it is a stream. Fills in what was bound. On failure the fd is empty and
// errno_value tells why. `mode` and `owner` are those of a unix socket's file, see socket_file.h.
struct BoundListener {
  UniqueFd fd;
  int errno_value = 0;
};
BoundListener Bind(ListenerFacts& facts, mode_t mode, const std::optional<RunAs>& owner);

}  // namespace slc
