#include "common/base/fd_passing.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace slc {
namespace {

// Room for one control message with the most descriptors we accept, aligned as cmsghdr wants it.
struct ControlBuffer {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * (kMaxFdsPerMessage + 53))];
};

}  // namespace

long SendWithFds(int socket, std::string_view data, const int* fds, std::size_t fd_count) {
  iovec part{};
  part.iov_base = const_cast<char*>(data.data());
  part.iov_len = data.size();
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control;
  if (fd_count > 0) {
    if (fd_count > kMaxFdsPerMessage) {
      errno = EINVAL;
      return -1;
    }
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    std::memset(control.bytes, 0, message.msg_controllen);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
  }
  long sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

bool IsNoRoom(int errno_value) {
  return errno_value == EAGAIN || errno_value == ENOBUFS || errno_value == ETOOMANYREFS ||
         errno_value == ENOMEM;
}

Received ReceiveWithFds(int socket, char* buffer, std::size_t size) {
  iovec part{};
  part.iov_base = buffer;
  part.iov_len = size;
  ControlBuffer control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  Received received;
  do {
    received.bytes = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received.bytes < 0 && errno == EINTR);
  if (received.bytes < 0) return received;
  received.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  received.lost_fds = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received.fds.emplace_back(fd);
    }
  }
  return received;
}

SocketPair MakeSocketPair(int type) {
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) return {};
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace slc
