#include "tests/unit/fleet_world.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "common/model/json.h"

namespace slc {
namespace {

// Of the fleet: a worker that closed its channel is given so long to exit, SIGKILL is repeated so
// often.
constexpr Millis kExitFollows = 1000;
constexpr Millis kKillAgain = 1000;
constexpr Millis kAfterHangUp = 200;
// So many are spawned at one moment.
constexpr std::ptrdiff_t kSpawnsAtOnce = 4;

// A history that is replayed tells all of it.
bool Tracing() {
  static const bool tracing = std::getenv("SLC_SEED") != nullptr;
  return tracing;
}

std::string Describe(const FleetWish& wish) {
  std::ostringstream text;
  text << "wish " << wish.order << ": "
       << (wish.run         ? "run"
           : wish.soft_stop ? "soft stop"
                            : "stop")
       << " size " << wish.size << " generation " << wish.generation
       << (wish.mode == RollMode::kRolling ? " rolling " : " restart ") << wish.parallel
       << (wish.trial ? " on trial" : "");
  return text.str();
}

std::string Describe(const FleetEvent& event) {
  std::ostringstream text;
  if (const auto* wish = std::get_if<WishChanged>(&event)) return Describe(wish->wish);
  if (const auto* ready = std::get_if<WorkerReady>(&event)) text << ready->worker << " ready";
  if (const auto* listens = std::get_if<WorkerListens>(&event)) {
    text << listens->worker << " listens";
  }
  if (const auto* gone = std::get_if<WorkerDisconnected>(&event)) {
    text << gone->worker << " disconnected";
  }
  if (const auto* broke = std::get_if<WorkerBroke>(&event)) text << broke->worker << " broke";
  if (const auto* hung = std::get_if<WorkerHung>(&event)) text << hung->worker << " hung";
  if (const auto* moved = std::get_if<WorkerMoved>(&event)) text << moved->worker << " moved";
  if (const auto* leaves = std::get_if<WorkerLeaves>(&event)) text << leaves->worker << " leaves";
  if (const auto* exited = std::get_if<WorkerExited>(&event)) text << exited->worker << " exited";
  if (const auto* grown = std::get_if<WorkerOutgrew>(&event)) {
    text << grown->worker << (grown->why.empty() ? " shrank" : " outgrew");
  }
  if (const auto* lost = std::get_if<WorkerLost>(&event)) text << lost->worker << " lost";
  return text.str();
}

std::string Describe(const FleetAction& action) {
  std::ostringstream text;
  if (const auto* spawn = std::get_if<SpawnWorker>(&action)) {
    text << "spawn " << spawn->worker << " in slot " << spawn->slot << " of generation "
         << spawn->generation;
  }
  if (const auto* promotion = std::get_if<PromoteSpare>(&action)) {
    text << "promote " << promotion->worker << " to slot " << promotion->slot;
  }
  if (const auto* drain = std::get_if<DrainWorker>(&action)) text << "drain " << drain->worker;
  if (const auto* hang_up = std::get_if<HangUpWorker>(&action))
    text << "hang up " << hang_up->worker;
  if (const auto* stop = std::get_if<TerminateWorker>(&action)) text << "stop " << stop->worker;
  if (const auto* kill = std::get_if<KillWorker>(&action)) text << "kill " << kill->worker;
  if (const auto* report = std::get_if<ReportGivenUp>(&action))
    text << "give up " << report->worker;
  if (const auto* hung = std::get_if<ReportHung>(&action)) text << "hung " << hung->worker;
  if (const auto* grown = std::get_if<ReportOutgrown>(&action)) {
    text << "outgrown " << grown->worker << " for " << grown->pause;
  }
  if (const auto* slot = std::get_if<ReportSlotGivenUp>(&action))
    text << "give up slot " << slot->slot;
  return text.str();
}

std::string Describe(const std::vector<FleetAction>& actions) {
  std::string text;
  for (const FleetAction& action : actions) text += (text.empty() ? "" : ", ") + Describe(action);
  return text;
}

// Serves, or is to, in a slot that is another generation's: it is on trial, or was.
bool IsGuest(const FleetState& state, const FleetWorker& worker) {
  const auto slot = state.slots.find(worker.slot);
  return slot != state.slots.end() && slot->second.generation != worker.generation &&
         (worker.state == WorkerState::kReady || IsOnTrial(state, worker));
}

bool IsLiveSpare(const FleetWorker& worker) {
  return IsSpare(worker) && worker.state == WorkerState::kStarting;
}

// By random chance two fleets wait for different times.
FleetState WithoutRetryTimes(FleetState state) {
  for (auto& [number, slot] : state.slots) slot.retry_at = 0;
  return state;
}

FleetState OverTheWire(const FleetState& state) {
  InstanceState instance;
  instance.fleet = state;
  auto decoded = DecodeInstanceState(EncodeInstanceState(instance));
  return decoded ? decoded->fleet : FleetState{};
}

}  // namespace

FleetWorld::FleetWorld(Random& random) : random_(random), fleet_(random.Next()) {}

void FleetWorld::AddGeneration(Generation generation, const WorkerPolicy& policy,
                               const Behaviour& behaviour) {
  policies_[generation] = policy;
  behaviours_[generation] = behaviour;
  fleet_.SetPolicy(generation, policy);
  if (twin_) twin_->SetPolicy(generation, policy);
}

void FleetWorld::SetBehaviour(Generation generation, const Behaviour& behaviour) {
  behaviours_[generation] = behaviour;
}

void FleetWorld::Wish(const FleetWish& wish) { Feed(WishChanged{wish}); }

void FleetWorld::Run(Millis span) {
  RunUntil(span, [] { return false; });
}

std::size_t FleetWorld::ServingSlots() const {
  std::set<SlotNumber> serving;
  for (const auto& [id, worker] : state().workers) {
    if (Serves(worker) && worker.slot <= state().wish.size) {
      serving.insert(worker.slot);
    }
  }
  return serving.size();
}

std::size_t FleetWorld::WorkersInSlots() const {
  const auto& workers = state().workers;
  return static_cast<std::size_t>(std::count_if(
      workers.begin(), workers.end(), [](const auto& entry) { return !IsSpare(entry.second); }));
}

const FleetWorker* FleetWorld::ParkedSpare() const {
  for (const auto& [id, worker] : state().workers) {
    if (IsLiveSpare(worker) && worker.listens) return &worker;
  }
  return nullptr;
}

void FleetWorld::ForgetRecords() {
  spawns_.clear();
  promoted_ = 0;
  most_workers_ = 0;
  most_starting_ = 0;
}

std::string FleetWorld::wrong() const {
  if (wrong_.empty()) return {};
  std::string text = "at " + std::to_string(now_) + ": " + wrong_;
  for (const std::string& note : notes_) text += "\n  " + note;
  return text;
}

void FleetWorld::Wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

void FleetWorld::Note(const std::string& line) {
  notes_.push_back(std::to_string(now_) + " " + line);
}

// --------------------------------------------------------------------------------------------- the
// world

bool FleetWorld::Step(Millis end) {
  Millis next = end + 1;
  if (!happenings_.empty()) next = std::min(next, happenings_.begin()->first);
  const bool timer_first = fires_at_ && *fires_at_ < next;
  if (timer_first) next = *fires_at_;
  if (next > end) {
    now_ = std::max(now_, end);
    return false;
  }
  now_ = std::max(now_, next);
  if (timer_first) {
    Feed(TimePassed{});
  } else {
    const Happening happening = happenings_.begin()->second;
    happenings_.erase(happenings_.begin());
    Happen(happening);
  }
  return true;
}

void FleetWorld::Plan(Millis delay, Kind kind, WorkerId worker) {
  happenings_.emplace(now_ + delay, Happening{kind, worker});
}

void FleetWorld::Happen(const Happening& happening) {
  const auto found = processes_.find(happening.worker);
  if (found == processes_.end()) return;
  Process& process = found->second;
  switch (happening.kind) {
    case Kind::kReady:
      if (!process.booted) {
        process.booted = true;
        if (behaviours_[process.generation].listens) Feed(WorkerListens{happening.worker});
      }
      // Held back; but what listens on nothing goes on.
      if (process.slot == 0 && behaviours_[process.generation].listens) return;
      if (process.lives) {
        Plan(*process.lives, UnaskedEnd(behaviours_[process.generation]), happening.worker);
        process.lives.reset();
      }
      return Feed(WorkerReady{happening.worker});
    case Kind::kDisconnected:
      if (process.channel_ended) return;
      process.channel_ended = true;
      process.channel_ended_at = now_;
      return Feed(WorkerDisconnected{happening.worker});
    case Kind::kOutgrew:
      if (random_.Chance(30)) Plan(random_.Between(0, 15000), Kind::kShrank, happening.worker);
      return Feed(WorkerOutgrew{happening.worker, "uses too much"});
    case Kind::kShrank:
      return Feed(WorkerOutgrew{happening.worker, {}});
    case Kind::kBroke:
      return Feed(WorkerBroke{happening.worker, "broke"});
    case Kind::kHung: {
      process.hung = true;
      const Behaviour& how = behaviours_[process.generation];
      if (random_.Chance(how.moves_again)) {
        Plan(random_.Between(0, 2000), Kind::kMoved, happening.worker);
      }
      return Feed(WorkerHung{happening.worker, now_ - random_.Between(0, 50), "hung"});
    }
    case Kind::kMoved:
      process.hung = false;
      return Feed(WorkerMoved{happening.worker});
    case Kind::kLeaves: {
      const auto worker = state().workers.find(happening.worker);
      if (worker == state().workers.end() || worker->second.state > WorkerState::kReady) return;
      const Behaviour& how = behaviours_[process.generation];
      if (worker->second.state == WorkerState::kReady) {
        process.asked = WorkerState::kDraining;
        process.asked_at = now_;
      }
      if (!random_.Chance(how.ignores_drain)) {
        Plan(random_.Between(0, how.leaves_within), Kind::kExited, happening.worker);
      }
      return Feed(WorkerLeaves{happening.worker});
    }
    case Kind::kExited: {
      const bool clean = process.ends_clean;
      // Most often the end of the channel is seen first.
      if (!process.channel_ended && random_.Chance(70)) {
        process.channel_ended = true;
        process.channel_ended_at = now_;
        Feed(WorkerDisconnected{happening.worker});
      }
      processes_.erase(happening.worker);
      return Feed(WorkerExited{happening.worker, clean, clean ? "exit code 0" : "exit code 1"});
    }
  }
}

void FleetWorld::Feed(const FleetEvent& event) {
  if (!wrong_.empty()) return;
  if (now_ != instant_) turns_at_once_ = 0;
  instant_ = now_;
  constexpr int kMostTurnsAtOnce = 200;
  if (++turns_at_once_ > kMostTurnsAtOnce) return Wrong("the fleet spins");
  const FleetState before = fleet_.state();
  const std::vector<FleetAction> actions = fleet_.On(event, now_);
  if (Tracing()) Note(Describe(event) + " -> " + Describe(actions) + " [" + phase() + "]");
  if (twin_) {
    if (Describe(twin_->On(event, now_)) != Describe(actions) || twin_->state() != fleet_.state() ||
        twin_->deadline() != fleet_.deadline()) {
      Wrong("a fleet that went on from a snapshot does otherwise");
    }
  }
  CheckDeeds(event, before, actions);
  for (const FleetAction& action : actions) {
    std::visit([this](const auto& deed) { Act(deed); }, action);
  }
  CheckState(event, before);
  const auto deadline = fleet_.deadline();
  if (deadline && *deadline < now_) Wrong("the deadline has passed already");
  fires_at_ = deadline;
  if (fires_at_ && lateness_ > 0) *fires_at_ += random_.Between(0, lateness_);
}

void FleetWorld::Act(const SpawnWorker& action) {
  newest_ = action.worker;
  spawns_[action.slot].push_back(now_);
  Process& process = processes_[action.worker];
  process.slot = action.slot;
  process.generation = action.generation;
  Behaviour how = behaviours_[action.generation];
  if (++spawned_[action.generation] <= how.good_at_first) how = Behaviour{};
  process.ends_clean = random_.Chance(how.ends_clean);
  if (random_.Chance(how.cannot_start)) return Plan(0, Kind::kExited, action.worker);
  const Millis boot = random_.Between(how.boots_from, how.boots_to);
  if (random_.Chance(how.crashes_booting)) {
    return Plan(random_.Between(0, boot), UnaskedEnd(how), action.worker);
  }
  if (random_.Chance(how.hangs_booting)) return;
  Plan(boot, Kind::kReady, action.worker);
  if (random_.Chance(how.grows)) {
    const Millis grows = random_.Between(how.grows_from, how.grows_to);
    Plan(boot + grows, Kind::kOutgrew, action.worker);
  }
  if (how.lives_to == 0) return;
  process.lives = random_.Between(how.lives_from, how.lives_to);
  // Some do not survive the waiting.
  if (action.slot == 0 && random_.Chance(20)) {
    Plan(boot + *process.lives, UnaskedEnd(how), action.worker);
  }
}

FleetWorld::Kind FleetWorld::UnaskedEnd(const Behaviour& how) {
  if (random_.Chance(how.breaks)) return Kind::kBroke;
  if (random_.Chance(how.hangs)) return Kind::kHung;
  if (random_.Chance(how.leaves)) return Kind::kLeaves;
  return random_.Chance(how.disconnects) ? Kind::kDisconnected : Kind::kExited;
}

void FleetWorld::Act(const PromoteSpare& action) {
  ++promoted_;
  Process& process = processes_[action.worker];
  process.slot = action.slot;
  if (process.booted) Plan(random_.Between(0, 5), Kind::kReady, action.worker);
}

void FleetWorld::Act(const DrainWorker& action) {
  Process& process = processes_[action.worker];
  process.asked = WorkerState::kDraining;
  process.asked_at = now_;
  const Behaviour& how = behaviours_[process.generation];
  if (random_.Chance(how.ignores_drain)) return;
  const Millis leaves = random_.Between(0, how.leaves_within);
  Plan(leaves / 2, Kind::kDisconnected, action.worker);
  Plan(leaves, Kind::kExited, action.worker);
}

void FleetWorld::Act(const HangUpWorker& action) {
  Process& process = processes_[action.worker];
  process.hung_up_at = now_;
  // Who only waited for clients leaves now.
  const Behaviour& how = behaviours_[process.generation];
  if (random_.Chance(50)) Plan(random_.Between(0, how.leaves_within), Kind::kExited, action.worker);
}

void FleetWorld::Act(const TerminateWorker& action) {
  Process& process = processes_[action.worker];
  process.asked = WorkerState::kStopping;
  process.asked_at = now_;
  const Behaviour& how = behaviours_[process.generation];
  // Without a handler of its own a signal ends it all the same.
  if (random_.Chance(process.hung ? 50 : how.ignores_stop)) return;
  Plan(random_.Between(0, how.leaves_within), Kind::kExited, action.worker);
}

void FleetWorld::Act(const KillWorker& action) {
  Process& process = processes_[action.worker];
  process.asked = WorkerState::kKilling;
  process.asked_at = now_;
  Plan(random_.Between(0, behaviours_[process.generation].dies_within), Kind::kExited,
       action.worker);
}

void FleetWorld::Act(const ReportGivenUp& action) {
  if (processes_[action.worker].asked >= WorkerState::kStopping) Wrong("gave up what it had ended");
}

void FleetWorld::Act(const ReportHung& action) {
  const FleetWorker& worker = state().workers.at(action.worker);
  if (!worker.unfit || !worker.hung) Wrong("what hangs is not to be replaced");
}

void FleetWorld::Act(const ReportOutgrown& action) {
  const FleetWorker& worker = state().workers.at(action.worker);
  if (worker.outgrown.empty()) Wrong("told of a worker that has not outgrown its limit");
  const bool proved = now_ - worker.ready_at >= policies_[worker.generation].min_uptime;
  if (proved != (action.pause == 0)) Wrong("the pause before a replacement is not as it should be");
}

void FleetWorld::Act(const ReportSlotGivenUp& action) {
  if (!state().slots.at(action.slot).given_up) Wrong("told of a slot that was not given up");
  if (!state().failure) Wrong("a slot was given up for no reason");
}

void FleetWorld::TakeOver() {
  if (!wrong_.empty()) return;
  if (Tracing()) Note("the master is killed, another takes over");
  const Fleet before = fleet_;
  const std::uint64_t seed = random_.Next();
  twin_.emplace(before.state(), seed);
  for (const auto& [generation, policy] : policies_) twin_->SetPolicy(generation, policy);
  fleet_ = Fleet(OverTheWire(before.state()), seed);
  if (fleet_.state() != before.state()) return Wrong("the snapshot is not what was written");
  // The new master has no configs but those the old one still held.
  for (const Generation generation : before.LiveGenerations()) {
    fleet_.SetPolicy(generation, policies_[generation]);
  }
  Feed(TimePassed{});
  // Nothing was in the old fleet but what was in the snapshot, and its dice.
  Fleet old = before;
  old.On(TimePassed{}, now_);
  if (WithoutRetryTimes(old.state()) != WithoutRetryTimes(fleet_.state())) {
    return Wrong("a fleet that went on from a snapshot does otherwise than the one before");
  }
  std::vector<WorkerId> lost;
  for (const auto& [id, worker] : state().workers) {
    if (worker.state == WorkerState::kStarting || random_.Chance(10)) lost.push_back(id);
  }
  for (const WorkerId id : lost) {
    processes_.erase(id);
    Feed(WorkerLost{id});
  }
}

void FleetWorld::DisturbWithStaleEvent() {
  const auto gone = static_cast<WorkerId>(random_.Between(0, newest_ + 1));
  const bool lives = processes_.count(gone) > 0;
  switch (random_.Below(4)) {
    case 0:
      return lives ? Feed(TimePassed{}) : Feed(WorkerReady{gone});
    case 1:
      return lives ? Feed(TimePassed{}) : Feed(WorkerExited{gone, false, "long ago"});
    case 2:
      return lives ? Feed(TimePassed{}) : Feed(WorkerDisconnected{gone});
    default: {
      // A late repeat of an older order.
      FleetWish old = state().wish;
      if (old.order < 2) return;
      --old.order;
      old.run = !old.run;
      old.size = 1;
      return Feed(WishChanged{old});
    }
  }
}

// ------------------------------------------------------------------------------------------ the
// promises

void FleetWorld::CheckDeeds(const FleetEvent& event, const FleetState& before,
                            const std::vector<FleetAction>& actions) {
  const FleetState& after = state();
  const FleetWish& wish = after.wish;
  const auto was = [&](WorkerId id) -> const FleetWorker* {
    const auto found = before.workers.find(id);
    return found == before.workers.end() ? nullptr : &found->second;
  };
  const auto successor_serves = [&](const FleetWorker& worker) {
    return std::any_of(after.workers.begin(), after.workers.end(), [&](const auto& entry) {
      const FleetWorker& other = entry.second;
      if (IsOnTrial(after, other)) return false;
      const bool owns = IsGuest(after, worker) && !IsGuest(after, other);
      const bool newer =
          owns || other.generation > worker.generation || (worker.unfit && IsStaying(other));
      const bool of_replacement =
          !worker.outgrown.empty() && other.id > worker.id && other.generation == worker.generation;
      return other.slot == worker.slot && (newer || of_replacement) && Serves(other);
    });
  };
  std::set<std::pair<SlotNumber, Generation>> given_up;  // workers that were still starting
  for (const FleetAction& action : actions) {
    if (const auto* promotion = std::get_if<PromoteSpare>(&action)) {
      CheckPromotion(*promotion, before);
      continue;
    }
    if (const auto* spawn = std::get_if<SpawnWorker>(&action)) {
      if (!wish.run) Wrong("spawned while the wish says stop");
      CheckSpawn(*spawn, before);
      if (spawn->worker <= newest_) Wrong("a worker id was used twice");
      if (policies_.count(spawn->generation) == 0) Wrong("spawned of an unknown generation");
      if (spawn->generation > wish.generation) Wrong("spawned of a generation nobody asked for");
      CheckTrialSpawn(*spawn, before);
      if (spawn->slot > 0 && given_up.count({spawn->slot, spawn->generation}) > 0) {
        Wrong("gave up a starting worker for another one of the same generation");
      }
      continue;
    }
    if (const auto* drain = std::get_if<DrainWorker>(&action)) {
      const FleetWorker* worker = was(drain->worker);
      if (worker == nullptr || worker->state > WorkerState::kReady) {
        Wrong("drained what does not serve");
      } else if (worker->hung) {
        Wrong("drained what does not hear");
      } else if (wish.run && worker->slot <= wish.size &&
                 !((wish.mode == RollMode::kRolling || worker->unfit ||
                    !worker->outgrown.empty()) &&
                   (successor_serves(*worker) || after.slots.at(worker->slot).finished))) {
        Wrong("drained an old worker whose successor is not ready");
      }
      continue;
    }
    if (const auto* hang_up = std::get_if<HangUpWorker>(&action)) {
      const Process& process = processes_[hang_up->worker];
      const FleetWorker* worker = was(hang_up->worker);
      if (worker == nullptr || worker->state > WorkerState::kDraining) {
        Wrong("hung up on the clients of a worker that does not drain");
      } else if (worker->state == WorkerState::kDraining && worker->deadline > now_) {
        Wrong("hung up before the drain timeout");
      } else if (process.hung_up_at > 0) {
        Wrong("hung up twice");
      }
      continue;
    }
    if (const auto* report = std::get_if<ReportGivenUp>(&action)) {
      const FleetWorker* worker = was(report->worker);
      const auto* broke = std::get_if<WorkerBroke>(&event);
      const bool rogue = broke != nullptr && broke->worker == report->worker;
      if (worker == nullptr || worker->state > WorkerState::kReady ||
          (worker->deadline > now_ && !rogue)) {
        Wrong("gave up a worker that had time");
      } else if (after.workers.at(report->worker).state != WorkerState::kKilling) {
        Wrong("gave up a worker and let it live");
      }
      continue;
    }
    if (const auto* hung = std::get_if<ReportHung>(&action)) {
      const FleetWorker* worker = was(hung->worker);
      if (worker == nullptr || !Serves(*worker)) Wrong("reported what did not serve as hung");
      continue;
    }
    if (std::holds_alternative<ReportOutgrown>(action) ||
        std::holds_alternative<ReportSlotGivenUp>(action)) {
      continue;
    }
    const auto* stop = std::get_if<TerminateWorker>(&action);
    const WorkerId id = stop != nullptr ? stop->worker : std::get<KillWorker>(action).worker;
    const FleetWorker* worker = was(id);
    if (worker == nullptr) {
      Wrong("stopped what does not exist");
    } else if (stop != nullptr && worker->state >= WorkerState::kStopping) {
      Wrong("asked a worker twice to stop");
    } else if (stop != nullptr && worker->state == WorkerState::kDraining && wish.run &&
               wish.mode == RollMode::kRolling && !worker->hung_up &&
               !after.workers.at(id).disconnected) {
      Wrong("stopped a worker that drains without ending its connections first");
    } else if (worker->state == WorkerState::kStarting && worker->deadline > now_) {
      given_up.insert({worker->slot, worker->generation});
      const bool own = before.slots.count(worker->slot) > 0 && !IsSpare(*worker) &&
                       before.slots.at(worker->slot).generation == worker->generation;
      const bool late =
          own && after.slots.count(worker->slot) > 0 && after.slots.at(worker->slot).finished;
      if (IsOnTrial(after) && own && worker->slot <= wish.size && !late && !worker->disconnected &&
          std::holds_alternative<WishChanged>(event)) {
        Wrong("stopped a worker of the old generation for a trial");
      }
    }
  }
  // Slots under replacement while their old worker serves.
  std::set<SlotNumber> replaced;
  bool spawned_successor = false;
  for (const auto& [id, worker] : after.workers) {
    if (worker.state != WorkerState::kStarting || worker.slot > wish.size) continue;
    if (IsOnTrial(after, worker)) continue;
    for (const auto& [other_id, other] : after.workers) {
      if (other.slot != worker.slot || other.state != WorkerState::kReady || other.unfit) continue;
      if (IsGuest(after, other) && worker.generation != wish.generation) continue;
      replaced.insert(worker.slot);
      spawned_successor = spawned_successor || id > newest_;
    }
  }
  if (spawned_successor && replaced.size() > std::max(1U, wish.parallel)) {
    Wrong("replaces more slots at a time than it may");
  }
}

void FleetWorld::CheckTrialSpawn(const SpawnWorker& spawn, const FleetState& before) {
  const FleetState& after = state();
  if (spawn.slot > 0 && spawn.generation == rejected_) {
    Wrong("spawned of a generation that had failed its trial");
  }
  if (!IsOnTrial(after) || spawn.generation != after.wish.generation) return;
  if (spawn.slot != 1) Wrong("tried a generation in another slot than the first");
  const bool again =
      std::any_of(before.workers.begin(), before.workers.end(), [&](const auto& entry) {
        return entry.second.generation == spawn.generation && after.workers.count(entry.first) > 0;
      });
  if (again) Wrong("tried a generation with more than one worker");
}

// What a trial does not touch, and how it ends.
void FleetWorld::CheckTrial(const FleetState& before) {
  const FleetState& after = state();
  if (IsOnTrial(before) && after.failed == after.wish.generation) {
    rejected_ = after.failed;
    if (!after.failure || after.failure->generation != rejected_ || after.failure->reason.empty()) {
      Wrong("a trial has failed for no reason");
    }
  }
  // Nothing is known of what was before it.
  if (after.slots.empty() && after.good == 0) rejected_ = 0;
  if (!IsOnTrial(after)) return;
  const bool given_up = std::any_of(after.slots.begin(), after.slots.end(),
                                    [](const auto& entry) { return entry.second.given_up; });
  if (!given_up && phase() != "rolling") Wrong("in a trial the phase is " + phase());
  std::size_t tried = 0;
  for (const auto& [id, worker] : after.workers) {
    if (worker.generation != after.wish.generation) continue;
    ++tried;
    // Asked to leave it may have been: its slot was taken away.
    if (worker.unfit || worker.leaving) Wrong("the trial of a worker that fails goes on");
  }
  if (tried > 1) Wrong("more than one is on trial");
  const bool awaits_turn = fleet_.deadline() && *fleet_.deadline() <= now_ + 1;
  if (tried == 0 && !awaits_turn) Wrong("nobody is on trial");
  for (const auto& [number, slot] : after.slots) {
    const auto old = before.slots.find(number);
    if (slot.generation == after.wish.generation) Wrong("a slot went over to what is on trial");
    if (old != before.slots.end() && IsOnTrial(before) &&
        old->second.generation != slot.generation) {
      Wrong("a slot changed its generation in a trial");
    }
  }
}

void FleetWorld::CheckSpawn(const SpawnWorker& spawn, const FleetState& before) {
  const FleetState& after = state();
  const std::uint32_t size = after.wish.size;
  if (spawn.slot > size) Wrong("spawned outside of the size");
  if (spawn.told != (spawn.slot > 0 ? spawn.slot : size == 1 ? 1 : size + 1)) {
    Wrong("told a worker a slot that may be another's");
  }
  if (spawn.slot > 0) return;
  if (!policies_[spawn.generation].spare) Wrong("spawned a spare nobody asked for");
  if (before.spare.retry_at > now_) Wrong("spawned a spare too soon after the last one failed");
  if (before.spare.given_up == spawn.generation && after.spare.given_up == spawn.generation) {
    Wrong("spawned a spare of a generation that was given up");
  }
  for (const auto& [number, slot] : after.slots) {
    if (slot.retry_at > now_) Wrong("spawned a spare while a slot is in back-off");
    const bool serves = std::any_of(
        after.workers.begin(), after.workers.end(), [&, wanted = number](const auto& entry) {
          return entry.second.slot == wanted && entry.second.state == WorkerState::kReady &&
                 !IsOnTrial(after, entry.second);
        });
    if (!serves && !slot.finished) Wrong("spawned a spare while a slot was empty");
    if (IsRolling(after) && !IsOnTrial(after) && slot.generation != after.wish.generation) {
      Wrong("spawned a spare in the middle of a roll");
    }
  }
}

void FleetWorld::CheckPromotion(const PromoteSpare& promotion, const FleetState& before) {
  const auto found = before.workers.find(promotion.worker);
  if (found == before.workers.end() || !IsLiveSpare(found->second)) {
    return Wrong("promoted what was no spare");
  }
  const auto slot = state().slots.find(promotion.slot);
  if (slot == state().slots.end()) return Wrong("promoted a spare to a slot that is not there");
  if (slot->second.generation != found->second.generation) {
    Wrong("promoted a spare of another generation than the slot's");
  }
  if (slot->second.finished) Wrong("promoted a spare to a slot that has finished");
  if (found->second.disconnected) Wrong("promoted a spare without a channel");
  if (!state().wish.run) Wrong("promoted a spare while the wish says stop");
}

// Nothing is told of the service by its spare, and it is there only if it may be of use.
void FleetWorld::CheckSpares() {
  FleetState without = state();
  std::size_t live = 0;
  bool any = false;
  for (auto worker = without.workers.begin(); worker != without.workers.end();) {
    live += IsLiveSpare(worker->second) ? 1 : 0;
    if (IsLiveSpare(worker->second)) {
      const bool wanted =
          policies_[worker->second.generation].spare &&
          std::any_of(without.slots.begin(), without.slots.end(), [&](const auto& entry) {
            return entry.second.generation == worker->second.generation && !entry.second.finished;
          });
      if (!wanted) Wrong("keeps a spare that can fill no slot");
    }
    if (worker->second.state == WorkerState::kReady && IsSpare(worker->second)) {
      Wrong("a spare is called ready");
    }
    any = any || IsSpare(worker->second);
    worker = IsSpare(worker->second) ? without.workers.erase(worker) : std::next(worker);
  }
  if (live > 1) Wrong("there are two spares");
  const std::string phase = InstancePhase(without);
  const bool ends = phase == "stopped" || phase == "finished";
  if (any && !ends && phase != this->phase()) Wrong("a spare makes it " + this->phase());
}

void FleetWorld::CheckState(const FleetEvent& event, const FleetState& before) {
  const FleetState& after = state();
  const FleetWish& wish = after.wish;
  most_workers_ = std::max(most_workers_, WorkersInSlots());
  std::size_t starting = 0;
  for (const auto& [id, worker] : after.workers) {
    starting += worker.state == WorkerState::kStarting && !IsSpare(worker) ? 1 : 0;
  }
  most_starting_ = std::max(most_starting_, starting);
  // A slot that serves goes on serving, unless its worker leaves by itself or is to leave.
  const auto* exited = std::get_if<WorkerExited>(&event);
  const auto* lost = std::get_if<WorkerLost>(&event);
  const auto* broke = std::get_if<WorkerBroke>(&event);
  const auto* hung = std::get_if<WorkerHung>(&event);
  const auto* leaves = std::get_if<WorkerLeaves>(&event);
  for (const auto& [id, worker] : before.workers) {
    if (!wish.run || !Serves(worker) || worker.slot > wish.size) continue;
    if (wish.mode == RollMode::kRestart && worker.generation != wish.generation) continue;
    if ((exited != nullptr && exited->worker == id) || (lost != nullptr && lost->worker == id) ||
        (broke != nullptr && broke->worker == id) || (hung != nullptr && hung->worker == id) ||
        (leaves != nullptr && leaves->worker == id) || worker.disconnected ||
        after.slots.at(worker.slot).finished) {
      continue;
    }
    const bool serves = std::any_of(after.workers.begin(), after.workers.end(),
                                    [slot = worker.slot](const auto& entry) {
                                      return entry.second.slot == slot && Serves(entry.second);
                                    });
    if (!serves) Wrong("took away the worker that served in slot " + std::to_string(worker.slot));
  }
  CheckPatience();
  CheckSpares();
  CheckTrial(before);
  if (wish.run) {
    CheckSlots();
    CheckReplacements();
  } else {
    CheckStopped();
  }
  if (random_.Chance(1)) CheckSnapshot();
}

void FleetWorld::CheckSlots() {
  const FleetState& fleet = state();
  const FleetWish& wish = fleet.wish;
  const bool rolling = IsRolling(fleet);
  bool all_crash = true;
  bool any_serves = false;
  bool any_starts = false;
  for (const auto& [number, slot] : fleet.slots) all_crash = all_crash && slot.failures > 0;
  for (const auto& [id, worker] : fleet.workers) {
    any_serves = any_serves || Serves(worker);
    any_starts = any_starts || (worker.state == WorkerState::kStarting && !IsSpare(worker));
    if (worker.slot > wish.size && IsStaying(worker)) Wrong("a worker stays outside of the size");
  }
  const auto spawned_now =
      std::count_if(fleet.workers.begin(), fleet.workers.end(),
                    [&](const auto& entry) { return entry.second.spawned_at == now_; });
  if (spawned_now > kSpawnsAtOnce) Wrong("too many spawned at once");
  if (fleet.slots.size() != wish.size) Wrong("there are not as many slots as wished");
  for (SlotNumber number = 1; number <= wish.size && number <= fleet.slots.size(); ++number) {
    int starting = 0;
    int ready = 0;
    bool outgrown = false;
    // In a hard restart the slot is free when the old worker has gone, and so it is of one that
    // leaves by itself, if it takes its sockets along or may not be followed at all.
    bool others_end = false;
    for (const auto& [id, worker] : fleet.workers) {
      // Who was on trial stands in until the slot's turn in the roll comes.
      const bool stands_in =
          rolling && !IsOnTrial(fleet) && fleet.slots.at(number).generation != wish.generation;
      if (worker.slot != number || (IsGuest(fleet, worker) && !stands_in)) continue;
      starting += worker.state == WorkerState::kStarting ? 1 : 0;
      ready += worker.state == WorkerState::kReady && !worker.unfit ? 1 : 0;
      outgrown = outgrown || (worker.state == WorkerState::kReady && !worker.outgrown.empty());
      others_end =
          others_end || (wish.mode == RollMode::kRestart && worker.generation != wish.generation);
      const WorkerPolicy& policy = policies_[worker.generation];
      const bool followed = policy.restart == RestartPolicy::kAlways && policy.sockets_stay;
      others_end = others_end || (worker.leaving && !followed);
    }
    const std::string where = " in slot " + std::to_string(number);
    if (!rolling && !outgrown && starting + ready > 1)
      Wrong("two workers are meant to serve" + where);
    if (starting > 1 || starting + ready > 2) Wrong("too many workers" + where);
    if (starting + ready > 0 || others_end) continue;
    const FleetSlot& slot = fleet.slots.at(number);
    if (slot.finished) continue;
    const bool probes = all_crash && !any_serves && any_starts;
    const bool spare =
        std::any_of(fleet.workers.begin(), fleet.workers.end(), [&](const auto& entry) {
          return IsLiveSpare(entry.second) && !entry.second.disconnected &&
                 entry.second.generation == slot.generation;
        });
    if (spare && !probes) Wrong("nobody" + where + " though there is a spare");
    if (slot.retry_at > now_ && !spare) {
      if (!fleet_.deadline() || *fleet_.deadline() > slot.retry_at) Wrong("no timer" + where);
      continue;
    }
    const bool awaits_turn = spawned_now >= kSpawnsAtOnce && fleet_.deadline() <= now_ + 1;
    if (!probes && !awaits_turn) Wrong("nobody" + where);
  }
}

void FleetWorld::CheckReplacements() {
  const FleetState& fleet = state();
  int replaced = 0;
  for (const auto& [id, worker] : fleet.workers) {
    if (worker.state != WorkerState::kReady || worker.outgrown.empty()) continue;
    if (worker.slot > fleet.wish.size || worker.unfit) continue;
    for (const auto& [other_id, other] : fleet.workers) {
      const bool beside = other.slot == worker.slot && other_id != id &&
                          other.generation == worker.generation && IsStaying(other);
      replaced += beside ? 1 : 0;
    }
  }
  if (replaced > 1) Wrong("replaces more than one at a time of those that have outgrown");
  for (const auto& [number, slot] : fleet.slots) {
    const auto& most = policies_[slot.generation].max_restarts;
    if (slot.given_up && !slot.finished) Wrong("a slot that was given up is not finished");
    if (slot.given_up && !(most && slot.short_lives > *most)) Wrong("gave up a slot too early");
    const bool due = most && slot.short_lives > *most && slot.generation == fleet.wish.generation;
    if (due && !slot.given_up && fleet.wish.mode == RollMode::kRestart) {
      Wrong("a slot with too many failures was not given up");
    }
  }
}

void FleetWorld::CheckPatience() {
  for (const auto& [id, worker] : state().workers) {
    const auto found = processes_.find(id);
    if (found == processes_.end()) {
      Wrong("the fleet knows a worker that has ended");
      return;
    }
    const Process& process = found->second;
    const WorkerPolicy& policy = policies_[worker.generation];
    Millis limit = now_;
    switch (worker.state) {
      case WorkerState::kStarting:
        limit = worker.spawned_at + policy.ready_timeout + (worker.disconnected ? kExitFollows : 0);
        // It had waited for however long.
        if (IsSpare(worker) && worker.listens && worker.disconnected) {
          limit = process.channel_ended_at + kExitFollows;
        }
        break;
      case WorkerState::kReady:
        break;
      case WorkerState::kDraining:
        limit = worker.hung_up ? process.hung_up_at + kAfterHangUp
                               : process.asked_at + policy.drain_timeout;
        break;
      case WorkerState::kStopping:
        limit = process.asked_at + policy.stop_timeout;
        break;
      case WorkerState::kKilling:
        limit = process.asked_at + kKillAgain;
        break;
    }
    if (worker.state > WorkerState::kReady && process.asked != worker.state) {
      Wrong("worker " + std::to_string(id) + " was never asked to be " + Name(worker.state));
    }
    const bool waits = IsLiveSpare(worker) && worker.listens && !worker.disconnected;
    if (now_ > limit + lateness_ && !waits) {
      Wrong("worker " + std::to_string(id) + " is " + Name(worker.state) + " for too long");
    }
    const bool limited = worker.state != WorkerState::kReady && !waits;
    if (limited && (!fleet_.deadline() || *fleet_.deadline() > limit + lateness_)) {
      Wrong("no timer for worker " + std::to_string(id) + ", " + Name(worker.state));
    }
  }
}

void FleetWorld::CheckStopped() {
  for (const auto& [id, worker] : state().workers) {
    if (IsStaying(worker)) Wrong("a worker stays though the wish says stop");
    if (worker.state == WorkerState::kDraining && !state().wish.soft_stop) {
      Wrong("a worker drains though it should stop at once");
    }
  }
  if (state().workers.empty() && fleet_.deadline()) Wrong("waits for something after the end");
}

void FleetWorld::CheckSnapshot() {
  if (OverTheWire(state()) != state()) Wrong("the snapshot is not what was written");
}

}  // namespace slc
