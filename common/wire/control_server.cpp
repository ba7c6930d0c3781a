#include "common/wire/control_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/files.h"
#include "common/base/log.h"

namespace slc {

struct ControlServer::Session {
  Session(uv::Loop& loop, UniqueFd fd, const Peer& other, uv::Poll::Callback callback)
      : stream(std::move(fd)), peer(other), poll(loop, stream.fd(), std::move(callback)) {}
  FrameStream stream;
  Peer peer;
  bool asked = false;
  uv::Poll poll;
};

Result<UniqueFd> ListenOnUnixSocket(int directory, const std::string& name, int type, int backlog) {
  UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return SystemError("make a socket", errno);
  // The file gets this mode, less the umask: no moment in which it has a wider one, and other
  // threads keep their umask.
  if (::fchmod(socket.get(), 0600) != 0) return SystemError("chmod of socket " + name, errno);
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) {
    return SystemError("remove stale socket " + name, errno);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = PathThroughFd(directory, name);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError("bind socket " + name, errno);
  }
  if (::listen(socket.get(), backlog) != 0) return SystemError("listen on " + name, errno);
  return socket;
}

Result<Peer> PeerOf(int socket) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return SystemError("identify the peer", errno);
  }
  return Peer{credentials.uid, credentials.pid};
}

ControlServer::ControlServer(uv::Loop& loop, UniqueFd listener, Events events)
    : loop_(loop),
      listener_(std::move(listener)),
      events_(std::move(events)),
      accept_again_(loop, [this] { poll_->Watch(true, false); }),
      poll_(std::make_unique<uv::Poll>(loop, listener_.get(),
                                       [this](uv::Poll::Ready) { Accept(); })) {
  poll_->Watch(true, false);
}

ControlServer::~ControlServer() = default;

void ControlServer::Accept() {
  constexpr std::size_t kMostClients = 256;
  constexpr Millis kRetryWhenExhausted = 50;
  while (true) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        if (MakeRoom()) continue;
        // Out of descriptors or memory: the socket stays readable, so looking again at once would
        // spin.
        poll_->Watch(false, false);
        accept_again_.StartIn(kRetryWhenExhausted);
      }
      return;
    }
    auto peer = PeerOf(socket.get());
    if (!peer) continue;
    if (peer->uid != ::geteuid() && peer->uid != 0) {
      SayRefused("of uid " + std::to_string(peer->uid) + " (pid " + std::to_string(peer->pid) +
                 ")");
      continue;
    }
    if (sessions_.size() >= kMostClients && !MakeRoom()) {
      SayRefused("of pid " + std::to_string(peer->pid) + ": " + std::to_string(kMostClients) +
                 " are connected already");
      continue;
    }
    Serve(std::move(socket), *peer);
  }
}

ClientId ControlServer::Serve(UniqueFd socket, const Peer& peer) {
  const ClientId client = ++last_;
  auto session =
      std::make_unique<Session>(loop_, std::move(socket), peer,
                                [this, client](uv::Poll::Ready ready) { OnReady(client, ready); });
  if (session->poll.ok()) {
    session->poll.Watch(true, false);
    sessions_[client] = std::move(session);
  }
  return client;
}

void ControlServer::Listen(UniqueFd listener) {
  Accept();
  accept_again_.Stop();
  poll_.reset();
  listener_ = std::move(listener);
  poll_ = std::make_unique<uv::Poll>(loop_, listener_.get(), [this](uv::Poll::Ready) { Accept(); });
  poll_->Watch(true, false);
}

ClientId ControlServer::Take(UniqueFd socket) {
  const auto peer = PeerOf(socket.get());
  return Serve(std::move(socket), peer ? *peer : Peer{});
}

int ControlServer::SocketOf(ClientId client) const {
  const auto found = sessions_.find(client);
  return found == sessions_.end() ? -1 : found->second->stream.fd();
}

// Whoever asks again and again must not fill the log.
void ControlServer::SayRefused(const std::string& whom) {
  constexpr Millis kTellAgain = 10'000;
  const Millis now = loop_.now();
  if (refused_told_at_ > 0 && now - refused_told_at_ < kTellAgain) {
    ++refused_untold_;
    return;
  }
  const std::string more =
      refused_untold_ == 0 ? "" : ", and " + std::to_string(refused_untold_) + " others before";
  log::Warn("refused a client " + whom + more);
  refused_told_at_ = now;
  refused_untold_ = 0;
}

bool ControlServer::MakeRoom() {
  ClientId client = 0;
  for (auto next = sessions_.begin(); next != sessions_.end();
       next = sessions_.upper_bound(client)) {
    client = next->first;
    if (next->second->asked) continue;
    // Its request may have come by now; to answer it may end it, too.
    Read(client);
    next = sessions_.find(client);
    if (next == sessions_.end()) return true;
    if (next->second->asked) continue;
    Drop(client);
    return true;
  }
  return false;
}

void ControlServer::OnReady(ClientId client, uv::Poll::Ready ready) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return;
  if (ready.writable && !Flush(*found->second)) return Drop(client);
  if (ready.readable) Read(client);
}

void ControlServer::Read(ClientId client) {
  const auto received = sessions_.find(client)->second->stream.Receive();
  if (!received) {
    if (received.error().code == ErrorCode::kProtocol) {
      log::Warn("dropped a client: " + received.error().message);
    }
    return Drop(client);
  }
  if (!*received) return;
  while (true) {
    // A handler may drop the session: look it up each time.
    const auto session = sessions_.find(client);
    if (session == sessions_.end()) return;
    auto frame = session->second->stream.Next();
    if (!frame) {
      log::Warn("dropped a client: " + frame.error().message);
      return Drop(client);
    }
    if (!*frame) return;
    session->second->asked = true;
    events_.on_frame(client, **frame);
  }
}

Peer ControlServer::peer(ClientId client) const {
  const auto found = sessions_.find(client);
  return found == sessions_.end() ? Peer{} : found->second->peer;
}

std::vector<UniqueFd> ControlServer::TakeFds(ClientId client, std::size_t count) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return {};
  return found->second->stream.TakeFds(count);
}

void ControlServer::Send(ClientId client, const std::string& payload, std::vector<UniqueFd> fds) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  session.stream.Queue(payload, std::move(fds));
  if (session.stream.unsent() > 2 * kMostFrameBytes || !Flush(session)) {
    // Not dropped here: the caller may be in the middle of this client's request. The shutdown
    // makes the poll report the end.
    ::shutdown(session.stream.fd(), SHUT_RDWR);
  }
}

Status ControlServer::Flush(Session& session) {
  Status sent = session.stream.Flush();
  if (sent) session.poll.Watch(true, !session.stream.flushed());
  return sent;
}

void ControlServer::Drop(ClientId client) {
  if (sessions_.erase(client) > 0 && events_.on_gone) events_.on_gone(client);
}

}  // namespace slc
