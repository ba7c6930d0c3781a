// Clients: who asks slcd for something, and how they are answered: those at the control socket, and
// the one within slcd that keeps `slc run` (see AppRun).
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
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
  Peer peer = {};    // who asks
  Millis since = 0;  // when, BOOTTIME
  // slcd asks by itself: for what ("schedule", "watch"), and on which occasion, for people.
  std::string cause = {};
  std::string occasion = {};
};

class Clients {
 public:
  // Answers to the inner client; it is not told what happens on the way.
  using OnReply = std::function<void(const std::string& request, const Reply& reply)>;

  explicit Clients(uv::Loop& loop) : loop_(loop) {}

  // What is to be put on record. Both are called before the client hears of it.
  struct Observer {
    // A change is durable and will happen; it is answered later.
    std::function<void(const Command& command, ServiceId id, const std::vector<std::string>& notes)>
        on_accepted;
    std::function<void(const Command& command, const Reply& reply)> on_answered;
  };
  void SetObserver(Observer observer) { observer_ = std::move(observer); }

  // The command of a request that has just come.
  Command CommandOf(ClientId client, Request request) const;

  // Takes clients at `listener` from now on. Before, only the inner one is heard and answered.
  void Listen(UniqueFd listener, ControlServer::Events events);
  // See ControlServer.
  void Listen(UniqueFd listener) { server_->Listen(std::move(listener)); }
  ClientId Take(UniqueFd socket) { return server_->Take(std::move(socket)); }
  int listener() const { return server_->listener(); }
  int SocketOf(ClientId client) const { return server_->SocketOf(client); }
  void ServeInner(OnReply on_reply) { on_inner_reply_ = std::move(on_reply); }

  void Accept(const Command& command, ServiceId id, const std::vector<std::string>& notes);
  void Tell(const Command& command, const Progress& progress);
  // `fds` go with it.
  void Answer(const Command& command, const Reply& reply, std::vector<UniqueFd> fds = {});
  // See ControlServer.
  std::vector<UniqueFd> TakeFds(ClientId client, std::size_t count) {
    return server_->TakeFds(client, count);
  }
  void Refuse(const Command& command, Error error);

 private:
  uv::Loop& loop_;
  std::unique_ptr<ControlServer> server_;
  OnReply on_inner_reply_;
  Observer observer_;
};

}  // namespace slc
