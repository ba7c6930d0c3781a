// Gateway: slcd's HTTP side, in a process of its own that holds nothing but its sockets.
//
// Listens where slcd has bound for it, keeps strange pages out (RequestGuard), and hands each
// request to the interface it is for: StrongLoop's REST API below /api, and what programs look at
// (/healthz). Ends when slcd has left; slcd starts another.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/loop.h"
#include "common/wire/control_session.h"
#include "daemon/gateway/core/request_guard.h"
#include "daemon/gateway/slcd_backend.h"
#include "daemon/gateway/strongloop/mesh_api.h"

namespace slc::gateway {

struct GatewayListener {
  UniqueFd socket;  // listens
  std::optional<http::TlsContext> tls;
};

class Gateway {
 public:
  // `control`: a connection to slcd. `names`: of this machine, see RequestGuard. Stops the loop
  // when it is over.
  Gateway(uv::Loop& loop, UniqueFd control, std::vector<GatewayListener> listeners,
          std::vector<std::string> names, http::HttpLimits limits = {});
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Why it has ended; empty if it was told to.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Front;

  void Begin(const DaemonInfo& info);
  void OnRequest(Front& front, http::ExchangeId exchange, const std::string& body);
  void Health(Front& front, http::ExchangeId exchange);
  void End(const std::string& trouble);

  uv::Loop& loop_;
  const http::HttpLimits limits_;
  const RequestGuard guard_;
  std::vector<GatewayListener> waiting_;  // until slcd has told what it is
  ControlSession session_;
  SlcdBackend backend_;
  std::unique_ptr<MeshApi> mesh_;
  std::vector<std::unique_ptr<Front>> fronts_;
  std::string trouble_;
};

}  // namespace slc::gateway
