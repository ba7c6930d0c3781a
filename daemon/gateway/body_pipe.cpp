#include "daemon/gateway/body_pipe.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace slc::gateway {

BodyPipe::BodyPipe(uv::Loop& loop, http::HttpServer& server, http::ExchangeId exchange,
                   UniqueFd pipe)
    : server_(server),
      exchange_(exchange),
      pipe_(std::move(pipe)),
      poll_(loop, pipe_.get(), [this](uv::Poll::Ready) { Write(); }) {}

void BodyPipe::Take(std::string_view data) {
  if (!pipe_) return;
  rest_.append(data);
  Write();
}

void BodyPipe::End() {
  ended_ = true;
  if (pipe_) Write();
}

void BodyPipe::Write() {
  std::size_t sent = 0;
  bool refused = false;
  while (sent < rest_.size()) {
    const ssize_t put = ::write(pipe_.get(), rest_.data() + sent, rest_.size() - sent);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      refused = errno != EAGAIN;
      break;
    }
    sent += static_cast<std::size_t>(put);
  }
  rest_.erase(0, sent);
  const bool full = !refused && !rest_.empty();
  poll_.Watch(false, full);
  if (full) return server_.Pause(exchange_);
  if (refused || ended_) pipe_.reset();
  // Where nobody reads any more, why is about to be told.
  if (refused) return server_.Pause(exchange_);
  server_.Resume(exchange_);
}

}  // namespace slc::gateway
