#include "common/wire/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/files.h"

namespace slc {
namespace {

// For connect and send, each of which waits for room without end otherwise. A daemon that is well
// makes room within milliseconds.
constexpr Millis kRoomPatience = 3000;

}  // namespace

Result<ControlClient> ControlClient::Connect(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const auto refused = [&](const std::string& what, int reason) {
    Error error = SystemError(what, reason);
    error.code = ErrorCode::kUnreachable;
    if (reason == EACCES || reason == EPERM) error.code = ErrorCode::kPermission;
    if (reason == EAGAIN) {
      error = {ErrorCode::kTimeout, what + ": it takes no connections, and its queue is full"};
    }
    return error;
  };
  UniqueFd folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return refused("open " + directory, errno);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return SystemError("make a socket", errno);
  const timeval patience{kRoomPatience / 1000, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string reach = PathThroughFd(folder.get(), name);
  if (reach.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kUsage, "the name of the socket " + path + " is too long"};
  }
  std::memcpy(address.sun_path, reach.c_str(), reach.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return refused("connect to " + path, errno);
  }
  return ControlClient(std::move(socket));
}

Status ControlClient::Send(const Request& request, std::vector<UniqueFd> fds) {
  Request announced = request;
  announced.descriptors = static_cast<std::uint32_t>(fds.size());
  stream_.Queue(EncodeRequest(announced), std::move(fds));
  const Millis deadline = BootNow() + kRoomPatience;
  while (true) {
    Status sent = stream_.Flush();
    if (!sent) return sent.error().During("the request to slcd");
    if (stream_.flushed()) return Ok();
    const Millis left = deadline - BootNow();
    if (left <= 0) return Error{ErrorCode::kTimeout, "slcd does not take the request"};
    pollfd entry{stream_.fd(), POLLOUT, 0};
    ::poll(&entry, 1, static_cast<int>(left));
  }
}

Result<std::optional<ServerMessage>> ControlClient::Receive(Millis timeout) {
  const Millis deadline = timeout < 0 ? -1 : BootNow() + timeout;
  while (true) {
    auto frame = stream_.Next();
    if (!frame) return frame.error();
    if (*frame) {
      auto message = DecodeServerMessage(**frame);
      if (!message) return message.error();
      std::vector<UniqueFd> fds = stream_.TakeFds(message->descriptors);
      if (auto* reply = std::get_if<Reply>(&message->body)) {
        GiveDescriptors(*reply, message->descriptors, std::move(fds));
      }
      return std::optional<ServerMessage>(std::move(*message));
    }
    const Millis left = deadline < 0 ? -1 : std::max<Millis>(0, deadline - BootNow());
    pollfd entry{stream_.fd(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready == 0) return std::optional<ServerMessage>();
    if (ready < 0) {
      // A signal (Ctrl-C) gives the caller a turn to look at it.
      if (errno == EINTR) return std::optional<ServerMessage>();
      return SystemError("wait for slcd", errno);
    }
    const auto received = stream_.Receive();
    if (!received) return Error{ErrorCode::kUnreachable, "slcd hung up before it answered"};
  }
}

}  // namespace slc
