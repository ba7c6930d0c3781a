// GatewayHost: slcd's hands on its gateway: records what is wanted of it, opens what it listens on,
// starts its process and keeps it, and answers the requests that are about it.
//
// The sockets are slcd's: who connects while the process is replaced waits. The process is another
// user's (nobody) where slcd is root's, and gets nothing but its sockets and a connection to slcd.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/gateway.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/commands/clients.h"
#include "daemon/core/gateway_plan.h"
#include "daemon/gateway_file.h"
#include "daemon/gateway_sockets.h"

namespace slc {

class GatewayHost {
 public:
  // `program` gives the path of slc-gateway. `reap` is called when a child of slcd that is not
  // reaped elsewhere may have ended. All is owned by the caller and outlives this; `home`, an open
  // directory, outlives `disk`.
  struct Hands {
    std::function<std::string()> program;
    std::function<void()> reap;
    std::function<void(const std::string& kind, const std::string& text)> record;  // in the journal
  };
  GatewayHost(uv::Loop& loop, uv::DiskThread& disk, Clients& clients, int home, Hands hands);
  ~GatewayHost();
  GatewayHost(const GatewayHost&) = delete;
  GatewayHost& operator=(const GatewayHost&) = delete;

  // Reads what is wanted; starts the gateway if it is to run. Blocks on the disk.
  void Begin();

  // These answer the command.
  void Show(const Command& command);
  void Set(const Command& command, const SetGateway& body);
  void Add(const Command& command, const AddCredential& body);
  void Remove(const Command& command, const RemoveCredential& body);
  void Serve(const Command& command);

  bool IsGateway(ClientId client) const { return client != kNoClient && client == client_; }
  // Of its process; 0 if there is none.
  int pid() const { return process_.pidfd ? process_.identity.pid : 0; }

 private:
  GatewayView View() const;
  // Records `wish` and carries it out; answers `command` when the gateway is as it is to be.
  // `anew`: the process that runs will not do.
  void Change(const Command& command, GatewayWish wish, bool anew);
  void CarryOut(const Command& command, GatewayWish wish, GatewaySockets sockets, bool anew);
  void BindWhatIsMissing();
  void OnBound(Result<GatewaySockets> sockets);
  void Feed(const GatewayEvent& event);
  void Act(GatewayDeed deed);
  Status Launch();
  void OnEnded();
  void OnWords();
  void Conclude(const std::optional<Error>& error);
  void Answer(const Command& command, std::optional<Error> error = std::nullopt);

  uv::Loop& loop_;
  uv::DiskThread& disk_;
  Clients& clients_;
  GatewayFile file_;
  Hands hands_;
  GatewayWish wish_;
  std::string trouble_;
  std::string damage_;  // see ReadGateway; until somebody has set it up anew
  GatewaySockets sockets_;
  bool changing_ = false;                     // a change is on its way to the disk
  bool binding_ = false;                      // sockets are being bound, for a start of the gateway
  std::vector<std::function<void()>> bound_;  // what waits for that
  std::vector<Command> waiting_;              // to be answered when the gateway is up, or off
  GatewayPlan plan_;
  std::string last_words_;  // of the process that runs or has just ended
  int words_left_ = 0;      // lines that may still be logged of this process
  UniqueFd words_;          // its stderr
  std::unique_ptr<uv::Poll> words_poll_;
  ClientId client_ = kNoClient;
  Millis started_wall_ = 0;
  Spawned process_;
  std::unique_ptr<uv::Poll> end_;
  uv::Timer timer_;
};

}  // namespace slc
