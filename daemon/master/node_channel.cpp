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
// Some times what fits into a socket; a message with descriptors ends a look early.
constexpr int kMostLooksAfterTheEnd = 1024;
constexpr Millis kRetry = 50;

// One buffer serves all channels: a look is done before the next begins.
char* LookBuffer() {
  static char buffer[kLookBytes];
  return buffer;
}

// A socket may have been told to keep whoever closes it until its data is sent (SO_LINGER): not us.
void CloseAtOnce(std::vector<UniqueFd>& fds) {
  const linger none{};
  for (const UniqueFd& fd : fds) {
    // Fails for what is no socket.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  }
  fds.clear();
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

bool NodeChannel::SendNow(std::string_view frame, int fd) {
  if (!has_room()) return false;
  const long sent = SendWithFds(socket_, frame, &fd, fd >= 0 ? 1 : 0);
  if (sent < 0) NoteSendError(errno);
  return sent == static_cast<long>(frame.size());
}

bool NodeChannel::TrySend(std::string_view frame, int connection) {
  const bool taken = SendNow(frame, connection);
  if (taken) handles_.Sent(true);
  return taken;
}

bool NodeChannel::Send(std::string frame, int fd) {
  if (ended_) return false;
  if (SendNow(frame, fd)) {
    if (fd >= 0) handles_.Sent(false);
    return true;
  }
  if (queued_bytes_ + frame.size() > kMostQueued) {
    Note(LeftUnread{});
    return false;
  }
  UniqueFd copy;
  if (fd >= 0) {
    copy.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return false;
  }
  if (fd >= 0) handles_.Sent(false);
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
      NoteSendError(errno);
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
  for (int looks = 0; looks < kMostLooksAfterTheEnd && ReadOnce(*alive); ++looks) {
  }
}

void NodeChannel::NoteSendError(int errno_value) {
  if (errno_value == EPIPE || errno_value == ECONNRESET) Note(Deafened{});
}

void NodeChannel::Note(const ConductFact& fact) {
  if (events_.on_fact) events_.on_fact(fact);
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
    Note(ChannelClosed{});
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
    acted = end + 1;
    std::optional<std::string> pieced;
    if (partial_bytes_ > 0) {
      pieced = EndLine(line);
      if (!pieced) continue;
    }
    const std::string_view message = pieced ? std::string_view(*pieced) : line;
    if (AnnouncesHandle(message)) {
      Consume(acted - consumed, true);
      consumed = acted;
      Send(HandleAcknowledgement());
      continue;
    }
    if (!Deliver(message, alive)) return false;
  }
  if (acted > consumed) Consume(acted - consumed, false);
  if (acted == 0) {
    // Not one whole line: taken out, or the poll would report it again and again.
    KeepPartial(bytes);
    Consume(bytes.size(), AnnouncesHandle(partial_));
  }
  return true;
}

std::optional<std::string> NodeChannel::EndLine(std::string_view rest) {
  const std::size_t total = partial_bytes_ + rest.size();
  std::string line = std::move(partial_);
  JsonShape shape = partial_shape_;
  partial_.clear();
  partial_bytes_ = 0;
  partial_shape_ = JsonShape();
  if (AnnouncesHandle(line)) return line;
  if (total <= kKeptOfLongLine) return line.append(rest);
  shape.Take(rest);
  if (shape.whole()) {
    Note(LineNested{shape.depth()});
  } else {
    Note(LineUnreadable{});
  }
  return std::nullopt;
}

bool NodeChannel::Deliver(std::string_view line, const bool& alive) {
  const auto on_line = events_.on_line;
  on_line(line);
  return alive;
}

void NodeChannel::KeepPartial(std::string_view bytes) {
  partial_bytes_ += bytes.size();
  partial_shape_.Take(bytes);
  if (partial_.size() < kKeptOfLongLine) {
    partial_ += bytes.substr(0, kKeptOfLongLine - partial_.size());
  }
  Note(LineGrows{bytes.size(), partial_bytes_});
}

void NodeChannel::Consume(std::size_t bytes, bool announced) {
  std::size_t descriptors = 0;
  while (bytes > 0) {
    Received received = ReceiveWithFds(socket_, LookBuffer(), std::min(bytes, kLookBytes));
    if (received.bytes <= 0) break;
    bytes -= static_cast<std::size_t>(received.bytes);
    descriptors += received.fds.size();
    CloseAtOnce(received.fds);
  }
  if (descriptors > 0) Note(DescriptorsCame{descriptors, announced});
}

}  // namespace slc
