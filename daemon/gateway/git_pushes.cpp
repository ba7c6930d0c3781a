#include "daemon/gateway/git_pushes.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <vector>

namespace slc::gateway {
namespace {

constexpr const char* kReceive = "git-receive-pack";
constexpr const char* kUpload = "git-upload-pack";

http::Response Text(int status, const std::string& text) {
  http::Response response;
  response.status = status;
  response.type = "text/plain; charset=utf-8";
  response.body = text + "\n";
  return response;
}

http::Response Refusal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return Text(404, error.message);
    case ErrorCode::kConflict:
      return Text(409, error.message);
    case ErrorCode::kUnreachable:
      return Text(503, error.message);
    default:
      return Text(500, error.message);
  }
}

// As git's protocol wants it: a line with its length in front, then a flush.
std::string Greeting(const std::string& service) {
  constexpr std::size_t kDigits = 4;
  const std::string line = "# service=" + service + "\n";
  std::array<char, kDigits + 1> length{};
  std::snprintf(length.data(), length.size(), "%04zx", line.size() + kDigits);
  return length.data() + line + "0000";
}

}  // namespace

GitPushes::GitPushes(uv::Loop& loop, Backend& backend)
    : loop_(loop), backend_(backend), sweep_(loop, [this] { over_.clear(); }) {}

GitPushes::~GitPushes() = default;

bool GitPushes::TakesBody(const std::string& method, const std::string& rest) {
  return method == "POST" && rest == kReceive;
}

void GitPushes::Begin(http::HttpServer& server, http::ExchangeId exchange, const Principal& who,
                      const std::string& method, const Asked& asked) {
  const Key key{&server, exchange};
  ServeGit git;
  git.service = asked.service;
  Push push;
  if (TakesBody(method, asked.rest)) {
    if (asked.packed) return server.Answer(exchange, Text(415, "the body of a push is not packed"));
    git.step = GitStep::kReceive;
    push.type = "application/x-git-receive-pack-result";
  } else if (method == "GET" && asked.rest == "info/refs") {
    const std::string* wanted = asked.target.Find("service");
    const std::string service = wanted != nullptr ? *wanted : "";
    if (service != kReceive && service != kUpload) {
      return server.Answer(exchange, Text(403, "only git's smart protocol is spoken here"));
    }
    git.step = service == kReceive ? GitStep::kAdvertiseReceive : GitStep::kAdvertiseUpload;
    push.type = "application/x-" + service + "-advertisement";
    push.greeting = Greeting(service);
  } else {
    return server.Answer(exchange, Text(403, "a branch can be pushed here, and nothing fetched"));
  }
  int input[2] = {-1, -1};
  int output[2] = {-1, -1};
  const bool made = ::pipe2(input, O_CLOEXEC) == 0 && ::pipe2(output, O_CLOEXEC) == 0;
  std::vector<UniqueFd> fds;
  fds.emplace_back(input[0]);
  fds.emplace_back(output[1]);
  UniqueFd body(input[1]);
  push.output.reset(output[0]);
  if (!made) return server.Answer(exchange, Refusal(SystemError("make a pipe", errno)));
  if (git.step == GitStep::kReceive) {
    push.input = std::make_unique<BodyPipe>(loop_, server, exchange, std::move(body));
  }
  Push& kept = pushes_[key] = std::move(push);
  kept.poll = std::make_unique<uv::Poll>(loop_, kept.output.get(), [this, key](uv::Poll::Ready) {
    if (Push* found = Find(key)) Read(key, *found);
  });
  backend_.Deploy(
      who.name, std::move(git), std::move(fds), [](const Progress&) {},
      [this, key](const Result<Reply>& reply) { Answer(key, reply); });
  kept.poll->Watch(true, false);
  server.Resume(exchange);
}

GitPushes::Push* GitPushes::Find(const Key& key) {
  const auto found = pushes_.find(key);
  return found == pushes_.end() ? nullptr : &found->second;
}

void GitPushes::Read(const Key& key, Push& push) {
  std::array<char, 32768> buffer;
  const ssize_t got = ::read(push.output.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  http::HttpServer& server = *key.first;
  if (got <= 0) {
    push.poll->Watch(false, false);
    // Else the reply says why there was nothing, or that this is all.
    if (!push.begun) return;
    Erase(key);
    return server.End(key.second);
  }
  const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
  if (push.begun) {
    server.Write(key.second, piece);
  } else {
    push.begun = true;
    http::Response response;
    response.type = push.type;
    response.headers.push_back({"cache-control", "no-cache"});
    response.body = push.greeting + std::string(piece);
    server.Begin(key.second, response, false);
  }
  // Who has left is gone from the list within.
  Push* still = Find(key);
  if (still != nullptr && server.unsent(key.second) >= http::HttpServer::kRoom) {
    still->poll->Watch(false, false);
  }
}

void GitPushes::Answer(const Key& key, const Result<Reply>& reply) {
  Push* push = Find(key);
  if (push == nullptr || push->begun) return;
  // What it has said may still be in the pipe.
  Read(key, *push);
  push = Find(key);
  if (push == nullptr || push->begun) return;
  const std::string type = push->type;
  Erase(key);
  const std::optional<Error> failed = reply ? reply->error : std::optional(reply.error());
  if (failed) return key.first->Answer(key.second, Refusal(*failed));
  http::Response response;
  response.type = type;
  key.first->Answer(key.second, response);
}

void GitPushes::OnData(http::HttpServer* server, http::ExchangeId exchange, std::string_view data) {
  Push* push = Find({server, exchange});
  if (push != nullptr && push->input) push->input->Take(data);
}

void GitPushes::OnEnd(http::HttpServer* server, http::ExchangeId exchange) {
  Push* push = Find({server, exchange});
  if (push != nullptr && push->input) push->input->End();
}

void GitPushes::OnRoom(http::HttpServer* server, http::ExchangeId exchange) {
  Push* push = Find({server, exchange});
  if (push != nullptr) push->poll->Watch(true, false);
}

void GitPushes::OnGone(http::HttpServer* server, http::ExchangeId exchange) {
  Erase({server, exchange});
}

// What calls us may be its Poll: it goes in the next turn.
void GitPushes::Erase(const Key& key) {
  const auto found = pushes_.find(key);
  if (found == pushes_.end()) return;
  over_.push_back(std::move(found->second));
  pushes_.erase(found);
  sweep_.StartIn(0);
}

}  // namespace slc::gateway
