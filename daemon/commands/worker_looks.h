// WorkerLooks: requests that look into a worker, while its master asks it. Each is answered: by the
// master, which is waited for if it is just being adopted or replaced; when the link to it is gone;
// or when it has said nothing for longer than it itself waits for a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/commands/clients.h"
#include "daemon/core/registry.h"
#include "daemon/services.h"

namespace slc {

class WorkerLooks {
 public:
  // All is owned by the caller and outlives this.
  WorkerLooks(uv::Loop& loop, const Registry& registry, Services& services, Clients& clients)
      : loop_(loop),
        registry_(registry),
        services_(services),
        clients_(clients),
        // Those of a slcd before us were lower: what a master still answers to it is not for us.
        last_number_(static_cast<std::uint64_t>(BootNow())),
        timer_(loop, [this] { GiveUp(); }) {}

  // What a worker has begun with.
  struct Look {
    int debugger_port = 0;
    std::string debugger_host;
    UniqueFd result;  // of what has one, see HasResult
  };
  using OnLook = std::function<void(Result<Look> look)>;

  // Answers the command.
  void Begin(const Command& command, const InspectWorker& body);
  // The same for whoever asks on behalf of a command: `on_look` is called once.
  void Ask(const Command& command, const InspectWorker& body, OnLook on_look);
  void OnAnswer(const link::Inspected& answer, std::vector<UniqueFd> fds);
  // Its master has said something, or is gone for good.
  void OnMaster(ServiceId id);
  // Whatever its master was asked, no answer will come.
  void OnCut(ServiceId id);

 private:
  struct Open {
    OnLook on_look;
    ServiceId service = 0;
    link::Inspect question;
    Millis until = 0;
    bool asked = false;
  };
  // True if it is done with: refused.
  bool TryAsk(Open& open);
  void GiveUp();
  void ArmTimer();

  uv::Loop& loop_;
  const Registry& registry_;
  Services& services_;
  Clients& clients_;
  std::uint64_t last_number_;
  std::map<std::uint64_t, Open> open_;
  uv::Timer timer_;
};

// Who asks, for people: the gateway's client, or a user of this machine.
std::string WhoLooks(const Command& command);

}  // namespace slc
