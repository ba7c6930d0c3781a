#include "common/http/connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "common/base/files.h"

namespace slc::http {
namespace {

// A peer that is gone without a word is noticed after this, while something is under way.
constexpr unsigned kUserTimeoutMs = 60'000;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// 0, or the reason.
int Connect(int socket, const addrinfo& address, Millis limit) {
  if (::connect(socket, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  const Millis deadline = BootNow() + limit;
  while (true) {
    pollfd entry{socket, POLLOUT, 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::max<Millis>(0, deadline - BootNow())));
    if (ready == 0) return ETIMEDOUT;
    if (ready > 0) break;
    if (errno != EINTR) return errno;
  }
  int reason = 0;
  socklen_t size = sizeof(reason);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &reason, &size) != 0) return errno;
  return reason;
}

Error Refused(const std::string& what, int reason) {
  Error error = SystemError(what, reason);
  error.code = ErrorCode::kUnreachable;
  if (reason == EACCES || reason == EPERM) error.code = ErrorCode::kPermission;
  if (reason == ETIMEDOUT) error.code = ErrorCode::kTimeout;
  return error;
}

}  // namespace

Result<UniqueFd> ConnectTcp(const std::string& host, std::uint16_t port, Millis limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int failed = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (failed != 0) {
    const char* why = failed == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(failed);
    return Error{ErrorCode::kUnreachable, "look up " + host + ": " + why};
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  Millis left = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) ++left;
  const Millis deadline = BootNow() + limit;
  int reason = EADDRNOTAVAIL;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next, --left) {
    UniqueFd socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
      reason = errno;
      continue;
    }
    reason = Connect(socket.get(), *each, std::max<Millis>(0, deadline - BootNow()) / left);
    if (reason != 0) continue;
    const int on = 1;
    // Each only makes the connection better.
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
                 sizeof(kUserTimeoutMs));
    return socket;
  }
  const bool brackets = host.find(':') != std::string::npos;
  return Refused("connect to " + (brackets ? "[" + host + "]" : host) + ":" + service, reason);
}

Result<UniqueFd> ConnectUnix(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const UniqueFd folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return Refused("open " + directory, errno);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return SystemError("make a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string reach = PathThroughFd(folder.get(), name);
  if (reach.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kUsage, "the name of the socket " + path + " is too long"};
  }
  std::memcpy(address.sun_path, reach.c_str(), reach.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Refused("connect to " + path, errno == EAGAIN ? ETIMEDOUT : errno);
  }
  return socket;
}

}  // namespace slc::http
