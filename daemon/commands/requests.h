// Requests: what each request of a client means. Those that look are answered at once; those that
// change something become proposals for Changes.
#pragma once

#include <functional>
#include <string>

#include "common/wire/messages.h"
#include "daemon/commands/changes.h"
#include "daemon/commands/clients.h"
#include "daemon/commands/worker_looks.h"
#include "daemon/core/registry.h"
#include "daemon/deploy/deploys.h"
#include "daemon/gateway_host.h"
#include "daemon/log_readers.h"
#include "daemon/profiles/profiles.h"
#include "daemon/services.h"

namespace slc {

class Requests {
 public:
  // `about`: slcd itself, for `slc ctl info`; what changes of it is filled in. `shut_down` and
  // `upgrade` are to answer the command themselves. All references are to outlive this.
  Requests(const Registry& registry, Services& services, Operations& operations, Changes& changes,
           WorkerLooks& looks, const Recorder& recorder, Clients& clients, GatewayHost& gateway,
           LogReaders& logs, deploy::Deploys& deploys, profiles::Profiles& profiles,
           DaemonInfo about, std::function<void(const Command& command)> shut_down,
           std::function<void(const Command& command)> upgrade);

  void OnFrame(ClientId client, const std::string& payload);
  void Handle(const Command& command);
  const DaemonInfo& about() const { return about_; }
  void SetEpoch(Epoch epoch) { about_.epoch = epoch; }

 private:
  void Handle(const Command& command, const StartService& body);
  void Handle(const Command& command, const CreateService& body);
  void Handle(const Command& command, const ListServices& body);
  void Handle(const Command& command, const GetStatus& body);
  void Handle(const Command& command, const GetInfo& body);
  void Handle(const Command& command, const RunService& body);
  void Handle(const Command& command, const StopService& body);
  void Handle(const Command& command, const RestartService& body);
  void Handle(const Command& command, const SetSize& body);
  void Handle(const Command& command, const SetEnvironment& body);
  void Handle(const Command& command, const RemoveService& body);
  void Handle(const Command& command, const Shutdown& body);
  void Handle(const Command& command, const UpgradeAll& body);
  void Handle(const Command& command, const GetGateway& body);
  void Handle(const Command& command, const SetGateway& body);
  void Handle(const Command& command, const AddCredential& body);
  void Handle(const Command& command, const RemoveCredential& body);
  void Handle(const Command& command, const ServeGateway& body);
  void Handle(const Command& command, const ReadLogs& body);
  void Handle(const Command& command, const ReadEvents& body);
  void Handle(const Command& command, const DumpLogs& body);
  void Handle(const Command& command, const ListPackages& body);
  void Handle(const Command& command, const InspectWorker& body) { looks_.Begin(command, body); }
  void Handle(const Command& command, const PrintLook& body);
  void Handle(const Command& command, const Deploy& body);
  void Handle(const Command& command, const ListReleases& body) { deploys_.Handle(command, body); }
  void Handle(const Command& command, const Rollback& body) { deploys_.Handle(command, body); }
  void Handle(const Command& command, const ServeGit& body);
  void Handle(const Command& command, const CaptureProfile& body) {
    profiles_.Handle(command, body);
  }
  void Handle(const Command& command, const ListProfiles& body) { profiles_.Handle(command, body); }
  void Handle(const Command& command, const ReadProfile& body) { profiles_.Handle(command, body); }
  void Handle(const Command& command, const RemoveProfile& body) {
    profiles_.Handle(command, body);
  }
  void AnswerLogs(const Command& command, Result<UniqueFd> output);
  // With what whoever looks should know of the disk.
  void AnswerLooking(const Command& command, Reply reply);
  // A start that would change nothing of a service that does not do well is a new try.
  Result<Proposal> OrTryAgain(ServiceId id, Result<Proposal> proposal);

  const Registry& registry_;
  Services& services_;
  Operations& operations_;
  Changes& changes_;
  WorkerLooks& looks_;
  const Recorder& recorder_;
  Clients& clients_;
  GatewayHost& gateway_;
  LogReaders& logs_;
  deploy::Deploys& deploys_;
  profiles::Profiles& profiles_;
  std::vector<UniqueFd> received_;  // with the request that is being handled
  DaemonInfo about_;
  Millis started_;
  std::function<void(const Command& command)> shut_down_;
  std::function<void(const Command& command)> upgrade_;
};

}  // namespace slc
