// Instance: keeps one instance true. The shell around the pure cores: it turns what happens (a
// worker ends, speaks, listens; slcd orders) into facts for the Fleet, carries out the Fleet's
// deeds, and keeps the snapshot and slcd informed. No policy lives here.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/connections.h"
#include "daemon/master/control_link.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/log_pump.h"
#include "daemon/master/snapshot.h"
#include "daemon/master/worker_process.h"

namespace slc {

class Instance {
 public:
  // `directory`: the instance's run directory. `link`: our end of the socketpair slcd made.
  // `agent_path`: preloaded into Node workers.
  Instance(uv::Loop& loop, UniqueFd directory, UniqueFd link, std::string agent_path,
           rlimit worker_nofile);
  ~Instance();

 private:
  struct Config {
    GenerationConfig config;
    UniqueFd memfd;
  };

  // --- orders
  void OnPacket(link::Packet packet, std::vector<UniqueFd> fds);
  void OnLinked();
  void Begin(const link::Setup& setup);
  void Obey(const link::Order& order, std::vector<UniqueFd> fds);
  bool AddConfig(UniqueFd memfd);
  void CollectAdopted(const link::AdoptFds& packet, std::vector<UniqueFd> fds);
  void TakeOver();
  void AdoptListeners(const InstanceState& state);
  std::vector<WorkerId> AdoptWorkers(const InstanceState& state);
  bool AdoptWorker(const FleetWorker& worker, const WorkerFacts& facts);
  UniqueFd TakeAdopted(const std::string& name);

  // --- facts in
  void Feed(const FleetEvent& event);
  void OnTimer();
  void OnLine(WorkerId id, std::string_view line);
  void OnMessage(WorkerProcess& worker, const QueryServer& query);
  void OnMessage(WorkerProcess& worker, const Listening& listening);
  void OnMessage(WorkerProcess& worker, const CloseServer& close);
  void OnMessage(WorkerProcess& worker, const ExitedAfterDisconnect& request);
  void OnMessage(WorkerProcess& worker, const Accepted& answer);
  void OnMessage(WorkerProcess& worker, const AgentHello& hello);
  void OnMessage(WorkerProcess& worker, const AgentListening& listening);
  void OnMessage(WorkerProcess& worker, const AppReady&);
  void OnMessage(WorkerProcess& worker, const HandleNack&);
  template <typename Other>
  void OnMessage(WorkerProcess&, const Other&) {}
  void OnDisconnected(WorkerId id);
  void OnEnded(WorkerId id);
  void Bury(WorkerId id, std::optional<int> status);
  void JudgeReadiness();

  // --- deeds out
  void Do(const SpawnWorker& action);
  void Do(const DrainWorker& action);
  void Do(const HangUpWorker& action);
  void Do(const TerminateWorker& action);
  void Do(const KillWorker& action);
  Status StartWorker(const SpawnWorker& action);
  WorkerProcess::Events EventsOf(WorkerId id);

  // --- telling
  void Save();
  void Publish();
  void StoreEverything();
  void StoreState();
  void Notify(const std::string& kind, WorkerId id, const std::string& text);
  void UseListener(Connections::Listener& listener, WorkerId id);
  std::string OwnListenerOn(int port) const;
  bool CloseListeners(int port);
  void CloseUnused();
  void CloseAll(const std::vector<std::string>& keys);
  void DropOldConfigs();
  void ArmTimer();
  void Finish();

  WorkerProcess* Find(WorkerId id);
  const GenerationConfig* ConfigOf(WorkerId id) const;
  std::string ExplainExit(const WorkerProcess& worker, std::optional<int> status) const;

  uv::Loop& loop_;
  UniqueFd directory_;
  UniqueFd lock_;
  SpawnEnvironment spawn_environment_;
  link::Setup setup_;
  bool begun_ = false;                           // Setup has come
  bool in_charge_ = false;                       // an order was obeyed
  bool leaving_ = false;                         // SIGTERM: stop everything, then exit
  std::map<std::string, UniqueFd> adopted_fds_;  // of a predecessor, by name

  Fleet fleet_;
  std::map<Generation, Config> configs_;
  std::unique_ptr<LogPump> logs_;
  Connections connections_;
  std::map<WorkerId, std::unique_ptr<WorkerProcess>> workers_;
  std::map<WorkerId, Millis> status_awaited_;  // ended workers of a predecessor, until when
  std::optional<Snapshot> snapshot_;
  std::uint64_t message_seq_ = 0;
  Millis started_wall_ = 0;
  std::string boot_id_;

  std::deque<FleetEvent> inbox_;
  bool feeding_ = false;
  bool dirty_ = false;
  link::Facts told_;
  bool told_anything_ = false;
  std::vector<std::string> failure_tail_;
  std::uint64_t failure_seen_ = 0;  // order of the failure the tail belongs to

  uv::Timer timer_;
  uv::Timer finish_timer_;
  std::unique_ptr<uv::Signal> on_term_;
  std::unique_ptr<uv::Signal> on_int_;
  ControlLink link_;
};

}  // namespace slc
