// Workers: the worker processes of an instance, each from before its birth until nothing of it is
// left. Which there are to be is decided by the Fleet; here it is done.
//
// Start, Drain, Terminate and Kill write the snapshot before they act. Whoever takes over must know
// that it may have happened: a worker that is not in the snapshot would be nobody's. HangUp writes
// nothing: it does no harm twice, and a successor repeats it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/leftovers.h"
#include "common/base/time.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/autogroup.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/core/heartbeat.h"
#include "daemon/master/core/readiness.h"
#include "daemon/master/cpu_groups.h"
#include "daemon/master/log_pump.h"
#include "daemon/master/message_numbers.h"
#include "daemon/master/oom_watch.h"
#include "daemon/master/predecessor.h"
#include "daemon/master/safekeeping.h"
#include "daemon/master/snapshot_writer.h"
#include "daemon/master/worker_process.h"

namespace slc {

class Workers {
 public:
  struct Events {
    std::function<void(WorkerProcess& worker, std::string_view line)> on_line;
    std::function<void(WorkerId worker)> on_disconnected;
    std::function<void()> on_room;  // a channel can take more again
    // deadline() is earlier than it was: a worker may have broken the protocol of its channel.
    std::function<void()> on_suspicion;
    // The process has ended and all it said and printed has been read. To be followed by Remove(),
    // at once or when its leftovers are gone.
    std::function<void(const WorkerProcess& worker)> on_ended;
    // What KillLeftovers() was asked for is done.
    std::function<void(const WorkerProcess& worker)> on_leftovers_gone;
  };

  Workers(uv::Loop& loop, SpawnEnvironment environment, LogPump& logs, Safekeeping& safekeeping,
          SnapshotWriter& snapshot, MessageNumbers& numbers, Events events)
      : loop_(loop),
        environment_(std::move(environment)),
        logs_(logs),
        safekeeping_(safekeeping),
        snapshot_(snapshot),
        numbers_(numbers),
        events_(std::move(events)),
        status_timer_(loop, [this] { StopWaiting(); }),
        autogroup_(loop),
        cpu_groups_(environment_.cookie),
        sweep_timer_(loop, [this] { Sweep(); }),
        strays_timer_(loop, [this] { SearchStrays(); }) {}

  // Goes on with the workers of `state` that live and had come up; with `in_place`, what they were
  // told and have said is whole, and those that are starting go on too. The others are killed with
  // what they left, and returned: they are to be replaced. Processes of the instance that `state`
  // does not name are looked for and killed meanwhile, in slices: a predecessor may have been
  // unable to note them. Nor do those go on that have one of the listeners in `gone` open.
  std::vector<WorkerId> Adopt(const InstanceState& state, Predecessor& predecessor, bool in_place,
                              const std::set<std::string>& gone);

  // --- deeds
  // The written snapshot names the worker already. On failure there is none.
  Status Start(const SpawnWorker& action, const GenerationConfig& config, ReadinessJudge judge,
               const Provisions& provisions);
  // A spare becomes the worker of that slot. What it was held back with is to be answered next.
  void Promote(WorkerId worker, SlotNumber slot);
  // Asks it to finish what it has and to leave: by its channel, without one by its stop signal.
  void Drain(WorkerId worker, const GenerationConfig& config);
  // Asks its agent to end the connections that are left.
  void HangUp(WorkerId worker);
  void Terminate(WorkerId worker, const GenerationConfig& config);
  // SIGKILL for it now, and for all it has started soon.
  void Kill(WorkerId worker);
  // Kills what a worker that has ended has left running: on a machine with thousands of processes
  // it takes some tenths of a second to find, in slices, between which the loop goes on.
  void KillLeftovers(const WorkerProcess& worker);
  // Closes the descriptors of a worker that has ended, slcd's duplicates too.
  void Remove(WorkerId worker);

  // Of this generation there are workers, or may be.
  void Know(const GenerationConfig& config) { cpu_groups_.Know(config); }
  // What only workers of other generations needed is given up.
  void KeepOnly(const std::vector<Generation>& live) { cpu_groups_.KeepOnly(live); }

  // To be called every some seconds: how things stand now explains an end to come, see OomWatch.
  void LookAtMemory() { oom_.Look(); }

  // Those that have become ready, each told once.
  std::vector<WorkerId> TakeReady();
  // Those that have broken the protocol of their channels, each told once with its reason. They are
  // listened to no more.
  std::vector<std::pair<WorkerId, std::string>> TakeRogues();
  // Asks those whose event loops are to be asked, and returns those that have not answered; each is
  // told once.
  std::vector<std::pair<WorkerId, Heartbeat::Deed>> TakeSilent();
  // Something may wait for it: it is asked.
  void Suspect(WorkerId worker);
  // Somebody among them has taken more CPU since this was asked last than one takes who has nothing
  // to do.
  bool AnyWorked(const std::set<WorkerId>& workers);
  // When somebody may be ready, silent or found to be a rogue, by time alone.
  std::optional<Millis> deadline() const;

  // What a worker did on its channel.
  void Note(WorkerProcess& worker, const ConductFact& fact);

  // slcd has reaped a process; perhaps it was one of ours.
  void NoteStatus(const ProcessIdentity& process, int status);

  WorkerProcess* Find(WorkerId worker);
  const WorkerProcess* Find(WorkerId worker) const;
  const std::map<WorkerId, std::unique_ptr<WorkerProcess>>& all() const { return workers_; }
  std::vector<KeptFd> KeptFds() const;

 private:
  bool AdoptOne(const FleetWorker& worker, const WorkerFacts& facts, Predecessor& predecessor);
  WorkerProcess::Events EventsOf(WorkerId worker);
  static void Ask(WorkerProcess& worker);
  void OnProcessEnded(WorkerId worker);
  void StopWaiting();
  void Search(WorkerId worker, const std::optional<ProcessIdentity>& leader);
  void SearchStrays();
  void Sweep();
  void Conclude(WorkerId worker, std::optional<int> status);
  std::optional<KillCause> CauseOf(const WorkerProcess& worker, std::optional<int> status);
  std::string CookieOf(WorkerId worker) const;

  uv::Loop& loop_;
  SpawnEnvironment environment_;
  LogPump& logs_;
  Safekeeping& safekeeping_;
  SnapshotWriter& snapshot_;
  MessageNumbers& numbers_;
  Events events_;
  std::map<WorkerId, std::unique_ptr<WorkerProcess>> workers_;
  std::map<WorkerId, Millis> status_awaited_;  // ended workers of a predecessor, until when
  uv::Timer status_timer_;
  OomWatch oom_;
  Autogroup autogroup_;
  CpuGroups cpu_groups_;
  LeftoverSweep sweep_;
  uv::Timer sweep_timer_;
  uv::Timer strays_timer_;
};

}  // namespace slc
