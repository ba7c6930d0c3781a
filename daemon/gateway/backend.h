// Backend: slcd, as the gateway's interfaces see it. One implementation speaks the control
// protocol, another belongs to the tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/wire/messages.h"

namespace slc::gateway {

class Backend {
 public:
  using OnReply = std::function<void(Result<Reply> reply)>;
  using OnText = std::function<void(Result<std::string> text)>;

  Backend() = default;
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // `principal`: for whom, see Request. `on_reply` is called once, never from within. An error is
  // that slcd could not be asked; what it refuses is in the reply.
  virtual void Ask(const std::string& principal, RequestBody body, OnReply on_reply) = 0;
  // The same of what comes with descriptors, and is told of on the way: Deploy.
  using OnProgress = std::function<void(const Progress& progress)>;
  virtual void Deploy(const std::string& principal, RequestBody body, std::vector<UniqueFd> fds,
                      OnProgress on_progress, OnReply on_reply) = 0;
  // Reads a pipe to its end. `on_text` is called once, never from within; kInvalid if there is more
  // than `limit` bytes in it.
  virtual void ReadAll(UniqueFd pipe, std::size_t limit, OnText on_text) = 0;
};

}  // namespace slc::gateway
