#include "daemon/gateway/control_relay.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/wire/carried.h"
#include "common/wire/frame.h"
#include "daemon/gateway/core/scopes.h"

namespace slc::gateway {
namespace {

// Of who only reads what a descriptor brings: for what lies between that forgets silent ones.
constexpr Millis kSignOfStreams = 25'000;
constexpr std::size_t kPiece = 32U << 10;

// As NewRequestId() makes them, and what others may make.
bool IsId(const std::string& id) {
  constexpr std::size_t kMost = 64;
  return !id.empty() && id.size() <= kMost && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// It cannot be polled, and a disk may hang.
bool IsFile(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

bool Follows(const RequestBody& body) {
  const auto* look = std::get_if<PrintLook>(&body);
  return look != nullptr && look->follow;
}

http::Response Head(int status) {
  http::Response response;
  response.status = status;
  response.type = kCarriedType;
  response.headers.push_back({"cache-control", "no-store"});
  return response;
}

http::Response Refused(const std::string& id, Error error) {
  const int status = error.code == ErrorCode::kPermission ? 403 : 400;
  http::Response response = Head(status);
  Reply reply;
  reply.error = std::move(error);
  response.body = EncodeFrame(EncodeReply(id, reply));
  return response;
}

// Why this client may not ask for this; nothing if he may.
std::optional<Error> Refusal(const Principal& who, const RequestBody& body) {
  const auto scope = ScopeOf(body);
  if (!scope) {
    return Error{ErrorCode::kPermission, std::string("'") + VerbOf(body) +
                                             "' is not done for other machines; log in there and "
                                             "do it with slc"};
  }
  if (Grants(who.scopes, *scope)) return std::nullopt;
  return Error{
      ErrorCode::kPermission,
      Printable(who.name) + " may not do this; it takes the scope '" + ScopeName(*scope) + "'"};
}

}  // namespace

ControlRelay::ControlRelay(uv::Loop& loop, ControlSession& session)
    : loop_(loop), session_(session), signs_(loop, [this] { SaySignOfLife(); }) {}

ControlRelay::~ControlRelay() = default;

ControlRelay::Talk* ControlRelay::Find(const std::string& key) {
  for (const auto& talk : talks_) {
    if (talk->key == key) return talk.get();
  }
  return nullptr;
}

ControlRelay::Talk* ControlRelay::Find(http::HttpServer* server, http::ExchangeId exchange) {
  for (const auto& talk : talks_) {
    if (talk->server == server && talk->exchange == exchange) return talk.get();
  }
  return nullptr;
}

void ControlRelay::Serve(http::HttpServer* server, http::ExchangeId exchange, const Principal& who,
                         const std::string& body) {
  const Busy busy(*this);
  auto request = DecodeRequest(body);
  if (!request) return server->Answer(exchange, Refused(RequestIdOf(body), request.error()));
  if (auto refusal = Refusal(who, request->body)) {
    return server->Answer(exchange, Refused(request->id, std::move(*refusal)));
  }
  if (!IsId(request->id)) {
    return server->Answer(exchange,
                          Refused({}, Error{ErrorCode::kUsage, "the request has no usable id"}));
  }
  const std::string key = request->id + " " + who.name;
  const bool follows = Follows(request->body);
  Talk* before = Find(key);
  if (before != nullptr && !before->replied) {
    // Its client has given the connection of before up, or it would not ask again.
    http::HttpServer* given_up = std::exchange(before->server, server);
    const http::ExchangeId of_before = std::exchange(before->exchange, exchange);
    if (given_up != nullptr) given_up->Break(of_before);
    if (!server->Begin(exchange, Head(200), follows)) before->server = nullptr;
    return ArmTimer();
  }
  if (!server->Begin(exchange, Head(200), follows)) return;
  Talk& talk = *talks_.emplace_back(std::make_unique<Talk>());
  talk.key = key;
  talk.id = request->id;
  talk.server = server;
  talk.exchange = exchange;
  ControlSession::Question question;
  question.id = key;
  question.wait = request->wait;
  question.principal = who.name;
  question.body = std::move(request->body);
  // Talks that slcd owes a reply stay.
  session_.Ask(
      std::move(question), [this, &talk](Result<Reply> reply) { OnReply(talk, std::move(reply)); },
      [this, &talk](const Progress& progress) {
        const Busy telling(*this);
        Send(talk, EncodeProgress(talk.id, progress));
      });
  ArmTimer();
}

void ControlRelay::Send(Talk& talk, std::string_view payload) {
  if (talk.server != nullptr) talk.server->Write(talk.exchange, EncodeFrame(payload));
}

void ControlRelay::OnReply(Talk& talk, Result<Reply> reply) {
  const Busy busy(*this);
  talk.replied = true;
  if (talk.server == nullptr) return;
  if (!reply) {
    // slcd has left: whoever asks the next one learns more than we can tell.
    return std::exchange(talk.server, nullptr)->Break(talk.exchange);
  }
  std::vector<UniqueFd> fds = std::move(reply->descriptors);
  fds.resize(std::min(fds.size(), kMostCarriedStreams));
  Send(talk, EncodeReply(talk.id, *reply, fds.size()));
  if (talk.server == nullptr) return;
  if (fds.empty()) return std::exchange(talk.server, nullptr)->End(talk.exchange);
  for (std::size_t i = 0; i < fds.size(); ++i) {
    Stream& stream = talk.streams.emplace_back();
    stream.fd = std::move(fds[i]);
    if (IsFile(stream.fd.get())) continue;
    stream.poll = std::make_unique<uv::Poll>(loop_, stream.fd.get(),
                                             [this, &talk, i](uv::Poll::Ready) { Read(talk, i); });
  }
  Watch(talk, true);
}

void ControlRelay::Watch(Talk& talk, bool on) {
  for (std::size_t i = 0; i < talk.streams.size() && talk.server != nullptr; ++i) {
    Stream& stream = talk.streams[i];
    if (stream.ended) continue;
    if (stream.poll) {
      stream.poll->Watch(on, false);
    } else if (on && !stream.reading) {
      ReadFile(talk, i);
    }
  }
}

void ControlRelay::ReadFile(Talk& talk, std::size_t index) {
  if (!disk_) {
    auto thread = uv::DiskThread::Make(loop_);
    // It is cut off, which the client can tell.
    if (!thread) return std::exchange(talk.server, nullptr)->Break(talk.exchange);
    disk_ = std::move(*thread);
  }
  Stream& stream = talk.streams[index];
  stream.reading = true;
  disk_->Run(
      [&stream] {
        stream.piece.resize(kPiece);
        const ssize_t got = ::read(stream.fd.get(), stream.piece.data(), stream.piece.size());
        stream.piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      },
      [this, &talk, &stream, index] {
        const Busy busy(*this);
        stream.reading = false;
        if (talk.server == nullptr) return;
        PassOn(talk, index, stream.piece);
        const bool more = talk.server != nullptr && !stream.ended &&
                          talk.server->unsent(talk.exchange) < http::HttpServer::kRoom;
        if (more) ReadFile(talk, index);
      });
}

void ControlRelay::Read(Talk& talk, std::size_t index) {
  const Busy busy(*this);
  if (talk.server == nullptr) return;
  Stream& stream = talk.streams[index];
  std::array<char, kPiece> buffer;
  const ssize_t got = ::read(stream.fd.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  PassOn(talk, index, {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
  if (talk.server == nullptr) return;
  if (talk.server->unsent(talk.exchange) >= http::HttpServer::kRoom) Watch(talk, false);
}

void ControlRelay::PassOn(Talk& talk, std::size_t index, std::string_view data) {
  Stream& stream = talk.streams[index];
  Send(talk, EncodePiece({index, data}));
  if (talk.server == nullptr) return;
  if (data.empty()) {
    stream.ended = true;
    if (stream.poll) stream.poll->Watch(false, false);
    const bool all = std::all_of(talk.streams.begin(), talk.streams.end(),
                                 [](const Stream& each) { return each.ended; });
    if (all) std::exchange(talk.server, nullptr)->End(talk.exchange);
  }
}

void ControlRelay::OnRoom(http::HttpServer* server, http::ExchangeId exchange) {
  const Busy busy(*this);
  if (Talk* talk = Find(server, exchange)) Watch(*talk, true);
}

void ControlRelay::OnGone(http::HttpServer* server, http::ExchangeId exchange) {
  const Busy busy(*this);
  if (Talk* talk = Find(server, exchange)) talk->server = nullptr;
}

void ControlRelay::Sweep() {
  talks_.remove_if([](const auto& talk) {
    const bool read = std::any_of(talk->streams.begin(), talk->streams.end(),
                                  [](const Stream& each) { return each.reading; });
    return talk->server == nullptr && talk->replied && !read;
  });
  if (talks_.empty()) signs_.Stop();
}

void ControlRelay::ArmTimer() {
  bool owed = false;
  bool any = false;
  for (const auto& talk : talks_) {
    if (talk->server == nullptr) continue;
    any = true;
    owed = owed || !talk->replied;
  }
  if (!any) return;
  const Millis due = BootNow() + (owed ? kCarriedSignOfLifeMs : kSignOfStreams);
  if (signs_.active() && sign_due_ <= due) return;
  sign_due_ = due;
  signs_.StartAt(due);
}

void ControlRelay::SaySignOfLife() {
  const Busy busy(*this);
  bool owed = false;
  for (const auto& talk : talks_) {
    if (talk->server == nullptr) continue;
    if (talk->replied) {
      Send(*talk, {});
    } else {
      owed = true;
    }
  }
  if (owed && !asks_) {
    asks_ = true;
    session_.Ask({GetInfo{}}, [this](const Result<Reply>& reply) {
      const Busy telling(*this);
      asks_ = false;
      if (!reply) return;
      for (const auto& talk : talks_) {
        if (!talk->replied) Send(*talk, {});
      }
    });
  }
  ArmTimer();
}

}  // namespace slc::gateway
