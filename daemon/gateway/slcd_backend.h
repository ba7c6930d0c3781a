// SlcdBackend: asks slcd over its control protocol.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "common/uv/loop.h"
#include "common/wire/control_session.h"
#include "daemon/gateway/backend.h"
#include "daemon/gateway/pipe_reader.h"

namespace slc::gateway {

class SlcdBackend : public Backend {
 public:
  // Both outlive this.
  SlcdBackend(uv::Loop& loop, ControlSession& session) : loop_(loop), session_(session) {}

  void Ask(const std::string& principal, RequestBody body, OnReply on_reply) override;
  void Deploy(const std::string& principal, RequestBody body, std::vector<UniqueFd> fds,
              OnProgress on_progress, OnReply on_reply) override;
  void ReadAll(UniqueFd pipe, std::size_t limit, OnText on_text) override;

 private:
  uv::Loop& loop_;
  ControlSession& session_;
  std::list<std::unique_ptr<PipeReader>> readers_;
};

}  // namespace slc::gateway
