#include "common/http/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "common/http/response.h"

namespace slc::http {
namespace {

constexpr std::size_t kReadSize = 64U << 10;

Error Lost(const char* what, int reason) {
  Error error = SystemError(what, reason);
  error.code = ErrorCode::kUnreachable;
  return error;
}

Error TooSlow(const std::string& what, Millis limit) {
  return Error{ErrorCode::kTimeout, what + " for " + FormatSpan(limit)};
}

}  // namespace

Client::Client(UniqueFd socket, std::string host)
    : socket_(std::move(socket)),
      host_(std::move(host)),
      parser_(std::make_unique<ResponseParser>()) {}

Error Client::Break(Error error) {
  state_ = State::kBroken;
  failed_untouched_ = error.code == ErrorCode::kUnreachable && parser_->untouched();
  return error;
}

Result<bool> Client::Wait(short events, Millis limit, short& got) const {
  const Millis deadline = BootNow() + limit;
  while (true) {
    pollfd entry{socket_.get(), events, 0};
    const Millis left = std::max<Millis>(0, deadline - BootNow());
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<Millis>(left, 1 << 30)));
    if (ready > 0) {
      got = entry.revents;
      return true;
    }
    if (ready == 0) return false;
    if (errno != EINTR) return SystemError("wait for the server", errno);
  }
}

Status Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      // What it said before it hung up is still to be read.
      answered_early_ = true;
      return Ok();
    } else if (errno != EAGAIN && errno != EINTR) {
      return Lost("send", errno);
    }
    if (bytes.empty()) return Ok();
    short got = 0;
    auto ready = Wait(POLLIN | POLLOUT, patience_.send, got);
    if (!ready) return ready.error();
    if (!*ready) return TooSlow("it has taken nothing", patience_.send);
    if ((got & (POLLIN | POLLHUP | POLLERR)) != 0) {
      answered_early_ = true;
      return Ok();
    }
  }
  return Ok();
}

Status Client::SendBody(const BodySource& source) {
  while (true) {
    auto piece = source();
    if (!piece) return piece.error();
    if (piece->empty()) return Send(kLastChunk);
    if (Status sent = Send(Chunk(*piece)); !sent) return sent;
    short got = 0;
    auto ready = Wait(POLLIN, 0, got);
    if (!ready) return ready.error();
    if (*ready) answered_early_ = true;
    if (answered_early_) return Ok();
  }
}

Status Client::SendRequest(const ClientRequest& request) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host_ + "\r\n";
  for (const Header& header : request.headers) head += header.name + ": " + header.value + "\r\n";
  const bool may_have_body = request.method != "GET" && request.method != "HEAD";
  if (request.body) {
    head += "Content-Length: " + std::to_string(request.body->size()) + "\r\n";
  } else if (request.source) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (may_have_body) {
    head += "Content-Length: 0\r\n";
  }
  head += "\r\n";
  if (request.body) head += *request.body;
  if (Status sent = Send(head); !sent) return sent;
  if (request.source && !answered_early_) return SendBody(request.source);
  return Ok();
}

Result<bool> Client::Receive(Millis limit) {
  while (true) {
    short got = 0;
    auto ready = Wait(POLLIN, limit, got);
    if (!ready) return ready.error();
    if (!*ready) return TooSlow("it has said nothing", limit);
    buffer_.resize(kReadSize);
    const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) {
      unread_ = std::string_view(buffer_).substr(0, static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0) return false;
    if (errno != EAGAIN && errno != EINTR) return Lost("the connection was lost", errno);
  }
}

Result<ResponseParser::Event> Client::NextEvent(Millis limit) {
  while (true) {
    auto event = NextOfReceived();
    if (!event || *event != ResponseParser::Event::kMore) return event;
    auto received = Receive(limit);
    if (!received) return received.error();
    closed_ = !*received;
  }
}

Result<ResponseParser::Event> Client::NextOfReceived() {
  auto event = parser_->Next(unread_);
  if (event == ResponseParser::Event::kMore && closed_) {
    event = parser_->Close();
    if (event == ResponseParser::Event::kRefused) {
      return Error{ErrorCode::kUnreachable, parser_->reason()};
    }
  }
  if (event == ResponseParser::Event::kRefused) {
    return Error{ErrorCode::kProtocol, parser_->reason()};
  }
  return event;
}

Result<AnswerHead> Client::Ask(const ClientRequest& request, const Patience& patience) {
  if (state_ != State::kReady) {
    return Error{ErrorCode::kInternal, "this connection cannot take another request"};
  }
  state_ = State::kAsked;
  patience_ = patience;
  answered_early_ = false;
  ++asked_;
  parser_->Expect(request.method);
  if (Status sent = SendRequest(request); !sent) return Break(sent.error());
  auto event = NextEvent(patience.head);
  if (!event) return Break(event.error());
  // The server has not read all of the request: what follows would be taken for the rest of it.
  keep_ = parser_->head().keep_alive && !answered_early_;
  state_ = State::kBody;
  return parser_->head();
}

Result<std::string_view> Client::Read() {
  if (state_ != State::kBody) return std::string_view();
  auto event = NextEvent(patience_.idle);
  if (!event) return Break(event.error());
  return PieceOf(*event);
}

std::string_view Client::PieceOf(ResponseParser::Event event) {
  if (event == ResponseParser::Event::kData) return parser_->data();
  state_ = keep_ && !closed_ && unread_.empty() ? State::kReady : State::kBroken;
  return {};
}

Result<std::optional<std::string_view>> Client::TryRead(Millis limit) {
  if (state_ != State::kBody) return std::optional(std::string_view());
  while (true) {
    auto event = NextOfReceived();
    if (!event) return Break(event.error());
    if (*event != ResponseParser::Event::kMore) return std::optional(PieceOf(*event));
    pollfd entry{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<Millis>(limit, 1 << 30)));
    if (ready < 0 && errno != EINTR) return Break(SystemError("wait for the server", errno));
    if (ready <= 0) return std::optional<std::string_view>();
    auto received = Receive(patience_.idle);
    if (!received) return Break(received.error());
    closed_ = !*received;
  }
}

Result<std::string> Client::ReadAll(std::size_t limit) {
  std::string body;
  while (true) {
    auto piece = Read();
    if (!piece) return piece.error();
    if (piece->empty()) return body;
    if (body.size() + piece->size() > limit) {
      return Break(Error{ErrorCode::kProtocol,
                         "the answer is longer than " + std::to_string(limit) + " bytes"});
    }
    body += *piece;
  }
}

}  // namespace slc::http
