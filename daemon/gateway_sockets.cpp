#include "daemon/gateway_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/model/listen_address.h"
#include "common/wire/client.h"
#include "common/wire/control_server.h"

namespace slc {
namespace {

constexpr int kQueue = 511;  // as Node's servers have it

Error CannotListen(const std::string& listen, int reason) {
  Error error = SystemError("listen on " + listen, reason);
  if (reason == EADDRINUSE) {
    error.code = ErrorCode::kConflict;
    error.message += "; who has it: ss -ltnp, or choose another one with --listen";
  } else if (reason == EACCES) {
    error.code = ErrorCode::kPermission;
  } else if (reason == EADDRNOTAVAIL) {
    error.code = ErrorCode::kInvalid;
    error.message += "; the addresses of this machine: ip addr";
  }
  return error;
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family = AF_INET;
};

SocketAddress AddressOf(const ListenAddress& parsed) {
  SocketAddress address;
  const auto port = htons(static_cast<std::uint16_t>(parsed.port));
  if (parsed.family == 6 || parsed.address.empty()) {
    auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = port;
    if (!parsed.address.empty()) ::inet_pton(AF_INET6, parsed.address.c_str(), &six->sin6_addr);
    address.length = sizeof(sockaddr_in6);
    address.family = AF_INET6;
  } else {
    auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
    four->sin_family = AF_INET;
    four->sin_port = port;
    ::inet_pton(AF_INET, parsed.address.c_str(), &four->sin_addr);
    address.length = sizeof(sockaddr_in);
  }
  return address;
}

Result<UniqueFd> BindTcp(const std::string& listen) {
  auto parsed = ParseListenAddress(listen);
  if (!parsed) return parsed.error();
  SocketAddress address = AddressOf(*parsed);
  UniqueFd socket(::socket(address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket && address.family == AF_INET6 && parsed->address.empty() && errno == EAFNOSUPPORT) {
    parsed->address = "0.0.0.0";
    address = AddressOf(*parsed);
    socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  if (!socket) return CannotListen(listen, errno);
  const int on = 1;
  const int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // "*" is both families; an address of one is that one.
  const bool both = parsed->address.empty();
  if (address.family == AF_INET6) {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, both ? &off : &on, sizeof(on));
  }
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::bind(socket.get(), name, address.length) != 0 || ::listen(socket.get(), kQueue) != 0) {
    return CannotListen(listen, errno);
  }
  return socket;
}

Result<UniqueFd> BindUnix(const std::string& listen) {
  const std::string path = UnixPathOf(listen);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = path.substr(slash + 1);
  const UniqueFd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return CannotListen(listen, errno);
  struct stat info {};
  if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Error{ErrorCode::kConflict,
                   "listen on " + listen + ": there is something else at this path"};
    }
    if (ControlClient::Connect(path)) return CannotListen(listen, EADDRINUSE);
  }
  return ListenOnUnixSocket(directory.get(), name, SOCK_STREAM, kQueue);
}

}  // namespace

Result<GatewaySockets> BindForGateway(const std::vector<std::string>& listen,
                                      const std::vector<std::string>& bound) {
  GatewaySockets sockets;
  for (const std::string& each : listen) {
    if (std::find(bound.begin(), bound.end(), each) != bound.end()) continue;
    auto socket = UnixPathOf(each).empty() ? BindTcp(each) : BindUnix(each);
    if (!socket) return socket.error();
    sockets[each] = std::move(*socket);
  }
  return sockets;
}

void UnlinkOfGateway(const std::string& listen) {
  const std::string path = UnixPathOf(listen);
  if (path.empty() || ::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  log::Warn(SystemError("remove the socket " + path, errno).message);
}

Result<std::vector<UniqueFd>> OpenTlsFiles(const GatewayWish& wish) {
  std::vector<UniqueFd> files;
  for (const std::string& path : {wish.certificate, wish.key, wish.client_ca}) {
    if (path.empty()) continue;
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) return SystemError("open " + path, errno);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace slc
