#include "ctl/local_channel.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "common/wire/control_server.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kReadSize = 256U << 10;

}  // namespace

Result<std::optional<ServerMessage>> LocalChannel::Receive(Millis timeout) {
  auto message = client_.Receive(timeout);
  if (!message || !*message) return message;
  if (auto* reply = std::get_if<Reply>(&(*message)->body)) {
    streams_ = std::exchange(reply->descriptors, {});
  }
  return message;
}

Result<std::optional<CarriedPiece>> LocalChannel::ReadPiece(Millis limit) {
  std::vector<pollfd> entries;
  // poll() passes over those that have ended: they are -1.
  for (const UniqueFd& stream : streams_) entries.push_back({stream.get(), POLLIN, 0});
  if (::poll(entries.data(), entries.size(), static_cast<int>(limit)) <= 0) {
    return std::optional<CarriedPiece>();
  }
  const auto ready = std::find_if(entries.begin(), entries.end(),
                                  [](const pollfd& each) { return each.revents != 0; });
  const auto index = static_cast<std::size_t>(ready - entries.begin());
  buffer_.resize(kReadSize);
  const ssize_t got = ::read(ready->fd, buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<CarriedPiece>();
  if (got < 0) return SystemError("read what slcd has sent", errno);
  if (got == 0) streams_[index].reset();
  const std::string_view data(buffer_.data(), static_cast<std::size_t>(got));
  return std::optional(CarriedPiece{index, data});
}

std::string LocalChannel::Silence() const {
  const auto peer = PeerOf(client_.fd());
  const std::string pid = peer && peer->pid > 0 ? std::to_string(peer->pid) : "";
  return "slcd" + (pid.empty() ? "" : " (pid " + pid + ")") +
         " does not answer; if it stays so: kill -9 " + (pid.empty() ? "its pid" : pid) +
         ", the services go on and the next command starts a new one";
}

}  // namespace slc::ctl
