// WorkerMessages: understands what a worker says on its channel and passes it on: to the listener
// desk, to Connections, to the worker's own readiness judge.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "common/uv/loop.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/connections.h"
#include "daemon/master/inspections.h"
#include "daemon/master/listener_desk.h"
#include "daemon/master/message_numbers.h"
#include "daemon/master/snapshot_writer.h"
#include "daemon/master/worker_process.h"

namespace slc {

class WorkerMessages {
 public:
  // `on_listens`: it listens, or would if it were not held back.
  // `on_progress`: a worker has come nearer to being ready, or listens on something more.
  // `on_refused`: it may not listen where it wants to; its failed_listen says why.
  // `on_standstill`: its event loop stands still by our order, until it answers.
  // `on_moved`: the event loop of one that was stuck or hung, or stood still, turns again.
  // `note`: what the message says about the worker's conduct. Must not destroy the channel.
  WorkerMessages(const uv::Loop& loop, ListenerDesk& desk, Connections& connections,
                 Inspections& inspections, SnapshotWriter& snapshot, MessageNumbers& numbers,
                 std::function<void(WorkerProcess&)> on_listens, std::function<void()> on_progress,
                 std::function<void(const WorkerProcess&)> on_refused,
                 std::function<void(const WorkerProcess&)> on_standstill,
                 std::function<void(const WorkerProcess&)> on_moved,
                 std::function<void(WorkerProcess&, const ConductFact&)> note)
      : loop_(loop),
        desk_(desk),
        connections_(connections),
        inspections_(inspections),
        snapshot_(snapshot),
        numbers_(numbers),
        on_listens_(std::move(on_listens)),
        on_progress_(std::move(on_progress)),
        on_refused_(std::move(on_refused)),
        on_standstill_(std::move(on_standstill)),
        on_moved_(std::move(on_moved)),
        note_(std::move(note)) {}

  // `line` without its '\n'.
  void Read(WorkerProcess& worker, std::string_view line);
  // What was a spare has a slot: all that it was held back with is answered.
  void LetGo(WorkerProcess& worker);

 private:
  void NoteMoved(WorkerProcess& worker, std::optional<bool> debugged = std::nullopt);
  void Answer(WorkerProcess& worker, const QueryServer& query);
  void AskWhich(WorkerProcess& worker);
  void On(WorkerProcess& worker, const QueryServer& query);
  void On(WorkerProcess& worker, const Listening& listening);
  void On(WorkerProcess& worker, const CloseServer& close);
  void On(WorkerProcess& worker, const ExitedAfterDisconnect& request);
  void On(WorkerProcess& worker, const Accepted& answer);
  void On(WorkerProcess& worker, const HandleAck&) { worker.channel()->handles().Arrived(); }
  void On(WorkerProcess& worker, const HandleNack&);
  void On(WorkerProcess& worker, const AgentHello& hello);
  void On(WorkerProcess& worker, const AgentListening& listening);
  void On(WorkerProcess& worker, const AgentPong& pong);
  void On(WorkerProcess& worker, const AgentParked&);
  void On(WorkerProcess& worker, const AgentInspected& answer);
  void On(WorkerProcess& worker, const AgentInspection& told);
  void On(WorkerProcess& worker, const AgentStandstill& told);
  void On(WorkerProcess& worker, const AppReady&);
  void On(WorkerProcess& worker, const HandleSent&) { note_(worker, Requested{}); }
  void On(WorkerProcess& worker, const TooDeep& message) {
    note_(worker, LineNested{message.depth});
  }
  void On(WorkerProcess& worker, const Garbage&) { note_(worker, LineUnreadable{}); }
  // The rest is for the channel, or the app's own business.
  template <typename Other>
  void On(WorkerProcess&, const Other&) {}

  const uv::Loop& loop_;
  ListenerDesk& desk_;
  Connections& connections_;
  Inspections& inspections_;
  SnapshotWriter& snapshot_;
  MessageNumbers& numbers_;
  std::function<void(WorkerProcess&)> on_listens_;
  std::function<void()> on_progress_;
  std::function<void(const WorkerProcess&)> on_refused_;
  std::function<void(const WorkerProcess&)> on_standstill_;
  std::function<void(const WorkerProcess&)> on_moved_;
  std::function<void(WorkerProcess&, const ConductFact&)> note_;
};

}  // namespace slc
