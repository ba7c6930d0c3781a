// Clients: who asks slcd for something, and how they are answered: those at the control socket, and
// the one within slcd that keeps `slc run` (see AppRun).
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/wire/control_server.h"
#include "common/wire/messages.h"

namespace slc {

inline constexpr ClientId kNoClient = 0;  // it has left: nobody is answered
inline constexpr ClientId kInnerClient = std::numeric_limits<ClientId>::max();

// A request, and who is to hear of it.
struct Command {
  ClientId client = kNoClient;
  Request request;
};

class Clients {
 public:
  // Answers to the inner client; it is not told what happens on the way.
  using OnReply = std::function<void(const std::string& request, const Reply& reply)>;

  explicit Clients(uv::Loop& loop) : loop_(loop) {}

  // Takes clients at `listener` from now on. Before, only the inner one is heard and answered.
  void Listen(UniqueFd listener, ControlServer::Events events);
  void ServeInner(OnReply on_reply) { on_inner_reply_ = std::move(on_reply); }

  void Tell(const Command& command, const Progress& progress);
  void Answer(const Command& command, const Reply& reply);
  void Refuse(const Command& command, Error error);

 private:
  uv::Loop& loop_;
  std::unique_ptr<ControlServer> server_;
  OnReply on_inner_reply_;
};

}  // namespace slc
