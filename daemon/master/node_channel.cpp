#include "daemon/master/node_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/base/fd_passing.h"
#include "daemon/master/cluster_messages.h"

namespace slc {
namespace {

constexpr std::size_t kLookBytes = 64U << 10;
// Of a line that is longer than one look only the beginning matters: whether it announces a handle.
// Such lines are the application's own messages, which end here.
constexpr std::size_t kKeptOfLongLine = 64U << 10;
constexpr std::size_t kMostQueued = 1U << 20;
constexpr Millis kRetry = 50;

// One buffer serves all channels: a look is done before the next begins.
char* LookBuffer() {
  static char buffer[kLookBytes];
  return buffer;
}

}  // namespace

NodeChannel::NodeChannel(uv::Loop& loop, int socket, Events events)
    : socket_(socket),
      events_(std::move(events)),
      poll_(loop, socket, [this](uv::Poll::Ready ready) { OnReady(ready); }),
      retry_(loop, [this] {
        Flush();
        if (queue_.empty() && events_.on_room) events_.on_room();
      }) {
  UpdateWatch();
}

NodeChannel::~NodeChannel() { *alive_ = false; }

bool NodeChannel::TrySend(std::string_view frame, int fd) {
  if (!has_room()) return false;
  const long sent = SendWithFds(socket_, frame, &fd, fd >= 0 ? 1 : 0);
  return sent == static_cast<long>(frame.size());
}

bool NodeChannel::Send(std::string frame, int fd) {
  if (ended_) return false;
  if (TrySend(frame, fd)) return true;
  if (queued_bytes_ + frame.size() > kMostQueued) return false;
  UniqueFd copy;
  if (fd >= 0) {
    copy.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return false;
  }
  queued_bytes_ += frame.size();
  queue_.push_back(Waiting{std::move(frame), std::move(copy)});
  UpdateWatch();
  return true;
}

void NodeChannel::UpdateWatch() {
  poll_.Watch(!ended_, !ended_ && !queue_.empty() && !retry_.active());
}

void NodeChannel::Flush() {
  while (!queue_.empty()) {
    const Waiting& next = queue_.front();
    const int fd = next.fd.get();
    if (SendWithFds(socket_, next.frame, &fd, fd >= 0 ? 1 : 0) < 0) {
      // Anything but a full socket (too many descriptors under way, no memory) leaves it writable:
      // watching it would spin.
      if (errno != EAGAIN) retry_.StartIn(kRetry);
      break;
    }
    queued_bytes_ -= next.frame.size();
    queue_.pop_front();
  }
  UpdateWatch();
}

void NodeChannel::OnReady(uv::Poll::Ready ready) {
  const std::shared_ptr<bool> alive = alive_;
  if (ready.writable) {
    Flush();
    if (queue_.empty() && events_.on_room) events_.on_room();
    if (!*alive) return;
  }
  // A bound per turn: a worker that talks without end must not keep the others waiting.
  constexpr int kLooksPerTurn = 4;
  for (int i = 0; ready.readable && i < kLooksPerTurn; ++i) {
    if (!ReadOnce(*alive)) break;
  }
}

void NodeChannel::ReadDry() {
  const std::shared_ptr<bool> alive = alive_;
  // What a dead worker left is bounded by the socket's buffer.
  while (ReadOnce(*alive)) {
  }
}

bool NodeChannel::ReadOnce(const bool& alive) {
  if (ended_) return false;
  char* buffer = LookBuffer();
  long seen = 0;
  do {
    seen = ::recv(socket_, buffer, kLookBytes, MSG_PEEK | MSG_DONTWAIT);
  } while (seen < 0 && errno == EINTR);
  if (seen < 0 && errno == EAGAIN) return false;
  if (seen <= 0) {
    ended_ = true;
    queue_.clear();
    UpdateWatch();
    if (events_.on_end) {
      const auto on_end = events_.on_end;
      on_end();
    }
    return false;
  }
  // Lines are copied out: what a line makes us do may look into another channel.
  const std::string bytes(buffer, static_cast<std::size_t>(seen));
  std::size_t acted = 0;  // bytes of whole lines that were acted on
  std::size_t consumed = 0;
  while (true) {
    const std::size_t end = bytes.find('\n', acted);
    if (end == std::string::npos) break;
    const std::string_view line = std::string_view(bytes).substr(acted, end - acted);
    std::string whole;
    if (!partial_.empty()) {
      whole = partial_ + std::string(line.substr(0, kKeptOfLongLine));
      partial_.clear();
    }
    const std::string_view message = whole.empty() ? line : std::string_view(whole);
    acted = end + 1;
    if (AnnouncesHandle(message)) {
      Consume(acted - consumed);
      consumed = acted;
      Send(HandleAcknowledgement());
      continue;
    }
    if (!Deliver(message, alive)) return false;
  }
  if (acted > consumed) Consume(acted - consumed);
  if (acted == 0) {
    // Not one whole line: taken out, or the poll would report it again and again.
    KeepPartial(bytes);
    Consume(bytes.size());
  }
  return true;
}

bool NodeChannel::Deliver(std::string_view line, const bool& alive) {
  const auto on_line = events_.on_line;
  on_line(line);
  return alive;
}

void NodeChannel::KeepPartial(std::string_view bytes) {
  if (partial_.size() >= kKeptOfLongLine) return;
  partial_ += bytes.substr(0, kKeptOfLongLine - partial_.size());
}

void NodeChannel::Consume(std::size_t bytes) {
  while (bytes > 0) {
    const Received received = ReceiveWithFds(socket_, LookBuffer(), std::min(bytes, kLookBytes));
    if (received.bytes <= 0) return;
    bytes -= static_cast<std::size_t>(received.bytes);
  }
}

}  // namespace slc
