#include "ctl/remote/remote_channel.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/wire/carried.h"

namespace slc::ctl {
namespace {

// Signs of life come every 5 s while slcd owes a reply, and every 25 s behind that.
constexpr Millis kMostQuiet = 4 * kCarriedSignOfLifeMs;
constexpr Millis kMostQuietStream = 75'000;
// Whoever logs in over ssh may have to type something.
constexpr Millis kLoginPatience = 120'000;
constexpr Millis kEndPatience = 1'000;

}  // namespace

Status RemoteChannel::Send(const Request& request) {
  id_ = request.id;
  http::ClientRequest post;
  post.method = "POST";
  post.target = kCarriedPath;
  post.headers = {{"Accept", kCarriedType}, {"Content-Type", "application/json"}};
  post.body = EncodeRequest(request);
  http::Patience patience;
  if (remote_.url().scheme == http::Url::Scheme::kSsh) patience.head = kLoginPatience;
  auto head = remote_.Begin(std::move(post), patience);
  if (!head) {
    Error error = head.error();
    // Who was never reached, by a program that says why, will not be by another try.
    const bool hopeless = remote_.is_carried() && !remote_.has_answered();
    if (hopeless && error.code == ErrorCode::kUnreachable) error.code = ErrorCode::kPermission;
    if (remote_.url().scheme == http::Url::Scheme::kUnix && !remote_.has_answered()) {
      error.message += "; slcd's own socket is given without 'unix:'";
    }
    return error;
  }
  return head->media_type() == kCarriedType ? Ok() : Refused(*head);
}

Status RemoteChannel::Refused(const http::AnswerHead& head) {
  const auto body = remote_.ReadRest();
  const std::string reason = remote_.ReasonOf(head, body ? *body : std::string());
  const std::string where = remote_.url().shown();
  if (head.status == 401 || head.status == 403 || head.status == 429) {
    Reply reply;
    reply.error = Error{ErrorCode::kPermission, where + ": " + reason};
    const std::string* wait = head.Find("retry-after");
    const auto seconds = wait != nullptr ? ParseInteger(*wait, 1, 86'400) : std::nullopt;
    if (seconds) reply.error->message += "; try again in " + std::to_string(*seconds) + " s";
    refusal_ = ServerMessage{id_, std::move(reply)};
    return Ok();
  }
  constexpr int kTooLarge = 413;
  constexpr int kServerFails = 500;
  if (head.status == kTooLarge) return Error{ErrorCode::kInvalid, where + ": " + reason};
  // Of something between, as a rule, that cannot reach the gateway for the moment.
  if (head.status >= kServerFails) return Error{ErrorCode::kUnreachable, where + ": " + reason};
  return Error{ErrorCode::kProtocol,
               where + ": " + reason +
                   "; what listens there is not slc's gateway, or one of an earlier version: log "
                   "in there and use slc itself"};
}

Result<bool> RemoteChannel::Next(Millis limit, Millis most_quiet) {
  const Millis deadline = BootNow() + limit;
  while (true) {
    auto frame = reader_.Next();
    if (!frame) return frame.error().During(remote_.url().shown());
    if (*frame && (*frame)->empty()) continue;
    if (*frame) {
      payload_ = std::move(**frame);
      return true;
    }
    const Millis began = BootNow();
    auto piece = remote_.TryRead(std::max<Millis>(0, deadline - began));
    if (!piece) {
      return Error{ErrorCode::kUnreachable, piece.error().message};
    }
    if (!*piece) {
      quiet_ += BootNow() - began;
      if (quiet_ < most_quiet) return false;
      return Error{
          ErrorCode::kUnreachable,
          remote_.url().shown() + ": nothing was heard of slcd for " + FormatSpan(most_quiet)};
    }
    quiet_ = 0;
    if ((*piece)->empty()) {
      return Error{ErrorCode::kUnreachable, remote_.url().shown() + ": its answer ended too early"};
    }
    reader_.Append(**piece);
  }
}

Result<std::optional<ServerMessage>> RemoteChannel::Receive(Millis timeout) {
  if (refusal_) return std::exchange(refusal_, std::nullopt);
  auto next = Next(timeout, kMostQuiet);
  if (!next) return next.error();
  if (!*next) return std::optional<ServerMessage>();
  auto message = DecodeServerMessage(payload_);
  if (!message) return message.error().During(remote_.url().shown());
  if (std::holds_alternative<Reply>(message->body)) {
    streams_ = std::min<std::size_t>(message->descriptors, kMostCarriedStreams);
    if (streams_ == 0) Finish();
  }
  return std::optional<ServerMessage>(std::move(*message));
}

Result<std::optional<CarriedPiece>> RemoteChannel::ReadPiece(Millis limit) {
  auto next = Next(limit, kMostQuietStream);
  if (!next) return next.error();
  if (!*next) return std::optional<CarriedPiece>();
  auto piece = DecodePiece(payload_);
  if (!piece || piece->stream >= streams_) {
    return Error{ErrorCode::kProtocol,
                 remote_.url().shown() + ": what came is no piece of what was asked for"};
  }
  return piece;
}

void RemoteChannel::Finish() {
  auto piece = remote_.TryRead(kEndPatience);
  while (piece && *piece && !(*piece)->empty()) piece = remote_.TryRead(kEndPatience);
}

std::string RemoteChannel::Silence() const {
  return "slcd at " + remote_.url().shown() + " does not answer; log in there and look: slc doctor";
}

}  // namespace slc::ctl
