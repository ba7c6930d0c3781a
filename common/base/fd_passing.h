// Messages with file descriptors over unix sockets (SCM_RIGHTS). Nothing here blocks: every call is
// made with MSG_DONTWAIT, so a peer that does not read cannot stop a loop.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"

namespace slc {

// The kernel takes 253 descriptors a message (254 fails with EINVAL); we keep to 200.
inline constexpr std::size_t kMaxFdsPerMessage = 200;

// Sends `data` and duplicates of `fds` with one sendmsg. Returns the bytes taken, or -1 with errno.
// EAGAIN, ENOBUFS and ETOOMANYREFS (descriptors in flight are counted per user) all mean "no room
// now".
long SendWithFds(int socket, std::string_view data, const int* fds, std::size_t fd_count);

// True for the errno values that mean "no room now, try when writable or later".
bool IsNoRoom(int errno_value);

struct Received {
  long bytes = 0;             // as recvmsg: 0 at the end of the stream, -1 with errno set
  bool truncated = false;     // a packet was longer than the buffer
  bool lost_fds = false;      // the last of the descriptors found no room in our table
  std::vector<UniqueFd> fds;  // close-on-exec
};

// One recvmsg into `buffer` with room for kMaxFdsPerMessage descriptors.
Received ReceiveWithFds(int socket, char* buffer, std::size_t size);

// A connected pair of unix sockets, close-on-exec and non-blocking at both ends.
// `type` is SOCK_STREAM or SOCK_SEQPACKET. On failure both are empty and errno is set.
struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
SocketPair MakeSocketPair(int type);

}  // namespace slc
