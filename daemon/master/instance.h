// Instance: keeps one instance of a service true. The coordinator around the pure Fleet: it turns
// what happens (slcd orders, a worker becomes ready, ends) into facts for it, and has its deeds
// carried out by those whose business they are. No policy lives here.
//
//   Workers            the processes                 Safekeeping     what slcd holds for us
//   WorkerMessages     what Node's say               SnapshotWriter  what a successor will know
//   ListenerDesk       who listens where             Predecessor     what the last master left
//   Connections        each connection to a worker   Reporter        tells slcd how it goes
//   GenerationConfigs  what workers are started with
//   NoticeDesk         what others than Node say
//   MemoryLimit        who uses more memory than it may
//   Inspections        who is looked into
#pragma once

#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/model/instance.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/inheritance.h"
#include "common/wire/link.h"
#include "daemon/master/connections.h"
#include "daemon/master/control_link.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/generation_configs.h"
#include "daemon/master/inspections.h"
#include "daemon/master/last_queues.h"
#include "daemon/master/listener_desk.h"
#include "daemon/master/log_pump.h"
#include "daemon/master/memory_limit.h"
#include "daemon/master/message_numbers.h"
#include "daemon/master/notice_desk.h"
#include "daemon/master/predecessor.h"
#include "daemon/master/reporter.h"
#include "daemon/master/safekeeping.h"
#include "daemon/master/snapshot_writer.h"
#include "daemon/master/worker_messages.h"
#include "daemon/master/workers.h"

namespace slc {

class Instance {
 public:
  Instance(uv::Loop& loop, ControlLink& link, LogPump& logs, const link::Setup& setup,
           SpawnEnvironment environment);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // An order was obeyed or a predecessor's work taken over.
  bool in_charge() const { return in_charge_; }

  // --- orders of slcd
  // `configs`: memfds of generations it may not know yet.
  void Obey(const FleetWish& wish, std::vector<UniqueFd> configs);
  void CollectAdopted(const std::vector<std::string>& names, std::vector<UniqueFd> fds);
  // All of the predecessor has been collected.
  void TakeOver();

  // Somebody wants to see what goes on in a worker.
  void Inspect(const link::Inspect& question) { inspections_.Begin(question); }

  // --- going on as another image, see InPlace
  // Reads no more output; accepts no more connections. Resume() ends both.
  void PauseOutput();
  void PauseAccepting();
  void ResumeAccepting();
  void Resume();
  // What the next image could not go on with; empty if there is nothing.
  std::string HalfDone() const;
  std::size_t in_flight() const { return connections_.in_flight(); }
  // All the next image needs, the snapshot included.
  Status Bequeath(Bequest& bequest);
  // The last step before the execution. False: the disk does not let the log's thread end.
  bool CloseLogs();
  // In the next image, instead of TakeOver: nothing was lost. `version`: of the image before.
  void GoOn(const std::string& version);

  // A process that slcd has reaped.
  void NoteStatus(const ProcessIdentity& process, int status);
  // Writes to the snapshot how the log does and which workers are stuck, if that has changed, asks
  // those for whom connections wait whether they are, and remembers how often the OOM killer has
  // struck. To be called when slcd pings: often enough for what nobody else tells, and no wake-up
  // of our own.
  void LookAround();
  // A new daemon: it gets every descriptor and the facts.
  void TellEverything();
  // What slcd could not take, and what could not be sent, for lack of descriptors.
  void StoreAgain(const std::vector<std::string>& missing);

  // Drains and stops all workers and then stops the loop. Orders count no more. Not in charge yet:
  // as soon as it is, and of an order the number counts, so that slcd knows what was obeyed.
  void Leave();

 private:
  // --- facts in
  void Feed(const FleetEvent& event);
  void OnProgress();
  void OnNotice(pid_t sender, const WorkerNotice& notice);
  void NoteLeaving(WorkerProcess& worker);
  void NoteWords(WorkerProcess& worker, const WorkerNotice& notice);
  void WarnOfStranger(pid_t sender, const WorkerNotice& notice);
  void OnListens(WorkerProcess& worker);
  void OnEnded(const WorkerProcess& worker);
  void Bury(const WorkerProcess& worker);
  bool IsAskedToEnd(WorkerId worker) const;
  void JudgeReadiness();
  void JudgeConduct();
  void JudgeSilence();
  void OnStandstill(const WorkerProcess& worker);
  void OnMoved(const WorkerProcess& worker);
  void BeginHeartbeat(WorkerProcess& worker);
  void AddConfig(UniqueFd memfd);
  void StopAll(FleetWish wish);

  // --- deeds out
  void Do(const SpawnWorker& action);
  void Do(const PromoteSpare& action);
  void Do(const DrainWorker& action);
  void Do(const HangUpWorker& action);
  void Do(const TerminateWorker& action);
  void Do(const KillWorker& action);
  void Do(const ReportGivenUp& action) {
    reporter_.NotifyGivenUp("worker_given_up", action.worker);
  }
  void Do(const ReportHung& action) { reporter_.NotifyGivenUp("worker_hung", action.worker); }
  void Do(const ReportOutgrown& action);
  void Do(const ReportSlotGivenUp& action);
  void DrainNow(WorkerId worker);
  Status StartWorker(const SpawnWorker& action, const GenerationConfig& config);
  void RepeatDeeds();
  void JudgeOn(WorkerProcess& worker);
  std::vector<KeptFd> AllKept() const;
  ReadinessJudge JudgeFor(const SpawnWorker& action, const GenerationConfig& config) const;
  // Listener keys of the worker it replaces or has replaced, and whether that is of its generation.
  std::pair<std::set<std::string>, bool> ExpectedOf(WorkerId worker, Generation generation) const;

  LogHealth HealthOfLogs() const;
  void LookForStuck();
  InstanceState GatherState() const;
  std::vector<KeptFd> KeptFds() const;
  void TellFacts();
  void ArmTimer();
  void Finish();

  uv::Loop& loop_;
  ControlLink& link_;
  LogPump& logs_;
  const ServiceId service_;
  const Epoch epoch_;
  const std::string cookie_;
  const std::string boot_id_;
  const Millis started_wall_;

  bool in_charge_ = false;
  bool leaving_ = false;
  bool in_place_ = false;  // the predecessor is the image before
  Predecessor predecessor_;
  MessageNumbers numbers_;
  Fleet fleet_;
  std::deque<FleetEvent> inbox_;
  bool feeding_ = false;

  Safekeeping safekeeping_;
  SnapshotWriter snapshot_;
  GenerationConfigs configs_;
  Connections connections_;
  ListenerDesk desk_;
  Inspections inspections_;
  WorkerMessages messages_;
  Workers workers_;
  NoticeDesk notices_;
  Reporter reporter_;
  MemoryLimit memory_limit_;
  LogHealth log_health_;

  uv::Timer timer_;
  uv::Timer finish_timer_;
  LastQueues last_queues_;
};

}  // namespace slc
