#include "daemon/gateway/line_streams.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/http/response.h"

namespace slc::gateway {
namespace {

constexpr Millis kKeepAlive = 25'000;
// slc cuts what it prints; this is for what is no line at all.
constexpr std::size_t kMostLine = 1U << 20;

// Each line of `lines`, which ends with one, as an event.
std::string AsEvents(std::string_view lines) {
  std::string events;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    events += http::ServerSentEvent("", lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
  return events;
}

}  // namespace

LineStreams::LineStreams(uv::Loop& loop)
    : loop_(loop), keep_alive_(loop, [this] { KeepAlive(); }) {}

LineStreams::~LineStreams() = default;

void LineStreams::Add(UniqueFd pipe, const std::string& shared,
                      const std::vector<Follower>& followers) {
  const Busy busy(*this);
  auto& place = streams_.emplace_back();
  place = std::make_unique<Stream>(loop_, std::move(pipe), shared,
                                   [this, &place](uv::Poll::Ready) { Read(*place); });
  place->poll.Watch(true, false);
  for (const Follower& follower : followers) Begin(*place, follower);
}

bool LineStreams::Join(const std::string& shared, const Follower& follower) {
  const Busy busy(*this);
  for (const auto& stream : streams_) {
    if (shared.empty() || stream->shared != shared) continue;
    Begin(*stream, follower);
    return true;
  }
  return false;
}

void LineStreams::Begin(Stream& stream, const Follower& follower) {
  stream.followers.push_back(follower);
  http::Response response;
  response.type = follower.events ? "text/event-stream" : "application/x-ndjson";
  response.headers.push_back({"cache-control", "no-store"});
  // Says at once that it follows.
  if (follower.events) response.body = ":\n\n";
  if (!follower.server->Begin(follower.exchange, response, follower.endless)) {
    std::erase(stream.followers, follower);
    return;
  }
  if (follower.endless && !keep_alive_.active()) keep_alive_.StartIn(kKeepAlive);
}

void LineStreams::Read(Stream& stream) {
  const Busy busy(*this);
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(stream.pipe.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return End(stream);
  stream.rest.append(buffer.data(), static_cast<std::size_t>(got));
  const std::size_t last = stream.rest.rfind('\n');
  if (last == std::string::npos) {
    if (stream.rest.size() > kMostLine) End(stream);
    return;
  }
  const std::string lines = stream.rest.substr(0, last + 1);
  stream.rest.erase(0, last + 1);
  Send(stream, lines);
  if (stream.followers.empty() || !stream.shared.empty()) return;
  const Follower& only = stream.followers.front();
  if (only.server->unsent(only.exchange) >= http::HttpServer::kRoom) {
    stream.poll.Watch(false, false);
  }
}

void LineStreams::Send(Stream& stream, std::string_view lines) {
  const std::string events = AsEvents(lines);
  // A copy: who does not read is gone from the list within Write().
  const std::vector<Follower> followers = stream.followers;
  for (const Follower& one : followers) {
    one.server->Write(one.exchange, one.events ? std::string_view(events) : lines);
  }
}

void LineStreams::End(Stream& stream) {
  if (!stream.rest.empty()) Send(stream, stream.rest + "\n");
  const std::vector<Follower> followers = std::exchange(stream.followers, {});
  for (const Follower& one : followers) one.server->End(one.exchange);
}

void LineStreams::Sweep() {
  streams_.remove_if([](const auto& stream) { return stream->followers.empty(); });
}

void LineStreams::OnRoom(http::HttpServer* server, http::ExchangeId exchange) {
  for (const auto& stream : streams_) {
    const bool own = stream->shared.empty() && !stream->followers.empty() &&
                     stream->followers.front() == Follower{server, exchange};
    if (own) stream->poll.Watch(true, false);
  }
}

void LineStreams::OnGone(http::HttpServer* server, http::ExchangeId exchange) {
  const Busy busy(*this);
  for (const auto& stream : streams_) std::erase(stream->followers, Follower{server, exchange});
}

void LineStreams::KeepAlive() {
  const Busy busy(*this);
  bool any = false;
  for (const auto& stream : streams_) {
    const std::vector<Follower> followers = stream->followers;
    for (const Follower& one : followers) {
      if (!one.endless) continue;
      any = true;
      one.server->Write(one.exchange, one.events ? ":\n\n" : "\n");
    }
  }
  if (any) keep_alive_.StartIn(kKeepAlive);
}

}  // namespace slc::gateway
