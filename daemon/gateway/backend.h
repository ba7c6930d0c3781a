// Backend: slcd, as the gateway's interfaces see it. One implementation speaks the control
// protocol, another belongs to the tests.
#pragma once

#include <functional>

#include "common/base/result.h"
#include "common/wire/messages.h"

namespace slc::gateway {

class Backend {
 public:
  using OnReply = std::function<void(const Result<Reply>& reply)>;

  Backend() = default;
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // `on_reply` is called once, never from within. An error is that slcd could not be asked; what it
  // refuses is in the reply.
  virtual void Ask(RequestBody body, OnReply on_reply) = 0;
};

}  // namespace slc::gateway
