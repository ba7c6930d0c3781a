// Gateway: slcd's HTTP side, in a process of its own that holds nothing but its sockets.
//
// Listens where slcd has bound for it, keeps strange pages out (RequestGuard), has clients prove
// who they are (Authenticator), and hands each request to the interface it is for: StrongLoop's
// REST API below /api, slc's own below /v1, and what programs look at (/healthz, which asks for no
// proof). Ends when slcd has left; slcd starts another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/loop.h"
#include "common/wire/control_session.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/control_relay.h"
#include "daemon/gateway/core/request_guard.h"
#include "daemon/gateway/core/shared_looks.h"
#include "daemon/gateway/deploy_uploads.h"
#include "daemon/gateway/file_streams.h"
#include "daemon/gateway/git_pushes.h"
#include "daemon/gateway/line_streams.h"
#include "daemon/gateway/slcd_backend.h"
#include "daemon/gateway/strongloop/mesh_api.h"
#include "daemon/gateway/v1/api.h"

namespace slc::gateway {

class Gateway {
 public:
  // `control`: a connection to slcd, which tells what to serve. `owner`: slcd's user. Stops the
  // loop when it is over.
  Gateway(uv::Loop& loop, UniqueFd control, Authenticator::Owner owner,
          http::HttpLimits limits = {});
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Asks slcd anew who may ask for what.
  void Reload();
  // Why it has ended; empty if it was told to.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Asked;
  struct Front;
  // Who waits for the answer of a look.
  struct Looker {
    Front* front = nullptr;
    http::ExchangeId exchange = 0;
    bool events = false;  // wants server-sent events
  };

  void AskWhatToServe();
  void Begin(const GatewayWish& wish, std::vector<UniqueFd> fds);
  void Listen(UniqueFd socket, const std::optional<http::TlsContext>& tls);
  http::HttpServer::Body OnHead(Front& front, http::ExchangeId exchange, http::RequestHead& head,
                                const http::ClientAddress& address);
  void OnVerdict(Front& front, http::ExchangeId exchange, const Authenticator::Verdict& verdict);
  void Dispatch(Front& front, http::ExchangeId exchange);
  // Asks for all who share it.
  void Ask(const Look& look);
  std::vector<Looker> Conclude(const Look& look);
  void Serve(const Principal& who, const std::string& method, const std::string& path,
             const std::string& body, const V1Api::Answerer& answerer);
  void Follow(const Looker& one, const std::string& principal, LineRequest request);
  void BeginToFollow(std::vector<Looker> all, const std::string& shared, bool endless,
                     Result<Reply> reply);
  // `asked` is about a deployment, by whatever way.
  void BeginDeploy(Front& front, http::ExchangeId exchange, const Asked& asked);
  void Health(const std::function<void(const http::Response& response)>& respond);
  void End(const std::string& trouble);

  uv::Loop& loop_;
  const http::HttpLimits limits_;
  RequestGuard guard_;
  Authenticator authenticator_;
  std::optional<DaemonInfo> info_;
  ControlSession session_;
  SlcdBackend backend_;
  std::unique_ptr<MeshApi> mesh_;
  V1Api v1_;
  SharedLooks<Looker> looks_;
  LineStreams streams_;
  std::map<std::string, std::vector<Looker>> to_share_;  // streams that slcd was asked for
  FileStreams files_;
  ControlRelay relay_;
  DeployUploads uploads_;
  GitPushes pushes_;
  std::vector<std::unique_ptr<Front>> fronts_;
  std::string trouble_;
};

}  // namespace slc::gateway
