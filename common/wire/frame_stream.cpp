#include "common/wire/frame_stream.h"

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/fd_passing.h"

namespace slc {
namespace {

// No message brings more than a few; a peer that goes on and on would use up our table.
constexpr std::size_t kMostUnclaimedFds = 64;

}  // namespace

void FrameStream::Queue(std::string_view payload, std::vector<UniqueFd> fds) {
  std::string frame = EncodeFrame(payload);
  unsent_ += frame.size();
  if (output_.empty() || !fds.empty()) {
    output_.push_back({std::move(frame), std::move(fds)});
  } else {
    output_.back().bytes += frame;
  }
}

Status FrameStream::Flush() {
  while (!output_.empty()) {
    Part& part = output_.front();
    std::vector<int> fds;
    for (const UniqueFd& fd : part.fds) fds.push_back(fd.get());
    const long put = SendWithFds(socket_.get(), part.bytes, fds.data(), fds.size());
    if (put < 0 && IsNoRoom(errno)) break;
    if (put < 0) {
      Error error = SystemError("send", errno);
      error.code = ErrorCode::kUnreachable;
      return error;
    }
    unsent_ -= static_cast<std::size_t>(put);
    part.fds.clear();
    part.bytes.erase(0, static_cast<std::size_t>(put));
    if (part.bytes.empty()) output_.pop_front();
  }
  return Ok();
}

Result<bool> FrameStream::Receive() {
  std::array<char, 65536> buffer;
  Received received = ReceiveWithFds(socket_.get(), buffer.data(), buffer.size());
  if (received.bytes < 0 && errno == EAGAIN) return false;
  if (received.bytes < 0) {
    Error error = SystemError("receive", errno);
    error.code = ErrorCode::kUnreachable;
    return error;
  }
  if (received.bytes == 0) return Error{ErrorCode::kUnreachable, "the other side has hung up"};
  reader_.Append({buffer.data(), static_cast<std::size_t>(received.bytes)});
  for (UniqueFd& fd : received.fds) received_.push_back(std::move(fd));
  if (received_.size() > kMostUnclaimedFds) {
    return Error{ErrorCode::kProtocol, "descriptors came that no message speaks of"};
  }
  return true;
}

std::vector<UniqueFd> FrameStream::TakeFds(std::size_t count) {
  std::vector<UniqueFd> taken;
  while (taken.size() < count && !received_.empty()) {
    taken.push_back(std::move(received_.front()));
    received_.pop_front();
  }
  return taken;
}

}  // namespace slc
