// Fleet: decides which workers an instance has. Pure: facts in, deeds out, no clock, no process.
//
// An event only records a fact; then one function makes the world match the wish (Settle). The
// shell around it (daemon/master/instance) carries out the actions in the order given and feeds
// back what happens. Everything the fleet knows is in FleetState, so that a successor of a killed
// master goes on from a snapshot.
//
// Promises, checked over random histories in tests/unit/fleet_test.cpp:
//   - an old worker is drained in a roll only once its successor is ready;
//   - outside a roll a slot never has two workers that are meant to serve, but for one that has
//     outgrown its limit, beside its successor;
//   - one that has outgrown its limit is drained only once its successor is ready. They are
//     replaced one after another, and after a roll;
//   - one that has outgrown it soon after its start is replaced only after a pause, which grows
//     with each such;
//   - an empty slot within the size is refilled, waits for its retry time or for the probe, or
//     has finished, as --restart and --max-restarts tell;
//   - of many workers that are due a few are spawned at one moment, and the next ones a millisecond
//     later: in between, connections are accepted and slcd is answered;
//   - one that hangs is replaced: its successor is ready before it is ended, unless that
//     fails beside it;
//   - a successor that hangs at once waits like one that crashes at once;
//   - with --spare, a slot that becomes empty is filled in the same moment by the spare, even if
//     it were to wait for its retry time: that boot has been paid. There is one spare at most, of a
//     generation that a slot has, and it is spawned only when every slot serves and no slot is in
//     back-off, so that crashes cost no more boots with a spare than without;
//   - a spare that fails is nobody's failure but its own;
//   - in a trial the old generation goes on as if nothing had been asked: none of it is drained or
//     stopped for the new one, who ends is followed by one of its own, a new slot gets one of it,
//     and who hangs or has outgrown its limit is replaced, as by the spare. Beside it there is one
//     worker of the new generation, in the first slot;
//   - if that ends in any way, or hangs, the trial has failed: nobody follows it;
//   - a trial that is taken back becomes the roll that it has begun, with that worker as the first;
//   - workers of which the wish says that they are the same are not replaced (FleetWish::same_as);
//   - who is left of a trial that was overtaken by another generation is drained, as soon as the
//     slot has one of its own that serves;
//   - nothing is spawned while the wish says stop; every worker then ends, if need be by SIGKILL;
//   - HangUp, Terminate and Kill follow Drain within the policy's times, as they follow it when a
//     worker says that it leaves by itself;
//   - who leaves by itself has not crashed, and is followed at once where its sockets stay.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/generation.h"
#include "common/model/instance.h"

namespace slc {

// Facts.
struct WishChanged {
  FleetWish wish;
};
struct WorkerReady {
  WorkerId worker = 0;
};
struct WorkerListens {  // it has come to its listen()
  WorkerId worker = 0;
};
struct WorkerHindered {  // it asked for something that it needs, and was refused
  WorkerId worker = 0;
  std::string why;  // for people: "port 3001 is in use by pid 12 (node)"
};
struct WorkerDisconnected {  // its channel has ended; it may still run
  WorkerId worker = 0;
};
struct WorkerBroke {  // it broke the protocol of its channel, and cannot be trusted any more
  WorkerId worker = 0;
  std::string why;  // for people
};
struct WorkerHung {  // it is ready, and its event loop has stood still for too long
  WorkerId worker = 0;
  Millis since = 0;
  std::string why;  // for people
};
struct WorkerMoved {  // the event loop of one that hung turns again
  WorkerId worker = 0;
};
struct WorkerOutgrew {  // it serves, but uses more than it may
  WorkerId worker = 0;
  std::string why;  // for people; empty: it does so no more
};
struct WorkerLeaves {  // it has said that it ends by itself; it may still serve what it has
  WorkerId worker = 0;
};
struct WorkerAsksTime {  // what is awaited of it takes so much longer
  WorkerId worker = 0;
  Millis more = 0;
};
struct WorkerExited {
  WorkerId worker = 0;
  bool clean = false;  // exit code 0
  std::string reason;  // for people: "exit code 1", "killed by SIGSEGV ...", "could not start: ..."
  std::optional<int> status = {};  // wait status; nothing: not known
  // It was never there: the system had no process or descriptor to give.
  bool unborn = false;
};
struct WorkerLost {  // ended with, or because of, a master that was killed: nobody's failure
  WorkerId worker = 0;
};
struct TimePassed {};
using FleetEvent =
    std::variant<WishChanged, WorkerReady, WorkerListens, WorkerHindered, WorkerDisconnected,
                 WorkerBroke, WorkerHung, WorkerMoved, WorkerOutgrew, WorkerLeaves, WorkerAsksTime,
                 WorkerExited, WorkerLost, TimePassed>;

// Deeds.
struct SpawnWorker {
  WorkerId worker = 0;
  SlotNumber slot = 0;  // 0: a spare, to be held back when it comes to its listen()
  Generation generation = 0;
  // What it is told as its slot. Which one a spare will take is not known: the only one there is,
  // or one beyond the size.
  SlotNumber told = 0;
};
struct PromoteSpare {  // it is to go on, as the worker of that slot
  WorkerId worker = 0;
  SlotNumber slot = 0;
};
struct DrainWorker {  // no new connections, finish what there is, leave
  WorkerId worker = 0;
};
struct HangUpWorker {  // the drain timeout is over: end the connections that are left
  WorkerId worker = 0;
};
struct TerminateWorker {  // send the stop signal
  WorkerId worker = 0;
};
struct KillWorker {  // SIGKILL, the whole process tree
  WorkerId worker = 0;
  Millis waited = 0;  // for its end, after the stop signal; 0: it was not waited for
};
struct ReportGivenUp {  // it lives, but was taken for failed, as its slot's last_exit tells: a
  WorkerId worker = 0;  // KillWorker follows
};
struct ReportHung {  // it is to be replaced, as its slot's last_exit tells
  WorkerId worker = 0;
};
struct ReportOutgrown {  // a successor is to take its place, as its `outgrown` tells
  WorkerId worker = 0;
  Millis pause = 0;  // not before this is over
};
struct ReportSlotGivenUp {  // as `failure` tells
  SlotNumber slot = 0;
};
using FleetAction =
    std::variant<SpawnWorker, PromoteSpare, DrainWorker, HangUpWorker, TerminateWorker, KillWorker,
                 ReportGivenUp, ReportHung, ReportOutgrown, ReportSlotGivenUp>;

// How long a slot waits after its `failures`-th failure in a row: 100 ms doubled to 30 s, ±20 % by
// `random` (any value). A worker that had lived for min_uptime is replaced at once.
Millis RestartDelay(std::uint32_t failures, std::uint64_t random);
// The same before the next replacement of a worker that serves, after `in_vain` in a row that
// helped nothing: the successor did not come up, or had outgrown its limit before min_uptime. 10 s
// doubled to 10 min.
Millis ReplaceDelay(std::uint32_t in_vain);

class Fleet {
 public:
  explicit Fleet(std::uint64_t random_seed) : random_(random_seed | 1) {}
  // Goes on from a snapshot. Workers that did not survive must then be reported as exited.
  Fleet(FleetState state, std::uint64_t random_seed)
      : state_(std::move(state)), random_(random_seed | 1) {}

  // The policy of a generation must be known before a wish names it.
  void SetPolicy(Generation generation, const WorkerPolicy& policy) {
    policies_[generation] = policy;
  }

  // `now` must not go backwards.
  std::vector<FleetAction> On(const FleetEvent& event, Millis now);

  // When to send TimePassed at the latest; nothing if no time matters.
  std::optional<Millis> deadline() const { return deadline_; }
  const FleetState& state() const { return state_; }

  // Generations whose config may still be needed.
  std::vector<Generation> LiveGenerations() const;
  // The worker that `worker` replaces or replaced in its slot: the one that is ready there and of
  // the newest generation up to its own. 0 if none.
  WorkerId PredecessorOf(WorkerId worker) const;

 private:
  void Record(const WishChanged& event, Millis now);
  void Record(const WorkerReady& event, Millis now);
  void Record(const WorkerListens& event, Millis now);
  void Record(const WorkerHindered& event, Millis now);
  void Record(const WorkerDisconnected& event, Millis now);
  void Record(const WorkerBroke& event, Millis now);
  void Record(const WorkerHung& event, Millis now);
  void Record(const WorkerMoved& event, Millis now);
  void Record(const WorkerOutgrew& event, Millis now);
  void Record(const WorkerLeaves& event, Millis now);
  void Record(const WorkerAsksTime& event, Millis now);
  void Record(const WorkerExited& event, Millis now);
  void Record(const WorkerLost& event, Millis) { state_.workers.erase(event.worker); }
  void Record(const TimePassed&, Millis) {}

  void Settle(Millis now);
  void SettleStop(Millis now);
  void SettleRestart(Millis now);
  void SettleUnfit(Millis now);
  void AddSlots();
  void SettleSlots(Millis now);
  void SettleRoll(Millis now);
  void SettleTrial(Millis now);
  void SettleReplacements(Millis now);
  void SettleEscalations(Millis now);
  void SettleSpare(Millis now);

  // False: enough have been at this moment; TimePassed comes back for the rest.
  bool MaySpawn(Millis now);
  void Spawn(SlotNumber slot, Generation generation, Millis now);
  // Has it end in the way it can.
  void Leave(FleetWorker& worker, Millis now);
  void Promote(FleetWorker& spare, SlotNumber slot, Millis now);
  void Drain(FleetWorker& worker, Millis now);
  void HangUp(FleetWorker& worker, Millis now);
  void Terminate(FleetWorker& worker, Millis now);
  void Kill(FleetWorker& worker, Millis now, Millis waited = 0);
  // `served_until`: when it did last what it is for.
  void EndedUnasked(const FleetWorker& worker, const WorkerExited& end, Millis now) {
    EndedUnasked(worker, end, now, now);
  }
  void EndedUnasked(const FleetWorker& worker, const WorkerExited& end, Millis now,
                    Millis served_until);
  void FailTrial(const FleetWorker& worker, const WorkerExited& end);
  // What it has shown is good enough: the roll goes on.
  void PassTrial();
  // Whoever and whatever is of the one generation is of the other from now on.
  void Renumber(Generation from, Generation to);
  // The operator asked anew: old failures say nothing about the new try.
  static void Forgive(FleetSlot& slot);
  // One that hangs serves nobody: what its successor fails for may be what it holds.
  void MakeRoom(const FleetWorker& failed, Millis now);
  void SpareEnded(const FleetWorker& spare, const WorkerExited& end, Millis now);
  // A spare that could take a slot of that generation; nullptr if there is none.
  FleetWorker* SpareOf(Generation generation);
  // A spare of that generation may have a slot to fill one day.
  bool IsSpareWanted(Generation generation) const;
  // Nothing is missing, and nothing will be by what is under way.
  bool IsWhole() const;
  // Why a worker that lives is taken for failed.
  std::string WhyGivenUp(const FleetWorker& worker) const;
  void NoteFailure(const FleetWorker& worker, const std::string& reason, std::optional<int> status);
  void CountFailure(FleetSlot& slot, bool unborn, Millis now);
  void GiveUpSlot(const FleetWorker& worker, FleetSlot& slot, std::uint32_t restarts);
  static void NoteVainReplacement(FleetSlot& slot, Millis now);
  void Consider(Millis at);

  const WorkerPolicy& PolicyOf(Generation generation) const;
  // It leaves by itself, and only its end tells what is to come of its slot.
  bool EndIsAwaited(const FleetWorker& worker) const;
  // Somebody else than `besides` is meant to serve in the slot.
  bool IsTaken(SlotNumber slot, WorkerId besides) const;
  bool RollActive() const;
  bool OnTrial() const { return IsOnTrial(state_); }
  // The same, or there would be a trial if there were slots.
  bool TrialOpen() const;
  bool OnTrial(const FleetWorker& worker) const { return IsOnTrial(state_, worker); }
  // It serves in a slot that is another generation's: a predecessor in a roll, or one that is or
  // was on trial.
  bool IsBeside(const FleetWorker& worker) const;
  // Another serves in its stead, or nobody is to.
  bool IsRelieved(const FleetWorker& worker) const;
  // The same, and it goes on: some slot's turn is still to come.
  bool RollPending() const;
  bool AwaitsTurn(SlotNumber slot) const;
  // Who takes or took the place of one that has outgrown its limit; nullptr: nobody yet.
  const FleetWorker* SuccessorOf(const FleetWorker& worker) const;
  // It is starting to take the place of such a one, which serves.
  bool IsReplacement(const FleetWorker& worker) const;
  Generation GenerationForNewSlot() const;
  bool AnyServing() const;
  // Nothing serves, and each slot's last worker failed.
  bool CrashesEverywhere() const;
  bool AnyDraining() const;
  bool AnyStarting() const;
  std::uint64_t NextRandom();

  FleetState state_;
  std::map<Generation, WorkerPolicy> policies_;
  std::uint64_t random_;
  std::vector<FleetAction> actions_;
  std::optional<Millis> deadline_;
};

}  // namespace slc
