// SlcdBackend: asks slcd over its control protocol.
#pragma once

#include <utility>

#include "common/wire/control_session.h"
#include "daemon/gateway/backend.h"

namespace slc::gateway {

class SlcdBackend : public Backend {
 public:
  // `session` outlives this.
  explicit SlcdBackend(ControlSession& session) : session_(session) {}

  void Ask(RequestBody body, OnReply on_reply) override {
    session_.Ask(std::move(body), true, std::move(on_reply));
  }

 private:
  ControlSession& session_;
};

}  // namespace slc::gateway
