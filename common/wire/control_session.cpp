#include "common/wire/control_session.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/ids.h"
#include "common/base/log.h"

namespace slc {

ControlSession::ControlSession(uv::Loop& loop, UniqueFd socket, std::function<void()> on_gone)
    : socket_(std::move(socket)),
      on_gone_(std::move(on_gone)),
      poll_(loop, socket_.get(), [this](uv::Poll::Ready ready) { OnReady(ready); }) {
  poll_.Watch(true, false);
}

ControlSession::~ControlSession() = default;

std::string ControlSession::Ask(RequestBody body, bool wait, OnReply on_reply,
                                OnProgress on_progress) {
  Request request;
  request.id = NewRequestId();
  request.wait = wait;
  request.body = std::move(body);
  asked_[request.id] = Asked{std::move(on_reply), std::move(on_progress)};
  // Sent, and failures told, in the next turn of the loop.
  if (!gone_) output_ += EncodeFrame(EncodeRequest(request));
  poll_.Watch(true, true);
  return request.id;
}

void ControlSession::OnReady(uv::Poll::Ready ready) {
  if (gone_) return Leave(Error{ErrorCode::kUnreachable, "slcd has left"});
  if (ready.writable) Flush();
  if (ready.readable && !gone_) Read();
}

void ControlSession::Flush() {
  while (!output_.empty()) {
    const ssize_t put = ::send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) return Leave(SystemError("send to slcd", errno));
    output_.erase(0, static_cast<std::size_t>(put));
  }
  poll_.Watch(true, !output_.empty());
}

void ControlSession::Read() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return Leave(SystemError("receive from slcd", errno));
  if (got == 0) return Leave(Error{ErrorCode::kUnreachable, "slcd has left"});
  reader_.Append({buffer.data(), static_cast<std::size_t>(got)});
  while (true) {
    auto frame = reader_.Next();
    if (!frame) return Leave(frame.error());
    if (!*frame) return;
    OnFrame(**frame);
  }
}

void ControlSession::OnFrame(const std::string& frame) {
  auto message = DecodeServerMessage(frame);
  if (!message) {
    // Of one answer; the frames behind it can still be told apart.
    log::Failure("an answer of slcd cannot be read: " + message.error().message);
    return;
  }
  const auto found = asked_.find(message->id);
  if (found == asked_.end()) return;
  if (const auto* progress = std::get_if<Progress>(&message->body)) {
    // A copy: who is told may forget it.
    const OnProgress tell = found->second.on_progress;
    if (tell) tell(*progress);
    return;
  }
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  asked.on_reply(std::get<Reply>(std::move(message->body)));
}

// Whatever is asked from within an answer is answered in the next turn.
void ControlSession::Leave(const Error& error) {
  const bool news = !std::exchange(gone_, true);
  output_.clear();
  poll_.Watch(false, false);
  const Error told{ErrorCode::kUnreachable, error.message};
  for (auto& [id, asked] : std::exchange(asked_, {})) asked.on_reply(told);
  if (!asked_.empty()) poll_.Watch(true, true);
  if (news && on_gone_) on_gone_();
}

}  // namespace slc
