#include "common/wire/control_session.h"

#include <utility>

#include "common/base/ids.h"
#include "common/base/log.h"

namespace slc {

ControlSession::ControlSession(uv::Loop& loop, UniqueFd socket, std::function<void()> on_gone)
    : stream_(std::move(socket)),
      on_gone_(std::move(on_gone)),
      poll_(loop, stream_.fd(), [this](uv::Poll::Ready ready) { OnReady(ready); }) {
  poll_.Watch(true, false);
}

ControlSession::~ControlSession() = default;

std::string ControlSession::Ask(Question question, OnReply on_reply, OnProgress on_progress) {
  Request request;
  request.id = question.id.empty() ? NewRequestId() : std::move(question.id);
  request.wait = question.wait;
  request.principal = std::move(question.principal);
  request.descriptors = static_cast<std::uint32_t>(question.fds.size());
  request.body = std::move(question.body);
  asked_[request.id] = Asked{std::move(on_reply), std::move(on_progress)};
  if (!gone_) {
    stream_.Queue(EncodeRequest(request), std::move(question.fds));
    if (stream_.Flush() && stream_.flushed()) return request.id;
  }
  // What finds no room is sent, and what has failed is told, in the next turn of the loop.
  poll_.Watch(true, true);
  return request.id;
}

void ControlSession::OnReady(uv::Poll::Ready ready) {
  if (gone_) return Leave(Error{ErrorCode::kUnreachable, "slcd has left"});
  if (ready.writable) Flush();
  if (ready.readable && !gone_) Read();
}

void ControlSession::Flush() {
  if (Status sent = stream_.Flush(); !sent) return Leave(sent.error());
  poll_.Watch(true, !stream_.flushed());
}

void ControlSession::Read() {
  const auto received = stream_.Receive();
  if (!received) return Leave(received.error());
  while (!gone_) {
    auto frame = stream_.Next();
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
  std::vector<UniqueFd> fds = stream_.TakeFds(message->descriptors);
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
  auto& reply = std::get<Reply>(message->body);
  GiveDescriptors(reply, message->descriptors, std::move(fds));
  asked.on_reply(std::move(reply));
}

// Whatever is asked from within an answer is answered in the next turn.
void ControlSession::Leave(const Error& error) {
  const bool news = !std::exchange(gone_, true);
  poll_.Watch(false, false);
  const Error told{ErrorCode::kUnreachable, error.message};
  for (auto& [id, asked] : std::exchange(asked_, {})) asked.on_reply(told);
  if (!asked_.empty()) poll_.Watch(true, true);
  if (news && on_gone_) on_gone_();
}

}  // namespace slc
