#include "ctl/https/tunnel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace slc::ctl {
namespace {

constexpr std::size_t kReadSize = 64U << 10;
// Beyond that the side that sends is not read from until some has gone.
constexpr std::size_t kMostUnsent = 256U << 10;

}  // namespace

Tunnel::Tunnel(UniqueFd plain, UniqueFd sealed, const http::TlsContext& context,
               const std::string& host)
    : session_(context, host) {
  plain_.socket = std::move(plain);
  sealed_.socket = std::move(sealed);
  for (const Side* side : {&plain_, &sealed_}) ::fcntl(side->socket.get(), F_SETFL, O_NONBLOCK);
  sealed_.unsent = session_.TakeOutput();
}

bool Tunnel::Flush(Side& side) {
  while (!side.unsent.empty()) {
    const ssize_t put =
        ::send(side.socket.get(), side.unsent.data(), side.unsent.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno == EAGAIN;
    side.unsent.erase(0, static_cast<std::size_t>(put));
  }
  return true;
}

std::string_view Tunnel::Read(Side& side, std::string& buffer) {
  buffer.resize(kReadSize);
  const ssize_t got = ::recv(side.socket.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) return std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) side.ended = true;
  return {};
}

Status Tunnel::TakePlain() {
  std::string buffer;
  const std::string_view bytes = Read(plain_, buffer);
  if (plain_.ended) session_.Close();
  Status sent = bytes.empty() ? Ok() : session_.Send(bytes);
  sealed_.unsent += session_.TakeOutput();
  return sent;
}

Status Tunnel::TakeSealed() {
  std::string buffer;
  const std::string_view bytes = Read(sealed_, buffer);
  Status received = bytes.empty() ? Ok() : session_.Receive(bytes, plain_.unsent);
  sealed_.unsent += session_.TakeOutput();
  if (received && session_.peer_closed()) sealed_.ended = true;
  if (received && sealed_.ended && !session_.established()) {
    return Error{ErrorCode::kProtocol,
                 "TLS: the server hung up in the midst of the handshake; does it speak TLS?"};
  }
  return received;
}

Status Tunnel::Run() {
  while (true) {
    if (!Flush(sealed_)) sealed_.ended = true;
    if (!Flush(plain_)) plain_.ended = true;
    const bool plain_done = plain_.ended && sealed_.unsent.empty();
    const bool sealed_done = sealed_.ended && plain_.unsent.empty();
    if (plain_done || sealed_done) return Ok();
    std::array<pollfd, 2> entries{{{plain_.socket.get(), 0, 0}, {sealed_.socket.get(), 0, 0}}};
    if (!plain_.ended && sealed_.unsent.size() < kMostUnsent) entries[0].events |= POLLIN;
    if (!sealed_.ended && plain_.unsent.size() < kMostUnsent) entries[1].events |= POLLIN;
    if (!plain_.unsent.empty()) entries[0].events |= POLLOUT;
    if (!sealed_.unsent.empty()) entries[1].events |= POLLOUT;
    // A side that waits for nothing would be told of its end again and again.
    for (pollfd& entry : entries) {
      if (entry.events == 0) entry.fd = -1;
    }
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) {
      return SystemError("wait", errno);
    }
    Status done = Ok();
    if (entries[0].fd >= 0 && (entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      done = TakePlain();
    }
    if (done && entries[1].fd >= 0 && (entries[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      done = TakeSealed();
    }
    if (!done) {
      // It may hold an alert that tells the other side why.
      Flush(sealed_);
      return done;
    }
  }
}

}  // namespace slc::ctl
