#include "daemon/gateway/deploy_uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/http/deploy_stream.h"
#include "common/model/json_fields.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

constexpr Millis kBeat = 10'000;
constexpr std::size_t kMostUnsent = 1U << 20;

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
      return 409;
    case ErrorCode::kPermission:
      return 403;
    case ErrorCode::kUsage:
    case ErrorCode::kInvalid:
    case ErrorCode::kProtocol:
      return 400;
    case ErrorCode::kUnreachable:
    case ErrorCode::kTimeout:
      return 503;
    default:
      return 500;
  }
}

// For who asked for no stream, and for refusals before there can be one.
http::Response Refusal(const Error& error, const std::vector<std::string>& log_tail, bool stream) {
  http::Response response;
  response.status = StatusOf(error.code);
  if (stream) {
    response.body = DumpJson(json{{"error",
                                   {{"name", "Error"},
                                    {"status", response.status},
                                    {"statusCode", response.status},
                                    {"code", ErrorCodeName(error.code)},
                                    {"message", error.message},
                                    {"log_tail", log_tail}}}});
    return response;
  }
  response.type = "text/plain; charset=utf-8";
  response.body = error.message;
  for (const std::string& line : log_tail) response.body += "\n  " + line;
  return response;
}

// What a client may say of the service with its archive.
Status TakeOptions(const http::Target& target, Deploy& deploy) {
  for (const auto& [name, value] : target.query) {
    if (name == "keep") {
      const auto keep = ParseInteger(value, 1, kMostKept);
      if (!keep) return Error{ErrorCode::kInvalid, "keep is a number from 1 to 1000"};
      deploy.keep = static_cast<std::uint32_t>(*keep);
    } else if (name == "canary-time") {
      const auto millis = ParseInteger(value, 0, kLongestCanary);
      if (!millis) return Error{ErrorCode::kInvalid, "canary-time is in ms, an hour at most"};
      deploy.canary_time = *millis;
    } else if (name == "health") {
      const bool none = value == "none";
      if (Status good = none ? Ok() : CheckHealthPath(value); !good) return good;
      deploy.health = none ? "" : value;
    } else if (name == "npm") {
      deploy.npm = value != "off";
    }
  }
  return Ok();
}

// What is told of a worker, in words; empty: nothing.
std::string WordsOf(const Progress& progress) {
  if (progress.kind == "note" || progress.kind == "unpacked") return progress.text;
  const std::string worker = "worker " + std::to_string(progress.worker);
  if (progress.kind == "worker_ready") {
    return worker + " serves after " + FormatSpan(progress.millis);
  }
  if (progress.kind == "worker_exited") return worker + " ended: " + progress.text;
  return {};
}

}  // namespace

std::optional<std::string> ServiceOfDeploy(const http::Target& target, std::string& rest) {
  const auto& segments = target.segments;
  const auto is = [&](std::size_t place, const char* word) {
    return segments.size() > place && SameLetters(segments[place], word);
  };
  std::size_t behind = 0;
  std::string service;
  if (is(0, "api") && is(1, "services") && is(3, "deploy") && is(4, "default")) {
    service = segments[2];
    behind = 5;
  } else if (is(0, "default")) {
    // As clients of before had it.
    service = "default";
    behind = 1;
  } else {
    return std::nullopt;
  }
  rest.clear();
  for (std::size_t i = behind; i < segments.size(); ++i) {
    rest += (rest.empty() ? "" : "/") + segments[i];
  }
  return service;
}

DeployUploads::DeployUploads(uv::Loop& loop, Backend& backend)
    : loop_(loop), backend_(backend), beat_(loop, [this] { Beat(); }) {}

DeployUploads::~DeployUploads() = default;

DeployUploads::Upload* DeployUploads::Find(const Key& key) {
  const auto found = uploads_.find(key);
  return found == uploads_.end() ? nullptr : &found->second;
}

void DeployUploads::Begin(http::HttpServer& server, http::ExchangeId exchange, const Principal& who,
                          const Asked& asked) {
  const Key key{&server, exchange};
  Deploy deploy;
  deploy.service = asked.service;
  if (Status good = TakeOptions(asked.target, deploy); !good) {
    return server.Answer(exchange, Refusal(good.error(), {}, asked.stream));
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return server.Answer(exchange, Refusal(SystemError("make a pipe", errno), {}, asked.stream));
  }
  Upload& upload = uploads_[key];
  upload.stream = asked.stream;
  upload.body = std::make_unique<BodyPipe>(loop_, server, exchange, UniqueFd(ends[1]));
  std::vector<UniqueFd> fds;
  fds.emplace_back(ends[0]);
  Ask(key, who, std::move(deploy), std::move(fds));
  server.Resume(exchange);
}

void DeployUploads::RunFolder(http::HttpServer& server, http::ExchangeId exchange,
                              const Principal& who, const Asked& asked, const std::string& body) {
  const auto parsed = ParseJson(body);
  const bool told = parsed && parsed->is_object() && parsed->contains("local-directory") &&
                    (*parsed)["local-directory"].is_string();
  if (!told) {
    return server.Answer(exchange, Refusal({ErrorCode::kInvalid, "local directory not specified"},
                                           {}, asked.stream));
  }
  Deploy deploy;
  deploy.service = asked.service;
  deploy.origin = ReleaseOrigin::kFolder;
  deploy.folder = (*parsed)["local-directory"].get<std::string>();
  const Key key{&server, exchange};
  Upload& upload = uploads_[key];
  upload.stream = asked.stream;
  Ask(key, who, std::move(deploy), {});
}

void DeployUploads::Ask(const Key& key, const Principal& who, RequestBody body,
                        std::vector<UniqueFd> fds) {
  if (!beat_.active()) beat_.StartIn(kBeat);
  backend_.Deploy(
      who.name, std::move(body), std::move(fds),
      [this, key](const Progress& progress) { Tell(key, progress); },
      [this, key](const Result<Reply>& reply) { Answer(key, reply); });
}

void DeployUploads::OnData(http::HttpServer* server, http::ExchangeId exchange,
                           std::string_view data) {
  const Key key{server, exchange};
  Upload* upload = Find(key);
  if (upload != nullptr && upload->body) upload->body->Take(data);
}

void DeployUploads::OnEnd(http::HttpServer* server, http::ExchangeId exchange) {
  const Key key{server, exchange};
  Upload* upload = Find(key);
  if (upload == nullptr || !upload->body) return;
  upload->body->End();
  if (upload->stream) BeginAnswer(key, *upload);
}

void DeployUploads::BeginAnswer(const Key& key, Upload& upload) {
  http::Response response;
  response.type = http::kDeployStreamType;
  response.headers.push_back({"cache-control", "no-store"});
  response.body = std::exchange(upload.untold, {});
  upload.begun = true;
  key.first->Begin(key.second, response, false);
}

void DeployUploads::Tell(const Key& key, const Progress& progress) {
  Upload* upload = Find(key);
  if (upload == nullptr || !upload->stream) return;
  std::string line;
  if (progress.kind == "output") {
    line = http::EncodeDeployLine(http::DeployOutput{progress.text});
  } else {
    const std::string words = WordsOf(progress);
    if (words.empty()) return;
    line = http::EncodeDeployLine(http::DeployNote{words});
  }
  if (!upload->begun) {
    if (upload->untold.size() < kMostUnsent) upload->untold += line;
    return;
  }
  // Who does not read misses some; the last line comes all the same.
  if (key.first->unsent(key.second) < kMostUnsent) key.first->Write(key.second, line);
}

void DeployUploads::Answer(const Key& key, const Result<Reply>& reply) {
  const auto found = uploads_.find(key);
  if (found == uploads_.end()) return;
  const Upload upload = std::move(found->second);
  uploads_.erase(found);
  const std::optional<Error> failed = reply ? reply->error : std::optional(reply.error());
  const std::vector<std::string> log_tail = reply ? reply->log_tail : std::vector<std::string>{};
  DeployReply done;
  if (!failed) {
    if (const auto* told = std::get_if<DeployReply>(&reply->data)) done = *told;
  }
  http::HttpServer& server = *key.first;
  if (upload.begun) {
    server.Write(key.second,
                 failed ? http::EncodeDeployLine(http::DeployError{*failed, log_tail})
                        : http::EncodeDeployLine(http::DeployDone{done.release, done.text}));
    return server.End(key.second);
  }
  if (failed) return server.Answer(key.second, Refusal(*failed, log_tail, upload.stream));
  http::Response response;
  if (upload.stream) {
    response.type = http::kDeployStreamType;
    response.body =
        upload.untold + http::EncodeDeployLine(http::DeployDone{done.release, done.text});
  } else {
    response.type = "text/plain; charset=utf-8";
    response.body = "Application received";
  }
  server.Answer(key.second, response);
}

void DeployUploads::OnGone(http::HttpServer* server, http::ExchangeId exchange) {
  uploads_.erase(Key{server, exchange});
}

void DeployUploads::Beat() {
  if (uploads_.empty()) return;
  std::vector<Key> begun;
  for (const auto& [key, upload] : uploads_) {
    if (upload.begun) begun.push_back(key);
  }
  // To write to one may end it.
  for (const Key& key : begun) {
    key.first->Write(key.second, http::EncodeDeployLine(http::DeployAlive{}));
  }
  beat_.StartIn(kBeat);
}

}  // namespace slc::gateway
