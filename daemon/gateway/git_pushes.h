// GitPushes: `git push` over HTTP, as smart clients speak it: what they send goes to git, which
// slcd runs, and what that says comes back. Nothing of it is understood here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/http/target.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/backend.h"
#include "daemon/gateway/body_pipe.h"

namespace slc::gateway {

class GitPushes {
 public:
  // Both outlive this.
  GitPushes(uv::Loop& loop, Backend& backend);
  ~GitPushes();
  GitPushes(const GitPushes&) = delete;
  GitPushes& operator=(const GitPushes&) = delete;

  struct Asked {
    std::string service;
    std::string rest;  // "info/refs", "git-receive-pack"
    http::Target target;
    bool packed = false;  // the body is compressed, as git does not do with a push
  };
  // It is one of these, and its body is to be streamed.
  static bool TakesBody(const std::string& method, const std::string& rest);
  // Answers the request; the body of one that takes one is held back until now.
  void Begin(http::HttpServer& server, http::ExchangeId exchange, const Principal& who,
             const std::string& method, const Asked& asked);

  // Of the server's events. Exchanges that are none of these are passed over.
  void OnData(http::HttpServer* server, http::ExchangeId exchange, std::string_view data);
  void OnEnd(http::HttpServer* server, http::ExchangeId exchange);
  void OnRoom(http::HttpServer* server, http::ExchangeId exchange);
  void OnGone(http::HttpServer* server, http::ExchangeId exchange);

 private:
  using Key = std::pair<http::HttpServer*, http::ExchangeId>;
  struct Push {
    std::string type;      // of the answer
    std::string greeting;  // that it begins with
    std::unique_ptr<BodyPipe> input;
    UniqueFd output;
    std::unique_ptr<uv::Poll> poll;
    bool begun = false;  // the answer
  };

  Push* Find(const Key& key);
  void Read(const Key& key, Push& push);
  void Answer(const Key& key, const Result<Reply>& reply);
  void Erase(const Key& key);

  uv::Loop& loop_;
  Backend& backend_;
  std::map<Key, Push> pushes_;
  std::vector<Push> over_;  // until the next turn
  uv::Timer sweep_;
};

}  // namespace slc::gateway
