#include "common/wire/packet_socket.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/base/fd_passing.h"
#include "common/base/log.h"

namespace slc {
namespace {

constexpr Millis kRetry = 50;

}  // namespace

PacketSocket::PacketSocket(uv::Loop& loop, UniqueFd socket, Events events)
    : socket_(std::move(socket)),
      events_(std::move(events)),
      poll_(loop, socket_.get(), [this](uv::Poll::Ready ready) { OnReady(ready); }),
      retry_(loop, [this] { Flush(); }) {
  UpdateWatch();
}

PacketSocket::~PacketSocket() { *alive_ = false; }

bool PacketSocket::Send(const link::Packet& packet, const std::vector<int>& fds) {
  if (closed_) return false;
  std::string payload = link::Encode(packet);
  if (queue_.empty()) {
    if (SendWithFds(socket_.get(), payload, fds.data(), fds.size()) >= 0) return true;
    // The poll will report the end.
    if (!IsNoRoom(errno)) peer_gone_ = true;
    if (peer_gone_) return false;
  }
  Waiting waiting{std::move(payload), {}};
  for (const int fd : fds) {
    UniqueFd duplicate(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!duplicate) return false;
    waiting.fds.push_back(std::move(duplicate));
  }
  queue_.push_back(std::move(waiting));
  UpdateWatch();
  return true;
}

void PacketSocket::UpdateWatch() {
  poll_.Watch(!closed_, !closed_ && !queue_.empty() && !retry_.active());
}

void PacketSocket::OnReady(uv::Poll::Ready ready) {
  const std::shared_ptr<bool> alive = alive_;
  if (ready.writable) Flush();
  // A bound per turn, so that a chatty peer cannot keep the loop for itself.
  constexpr int kPacketsPerTurn = 64;
  for (int i = 0; ready.readable && i < kPacketsPerTurn; ++i) {
    if (!ReadOne(*alive)) break;
  }
}

bool PacketSocket::ReadToEnd() {
  const std::shared_ptr<bool> alive = alive_;
  while (ReadOne(*alive)) {
  }
  return !*alive || closed_;
}

bool PacketSocket::ReadOne(const bool& alive) {
  if (closed_) return false;
  // Not filled with zeroes: pages that no packet has reached stay untouched, in each of many
  // masters.
  static thread_local const auto buffer =
      std::make_unique_for_overwrite<char[]>(link::kMostPacketBytes);
  Received received = ReceiveWithFds(socket_.get(), buffer.get(), link::kMostPacketBytes);
  if (received.bytes < 0) {
    if (errno != EAGAIN) Close(std::strerror(errno), alive);
    return false;
  }
  if (received.bytes == 0) {
    Close("the other side has hung up", alive);
    return false;
  }
  if (received.truncated) {
    Close("a packet was too long", alive);
    return false;
  }
  auto packet = link::Decode(std::string(buffer.get(), static_cast<std::size_t>(received.bytes)));
  if (!packet) {
    // A newer peer may say things we do not know; they are not needed to go on.
    log::Warn("link: " + packet.error().message);
    return true;
  }
  // What is to be kept can be asked for again, and a look into a worker fails alone; other packets
  // mean nothing without what came along.
  const bool bears_loss = std::holds_alternative<link::Store>(*packet) ||
                          std::holds_alternative<link::Inspected>(*packet);
  if (received.lost_fds && !bears_loss) {
    Close("no descriptor is left for what came with a packet", alive);
    return false;
  }
  // The callback may destroy us, and with us the function being called.
  const auto on_packet = events_.on_packet;
  on_packet(std::move(*packet), std::move(received.fds));
  return alive;
}

void PacketSocket::Flush() {
  while (!queue_.empty()) {
    const Waiting& next = queue_.front();
    std::vector<int> fds;
    for (const UniqueFd& fd : next.fds) fds.push_back(fd.get());
    if (SendWithFds(socket_.get(), next.payload, fds.data(), fds.size()) < 0) {
      // Anything but a full socket (too many descriptors under way, no memory) leaves it writable:
      // watching it would spin.
      if (errno != EAGAIN) retry_.StartIn(kRetry);
      break;
    }
    queue_.pop_front();
  }
  UpdateWatch();
}

void PacketSocket::Close(const std::string& reason, const bool& alive) {
  closed_ = true;
  poll_.Watch(false, false);
  if (alive && events_.on_closed) {
    const auto on_closed = events_.on_closed;
    on_closed(reason);
  }
}

}  // namespace slc
