// FleetWorld: a machine that is not there. It keeps the workers a Fleet asks for, lets them boot,
// crash, hang and leave as their generation's behaviour says, and holds every answer of the Fleet
// against the promises of fleet.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/master/core/fleet.h"
#include "tests/unit/histories.h"

namespace slc {

// How workers of one generation behave. Spans are chosen anew for each worker; chances are percent.
struct Behaviour {
  Millis boots_from = 20;
  Millis boots_to = 80;
  int cannot_start = 0;  // the process cannot even be made
  int crashes_booting = 0;
  int hangs_booting = 0;  // lives, but never gets ready
  Millis lives_from = 0;  // after it was ready; 0: for ever
  Millis lives_to = 0;
  int hangs = 0;        // of those that end unasked: their event loop stands still, they live on
  int moves_again = 0;  // of those that hang
  int breaks = 0;       // of those that end unasked: break the protocol of their channel instead
  bool listens = true;
  int ends_clean = 0;   // of those that end unasked: with exit code 0
  int disconnects = 0;  // of those that end unasked: only their channel does, they live on
  int grows = 0;        // beyond its limit, so long after it was ready; some shrink again
  Millis grows_from = 0;
  Millis grows_to = 0;
  int leaves = 0;  // of those that end unasked: say so, and then drain
  int ignores_drain = 0;
  int ignores_stop = 0;
  Millis leaves_within = 50;  // of being asked
  Millis dies_within = 20;    // of SIGKILL
  unsigned good_at_first =
      0;  // so many workers of the generation behave well before the rest do this
};

class FleetWorld {
 public:
  explicit FleetWorld(Random& random);

  void AddGeneration(Generation generation, const WorkerPolicy& policy, const Behaviour& behaviour);
  void SetBehaviour(Generation generation, const Behaviour& behaviour);
  // Timers fire up to so much late.
  void SetLateness(Millis most) { lateness_ = most; }

  void Wish(const FleetWish& wish);
  // Lets time pass. Stops early once something is wrong, or `until` says so.
  void Run(Millis span);
  template <typename Until>
  bool RunUntil(Millis span, Until&& until) {
    const Millis end = now_ + span;
    while (wrong_.empty() && !until()) {
      if (!Step(end)) return until();
    }
    return wrong_.empty();
  }
  // The master is killed and a new one goes on from the snapshot. Workers that were starting, and
  // some others, are lost.
  void TakeOver();
  // An event that means nothing any more: of a worker that has gone, or said twice.
  void DisturbWithStaleEvent();

  const Fleet& fleet() const { return fleet_; }
  const FleetState& state() const { return fleet_.state(); }
  Millis now() const { return now_; }
  std::string phase() const { return InstancePhase(fleet_.state()); }
  std::size_t ServingSlots() const;
  // When workers were spawned in a slot; 0: spares.
  const std::vector<Millis>& SpawnsIn(SlotNumber slot) { return spawns_[slot]; }
  std::size_t promoted() const { return promoted_; }
  // Workers in slots, and nothing else.
  std::size_t WorkersInSlots() const;
  // The spare that waits in its listen(); nullptr if there is none.
  const FleetWorker* ParkedSpare() const;
  std::size_t most_workers() const { return most_workers_; }
  std::size_t most_starting() const { return most_starting_; }
  void ForgetRecords();

  // What went wrong and how it came to it; empty if all is well.
  std::string wrong() const;
  void Wrong(const std::string& what);

 private:
  struct Process {
    SlotNumber slot = 0;
    Generation generation = 0;
    bool channel_ended = false;
    Millis channel_ended_at = 0;
    bool ends_clean = false;
    bool booted = false;
    std::optional<Millis> lives;  // once it is ready; nothing: for as long as it may
    Millis asked_at = 0;          // to drain or to stop
    Millis hung_up_at = 0;        // 0: was not told to end its connections
    WorkerState asked = WorkerState::kStarting;
    bool hung = false;
  };
  enum class Kind {
    kReady,
    kDisconnected,
    kBroke,
    kHung,
    kMoved,
    kLeaves,
    kExited,
    kOutgrew,
    kShrank
  };
  struct Happening {
    Kind kind;
    WorkerId worker;
  };

  bool Step(Millis end);
  void Feed(const FleetEvent& event);
  void Plan(Millis delay, Kind kind, WorkerId worker);
  Kind UnaskedEnd(const Behaviour& how);
  void Happen(const Happening& happening);
  void Act(const SpawnWorker& action);
  void Act(const PromoteSpare& action);
  void Act(const DrainWorker& action);
  void Act(const HangUpWorker& action);
  void Act(const TerminateWorker& action);
  void Act(const KillWorker& action);
  void Act(const ReportGivenUp& action);
  void Act(const ReportHung& action);
  void Act(const ReportOutgrown& action);
  void Act(const ReportSlotGivenUp& action);

  void CheckDeeds(const FleetEvent& event, const FleetState& before,
                  const std::vector<FleetAction>& actions);
  void CheckState(const FleetEvent& event, const FleetState& before);
  void CheckSpawn(const SpawnWorker& spawn, const FleetState& before);
  void CheckTrialSpawn(const SpawnWorker& spawn, const FleetState& before);
  void CheckTrial(const FleetState& before);
  void CheckPromotion(const PromoteSpare& promotion, const FleetState& before);
  void CheckSlots();
  void CheckReplacements();
  void CheckSpares();
  void CheckPatience();
  void CheckStopped();
  void CheckSnapshot();
  void Note(const std::string& line);

  Random& random_;
  Fleet fleet_;
  std::optional<Fleet> twin_;  // goes on from the same snapshot, not sent over the wire
  Millis now_ = 1'000'000;
  Millis lateness_ = 0;
  std::map<Generation, WorkerPolicy> policies_;
  std::map<Generation, Behaviour> behaviours_;
  std::map<Generation, unsigned> spawned_;
  std::map<WorkerId, Process> processes_;
  std::multimap<Millis, Happening> happenings_;
  std::optional<Millis> fires_at_;
  WorkerId newest_ = 0;
  int turns_at_once_ = 0;  // events at one instant
  Millis instant_ = 0;
  std::map<SlotNumber, std::vector<Millis>> spawns_;
  std::size_t most_workers_ = 0;
  std::size_t most_starting_ = 0;
  std::size_t promoted_ = 0;
  Generation rejected_ = 0;  // has failed its trial
  std::vector<std::string> notes_;
  std::string wrong_;
};

}  // namespace slc
