#include "daemon/gateway/body_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace slc::gateway {
namespace {

constexpr int kPipeBytes = 1 << 20;  // the most that takes no rights

}  // namespace

BodyPipe::BodyPipe(uv::Loop& loop, http::HttpServer& server, http::ExchangeId exchange,
                   UniqueFd pipe)
    : server_(server),
      exchange_(exchange),
      pipe_(std::move(pipe)),
      poll_(loop, pipe_.get(), [this](uv::Poll::Ready) { Write(); }) {
  // A larger one lets both sides work on; where it cannot be had it is only slower.
  ::fcntl(pipe_.get(), F_SETPIPE_SZ, kPipeBytes);
}

void BodyPipe::Take(std::string_view data) {
  if (!pipe_) return;
  // Most finds room at once, and need not be copied.
  if (rest_.empty()) data.remove_prefix(Put(data));
  rest_.append(data);
  Settle();
}

void BodyPipe::End() {
  ended_ = true;
  if (pipe_) Write();
}

std::size_t BodyPipe::Put(std::string_view data) {
  std::size_t sent = 0;
  while (sent < data.size() && !refused_) {
    const ssize_t put = ::write(pipe_.get(), data.data() + sent, data.size() - sent);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      refused_ = errno != EAGAIN;
      break;
    }
    sent += static_cast<std::size_t>(put);
  }
  return sent;
}

void BodyPipe::Write() {
  rest_.erase(0, Put(rest_));
  Settle();
}

void BodyPipe::Settle() {
  const bool full = !refused_ && !rest_.empty();
  poll_.Watch(false, full);
  if (full) return server_.Pause(exchange_);
  if (refused_ || ended_) pipe_.reset();
  // Where nobody reads any more, why is about to be told.
  if (refused_) return server_.Pause(exchange_);
  server_.Resume(exchange_);
}

}  // namespace slc::gateway
