// DeployUploads: archives that clients send to be deployed, see common/http/deploy_stream.h. What
// comes goes into a pipe whose other end slcd has; as long as that is full, the client waits. So
// this holds no more of an archive than the server reads at once.
//
// A client that leaves before all has come ends the deployment, as a part of an archive is none;
// once it has come, it goes on without him.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/http/response.h"
#include "common/http/target.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/backend.h"
#include "daemon/gateway/body_pipe.h"

namespace slc::gateway {

// The service that is deployed to by a request for this path, whatever its method; nothing if it is
// no such path. `rest` gets what is below it: "info/refs".
std::optional<std::string> ServiceOfDeploy(const http::Target& target, std::string& rest);

class DeployUploads {
 public:
  // Both outlive this.
  DeployUploads(uv::Loop& loop, Backend& backend);
  ~DeployUploads();
  DeployUploads(const DeployUploads&) = delete;
  DeployUploads& operator=(const DeployUploads&) = delete;

  struct Asked {
    std::string service;
    http::Target target;  // its query: keep, canary-time, health, npm
    bool stream = false;  // wants kDeployStreamType
  };
  // Of a request with a streamed body that is held back; answers it.
  void Begin(http::HttpServer& server, http::ExchangeId exchange, const Principal& who,
             const Asked& asked);
  // A folder of this machine is to be run in place: sl-deploy --local. Answers it.
  void RunFolder(http::HttpServer& server, http::ExchangeId exchange, const Principal& who,
                 const Asked& asked, const std::string& body);

  // Of the server's events. Exchanges that are none of these are passed over.
  void OnData(http::HttpServer* server, http::ExchangeId exchange, std::string_view data);
  void OnEnd(http::HttpServer* server, http::ExchangeId exchange);
  void OnGone(http::HttpServer* server, http::ExchangeId exchange);

 private:
  using Key = std::pair<http::HttpServer*, http::ExchangeId>;
  struct Upload {
    bool stream = false;
    bool begun = false;  // the answer
    std::unique_ptr<BodyPipe> body;
    std::string untold;  // lines for the answer, until it begins
  };

  void Ask(const Key& key, const Principal& who, RequestBody body, std::vector<UniqueFd> fds);
  Upload* Find(const Key& key);
  void Tell(const Key& key, const Progress& progress);
  void Answer(const Key& key, const Result<Reply>& reply);
  void BeginAnswer(const Key& key, Upload& upload);
  void Beat();

  uv::Loop& loop_;
  Backend& backend_;
  std::map<Key, Upload> uploads_;
  uv::Timer beat_;
};

}  // namespace slc::gateway
