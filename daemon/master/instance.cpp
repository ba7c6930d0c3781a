#include "daemon/master/instance.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "common/base/cgroup.h"
#include "common/base/leftovers.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "daemon/master/cluster_messages.h"

namespace slc {
namespace {

std::uint64_t RandomSeed() { return static_cast<std::uint64_t>(::getpid()) * 2654435761U; }

LogSettings LogSettingsOf(const GenerationConfig& config) {
  LogSettings settings;
  settings.format = config.log_format;
  settings.file_bytes = config.log_file_bytes;
  settings.files = config.log_files;
  settings.rate = config.limits.log_rate;
  return settings;
}

}  // namespace

Instance::Instance(uv::Loop& loop, ControlLink& link, LogPump& logs, const link::Setup& setup,
                   SpawnEnvironment environment)
    : loop_(loop),
      link_(link),
      logs_(logs),
      service_(setup.service),
      epoch_(setup.epoch),
      cookie_(setup.cookie),
      boot_id_(BootId()),
      started_wall_(WallNow()),
      fleet_(RandomSeed()),
      safekeeping_(link, setup.epoch),
      snapshot_(safekeeping_, [this] { return GatherState(); }),
      configs_(safekeeping_),
      connections_(
          loop,
          [this](WorkerId id) -> NodeChannel* {
            WorkerProcess* worker = workers_.Find(id);
            return worker == nullptr ? nullptr : worker->channel();
          },
          numbers_),
      desk_(fleet_, configs_, connections_, safekeeping_, snapshot_, numbers_),
      inspections_(loop, link, fleet_, configs_, [this](WorkerId id) { return workers_.Find(id); }),
      messages_(
          loop, desk_, connections_, inspections_, snapshot_, numbers_,
          [this](WorkerProcess& worker) { OnListens(worker); }, [this] { OnProgress(); },
          [this](const WorkerProcess& worker) {
            Feed(WorkerHindered{worker.id(), worker.failed_listen});
          },
          [this](const WorkerProcess& worker) { OnStandstill(worker); },
          [this](const WorkerProcess& worker) { OnMoved(worker); },
          [this](WorkerProcess& worker, const ConductFact& fact) { workers_.Note(worker, fact); }),
      workers_(loop, std::move(environment), logs, safekeeping_, snapshot_, numbers_,
               Workers::Events{[this](WorkerProcess& worker, std::string_view line) {
                                 messages_.Read(worker, line);
                               },
                               [this](WorkerId id) {
                                 if (const WorkerProcess* worker = workers_.Find(id)) {
                                   inspections_.Disconnected(*worker);
                                 }
                                 connections_.Retire(id);
                                 Feed(WorkerDisconnected{id});
                               },
                               [this] { connections_.Resume(); }, [this] { ArmTimer(); },
                               [this](const WorkerProcess& worker) { OnEnded(worker); },
                               [this](const WorkerProcess& worker) { Bury(worker); }}),
      notices_(loop, safekeeping_,
               [this](pid_t sender, const WorkerNotice& notice) { OnNotice(sender, notice); }),
      reporter_(loop, link, fleet_, workers_, desk_, logs),
      memory_limit_(loop, fleet_, workers_, configs_,
                    [this](WorkerId id, const std::string& why) {
                      Feed(WorkerOutgrew{id, why});
                    }),
      timer_(loop,
             [this] {
               JudgeReadiness();
               JudgeConduct();
               JudgeSilence();
               Feed(TimePassed{});
             }),
      finish_timer_(loop, [this] { loop_.Stop(); }),
      last_queues_(
          loop, [this](WorkerId worker) { return desk_.LeavesQueue(worker); },
          [this](WorkerId worker) { DrainNow(worker); }) {
  logs_.OnBehind([this] {
    snapshot_.NoteChange();
    snapshot_.Save();
  });
  logs_.OnFlood([this] { reporter_.NotifyFlood(); });
}

// ------------------------------------------------------------------------------------------------
// orders

void Instance::Obey(const FleetWish& wish, std::vector<UniqueFd> configs) {
  for (UniqueFd& memfd : configs) AddConfig(std::move(memfd));
  if (leaving_ && in_charge_) return;
  const GenerationConfig* config = configs_.Find(wish.generation);
  if (wish.run && config == nullptr) {
    log::Failure("order " + std::to_string(wish.order) + " names generation " +
                 std::to_string(wish.generation) + ", whose config has not come");
    return;
  }
  // Before the first line is logged: it has the format that was asked for, too.
  if (config != nullptr) logs_.SetSettings(LogSettingsOf(*config));
  if (!in_charge_) {
    in_charge_ = true;
    log::Info("supervisor starting (pid " + std::to_string(::getpid()) + ")");
    snapshot_.Start();
  }
  if (leaving_) return StopAll(wish);
  if (wish.run && wish.size != fleet_.state().wish.size) {
    log::Info("supervisor size set to " + std::to_string(wish.size));
  }
  Feed(WishChanged{wish});
}

void Instance::AddConfig(UniqueFd memfd) {
  const GenerationConfig* config = configs_.Add(std::move(memfd));
  if (config == nullptr) return;
  WorkerPolicy policy = config->policy;
  policy.sockets_stay = !config->listen.empty();
  fleet_.SetPolicy(config->generation, policy);
  workers_.Know(*config);
}

void Instance::Leave() {
  leaving_ = true;
  if (in_charge_) StopAll(fleet_.state().wish);
}

void Instance::StopAll(FleetWish wish) {
  wish.run = false;
  wish.soft_stop = true;
  Feed(WishChanged{wish});
}

void Instance::NoteStatus(const ProcessIdentity& process, int status) {
  workers_.NoteStatus(process, status);
}

void Instance::CollectAdopted(const std::vector<std::string>& names, std::vector<UniqueFd> fds) {
  predecessor_.Collect(names, std::move(fds));
}

void Instance::TakeOver() {
  if (in_charge_) return;
  const std::optional<InstanceState> state = predecessor_.ReadState();
  snapshot_.Continue(predecessor_.Take(link::kStateName));
  if (!state) {
    // Nothing is known of what runs: it is cleared away, and the order that follows starts afresh.
    KillByCookie(cookie_ + ".");
    safekeeping_.Drop(predecessor_.Forget());
    return;
  }
  fleet_ = Fleet(state->fleet, RandomSeed());
  for (UniqueFd& memfd : predecessor_.TakeConfigs()) AddConfig(std::move(memfd));
  if (const GenerationConfig* config = configs_.Find(state->fleet.wish.generation)) {
    logs_.SetSettings(LogSettingsOf(*config));
  }
  numbers_.ContinueAfter(state->message_seq);
  log_health_ = state->log;
  log_health_.trouble.clear();
  log_health_.behind = false;
  logs_.CountOn(state->log.lines_dropped);
  const std::set<std::string> gone = desk_.Adopt(state->listeners, predecessor_);
  notices_.Adopt(predecessor_);
  const std::vector<WorkerId> lost = workers_.Adopt(*state, predecessor_, in_place_, gone);
  const std::size_t kept = workers_.all().size();
  // Of a spare nobody is told: it served nobody.
  const auto replaced =
      static_cast<std::size_t>(std::count_if(lost.begin(), lost.end(), [&](WorkerId id) {
        return !IsSpare(state->fleet.workers.at(id));
      }));
  for (const auto& [id, worker] : workers_.all()) JudgeOn(*worker);
  connections_.Adopt(predecessor_);
  // What the state does not name, e.g. a socket that was stored just before the end: slcd would
  // hold its port for ever.
  safekeeping_.Drop(predecessor_.Forget());
  for (const auto& [id, worker] : workers_.all()) desk_.Serve(*worker);
  for (const auto& [id, worker] : workers_.all()) BeginHeartbeat(*worker);
  for (const WorkerId id : lost) connections_.Forget(id);
  in_charge_ = true;
  snapshot_.NoteChange();
  if (!in_place_) {
    log::Warn("supervisor (pid " + std::to_string(::getpid()) + ") takes over from pid " +
              std::to_string(state->master.pid) + ": " + std::to_string(kept) + " workers go on, " +
              std::to_string(replaced) + " are replaced; up to " +
              std::to_string(InHand::Most(state->log.behind) >> 10) +
              " KiB of what each worker printed just before may be missing here" +
              (state->log.trouble.empty() ? "" : ", since " + state->log.trouble));
  }
  if (!snapshot_.started()) snapshot_.Start();
  for (const WorkerId id : lost) Feed(WorkerLost{id});
  RepeatDeeds();
  Feed(TimePassed{});
  if (in_place_) return;
  link_.Send(link::InCharge{epoch_, static_cast<std::uint32_t>(kept),
                            static_cast<std::uint32_t>(replaced)});
  if (leaving_) Leave();
}

// ------------------------------------------------------------------------------------------------
// facts in

void Instance::Feed(const FleetEvent& event) {
  inbox_.push_back(event);
  // Deeds can fail at once (a worker that cannot be started): that is a fact for the next round,
  // not for a fleet in the middle of one.
  if (feeding_) return;
  feeding_ = true;
  while (!inbox_.empty()) {
    const FleetEvent next = std::move(inbox_.front());
    inbox_.pop_front();
    const std::vector<FleetAction> actions = fleet_.On(next, loop_.now());
    snapshot_.NoteChange();
    reporter_.NoteFailure();
    // Before a process exists: whoever takes over must know that it may exist. Once for all that
    // are started now, or hundreds of workers would each write of all the others.
    const bool starts = std::any_of(actions.begin(), actions.end(), [](const auto& action) {
      return std::holds_alternative<SpawnWorker>(action);
    });
    if (starts) snapshot_.Save();
    for (const FleetAction& action : actions) {
      std::visit([this](const auto& deed) { Do(deed); }, action);
    }
  }
  feeding_ = false;
  desk_.CloseUnused();
  const std::vector<Generation> live = fleet_.LiveGenerations();
  configs_.DropOld(live, fleet_.state().wish.generation);
  workers_.KeepOnly(live);
  snapshot_.Save();
  memory_limit_.Review();
  TellFacts();
  ArmTimer();
}

void Instance::ArmTimer() {
  const std::optional<Millis> fleet = fleet_.deadline();
  const std::optional<Millis> judges = workers_.deadline();
  if (fleet || judges) {
    timer_.StartAt(fleet && judges ? std::min(*fleet, *judges)
                                   : fleet.value_or(judges.value_or(0)));
  } else {
    timer_.Stop();
  }
}

void Instance::OnProgress() {
  JudgeReadiness();
  TellFacts();
  ArmTimer();
}

void Instance::OnListens(WorkerProcess& worker) {
  const auto found = fleet_.state().workers.find(worker.id());
  if (found == fleet_.state().workers.end() || found->second.listens) return;
  if (IsSpare(found->second)) worker.channel()->Send(AgentKeepCode());
  Feed(WorkerListens{worker.id()});
}

void Instance::JudgeReadiness() {
  for (const WorkerId id : workers_.TakeReady()) {
    logs_.ForgetTail(id);
    log::Info("supervisor worker " + std::to_string(id) + " (pid " +
              std::to_string(workers_.Find(id)->facts().process.pid) + ") is ready");
    // Before the fact that may complete an order: whoever waits for that order hangs up then.
    reporter_.Notify("worker_ready", id);
    Feed(WorkerReady{id});
    WorkerProcess* worker = workers_.Find(id);
    if (worker == nullptr) continue;
    desk_.Serve(*worker);
    BeginHeartbeat(*worker);
  }
}

// Of one that is ready. What a predecessor had found counts until it moves; the question may have
// died with that.
void Instance::BeginHeartbeat(WorkerProcess& worker) {
  const auto found = fleet_.state().workers.find(worker.id());
  const bool ready = found != fleet_.state().workers.end() &&
                     found->second.state == WorkerState::kReady && !found->second.disconnected;
  if (!ready || !AnswersPings(worker.facts().agent_version)) return;
  const WorkerLimits& limits = configs_.Of(fleet_.state(), worker.id()).limits;
  worker.heartbeat.Begin(limits.hang_timeout, loop_.now());
  worker.heartbeat.Excuse(worker.facts().excused_until);
  if (worker.facts().stuck_since == 0) return;
  connections_.SetStuck(worker.id(), true);
  workers_.Suspect(worker.id());
}

void Instance::JudgeSilence() {
  for (const auto& [id, deed] : workers_.TakeSilent()) {
    WorkerProcess* worker = workers_.Find(id);
    if (worker == nullptr) continue;
    const Millis since = worker->heartbeat.asked_at().value_or(loop_.now());
    connections_.SetStuck(id, true);
    if (worker->facts().stuck_since == 0) {
      worker->facts().stuck_since = since;
      snapshot_.NoteChange();
      snapshot_.Save();
    }
    if (deed != Heartbeat::Deed::kTellHung) continue;
    const Millis timeout = configs_.Of(fleet_.state(), id).limits.hang_timeout;
    const std::string why = "hung, its event loop had not turned for " + FormatSpan(timeout);
    log::Failure("supervisor worker id " + std::to_string(id) + " (pid " +
                 std::to_string(worker->facts().process.pid) + ") " + why + "; it is replaced");
    Feed(WorkerHung{id, since, why});
  }
}

// What comes meanwhile is for the others, from the first on.
void Instance::OnStandstill(const WorkerProcess& worker) {
  connections_.SetStuck(worker.id(), true);
  workers_.Suspect(worker.id());
  ArmTimer();
}

void Instance::OnMoved(const WorkerProcess& worker) {
  const WorkerId id = worker.id();
  connections_.SetStuck(id, false);
  const auto found = fleet_.state().workers.find(id);
  if (found == fleet_.state().workers.end() || !found->second.hung) return;
  log::Info("supervisor worker id " + std::to_string(id) + ": its event loop turns again");
  Feed(WorkerMoved{id});
}

bool Instance::IsAskedToEnd(WorkerId id) const {
  const auto found = fleet_.state().workers.find(id);
  return found != fleet_.state().workers.end() && found->second.state > WorkerState::kReady;
}

void Instance::JudgeConduct() {
  for (const auto& [id, why] : workers_.TakeRogues()) {
    log::Failure("supervisor worker id " + std::to_string(id) + " (pid " +
                 std::to_string(workers_.Find(id)->facts().process.pid) + ") " + why +
                 "; it is killed");
    Feed(WorkerBroke{id, why});
  }
}

void Instance::OnEnded(const WorkerProcess& worker) {
  const WorkerId id = worker.id();
  // It may have said that it leaves.
  notices_.ReadDry();
  inspections_.Ended(worker);
  const bool expected = IsAskedToEnd(id);
  const std::string who = "supervisor worker id " + std::to_string(id) + " (pid " +
                          std::to_string(worker.facts().process.pid) + ")";
  if (expected) {
    log::Info(who + " expected end: " + worker.end->how);
  } else {
    log::Failure(who + " accidental end: " + worker.end->how);
  }
  connections_.Forget(id);
  // A stopped or replaced worker must not leave children that hold its port or its files: it has
  // ended when they have.
  if (expected || !fleet_.state().wish.run) return workers_.KillLeftovers(worker);
  Bury(worker);
}

void Instance::Bury(const WorkerProcess& worker) {
  const WorkerId id = worker.id();
  const WorkerEnd end = *worker.end;
  reporter_.NotifyEnd(id, end, !IsAskedToEnd(id));
  workers_.Remove(id);
  Feed(WorkerExited{id, end.clean, end.how, end.status});
  logs_.ForgetTail(id);
}

// ------------------------------------------------------------------------------------------------
// deeds out

void Instance::Do(const SpawnWorker& action) {
  const GenerationConfig* config = configs_.Find(action.generation);
  Status started =
      Error{ErrorCode::kInternal,
            "the config of generation " + std::to_string(action.generation) + " is missing"};
  if (config != nullptr) started = StartWorker(action, *config);
  if (started) {
    return reporter_.Notify(action.slot == 0 ? "spare_started" : "worker_started", action.worker);
  }
  log::Failure("supervisor cannot start worker " + std::to_string(action.worker) + ": " +
               started.error().message);
  reporter_.NotifyEnd(action.worker, WorkerEnd{false, started.error().message, {}}, true);
  WorkerExited unborn{action.worker, false, started.error().message};
  unborn.unborn = started.error().code == ErrorCode::kSystem;
  Feed(unborn);
}

Status Instance::StartWorker(const SpawnWorker& action, const GenerationConfig& config) {
  auto listeners = desk_.Provide(config, action);
  if (!listeners) return listeners.error();
  Provisions provisions{std::move(*listeners), {}};
  if (!config.node) provisions.notify_socket = notices_.AddressFor(config);
  Status started = workers_.Start(action, config, JudgeFor(action, config), provisions);
  if (const WorkerProcess* worker = workers_.Find(action.worker)) desk_.Serve(*worker);
  return started;
}

ReadinessJudge Instance::JudgeFor(const SpawnWorker& action, const GenerationConfig& config) const {
  auto [expected, same_generation] = ExpectedOf(action.worker, action.generation);
  return ReadinessJudge(config.readiness, config.node, std::move(expected), same_generation,
                        loop_.now());
}

std::pair<std::set<std::string>, bool> Instance::ExpectedOf(WorkerId worker,
                                                            Generation generation) const {
  const WorkerId predecessor = fleet_.PredecessorOf(worker);
  const WorkerProcess* before = workers_.Find(predecessor);
  if (before == nullptr) return {{}, true};
  const auto& keys = before->facts().keys;
  return {{keys.begin(), keys.end()},
          fleet_.state().workers.at(predecessor).generation == generation};
}

void Instance::Do(const PromoteSpare& action) {
  WorkerProcess* worker = workers_.Find(action.worker);
  if (worker == nullptr) return;
  workers_.Promote(action.worker, action.slot);
  reporter_.Notify("spare_takes_slot", action.worker);
  if (worker->judge) {
    const auto generation = fleet_.state().workers.at(action.worker).generation;
    auto [expected, same_generation] = ExpectedOf(action.worker, generation);
    worker->judge->Expect(std::move(expected), same_generation);
  }
  messages_.LetGo(*worker);
}

void Instance::Do(const DrainWorker& action) {
  connections_.Retire(action.worker);
  if (workers_.Find(action.worker) == nullptr) return;
  // It has the rest of its time to end.
  const Millis most = configs_.Of(fleet_.state(), action.worker).policy.drain_timeout / 2;
  last_queues_.Await(action.worker, most);
}

void Instance::DrainNow(WorkerId worker) {
  const auto found = fleet_.state().workers.find(worker);
  const bool drains =
      found != fleet_.state().workers.end() && found->second.state == WorkerState::kDraining;
  if (!drains || workers_.Find(worker) == nullptr) return;
  workers_.Drain(worker, configs_.Of(fleet_.state(), worker));
  reporter_.Notify("worker_draining", worker);
}

void Instance::Do(const HangUpWorker& action) { workers_.HangUp(action.worker); }

void Instance::Do(const TerminateWorker& action) {
  connections_.Retire(action.worker);
  workers_.Terminate(action.worker, configs_.Of(fleet_.state(), action.worker));
}

void Instance::Do(const KillWorker& action) {
  if (action.waited > 0) reporter_.NotifyKilled(action.worker, action.waited);
  connections_.Retire(action.worker);
  workers_.Kill(action.worker);
}

void Instance::Do(const ReportOutgrown& action) {
  const std::string& why = fleet_.state().workers.at(action.worker).outgrown;
  const std::string what =
      why + (action.pause > 0 ? "; so soon after its start that its successor comes in " +
                                    FormatSpan(action.pause)
                              : "; a successor takes its place");
  log::Warn("supervisor worker " + std::to_string(action.worker) + " " + what);
  reporter_.NotifyOutgrown(action.worker, what);
}

void Instance::Do(const ReportSlotGivenUp& action) {
  const std::string why = fleet_.state().failure ? fleet_.state().failure->reason : std::string();
  log::Failure("supervisor: " + why);
  reporter_.NotifySlotGivenUp(action.slot, why);
}

// What was ordered but perhaps not done before the predecessor died is done again; each is harmless
// twice, but for the drain, which is remembered.
void Instance::RepeatDeeds() {
  for (const auto& [id, worker] : workers_.all()) {
    const auto found = fleet_.state().workers.find(id);
    if (found == fleet_.state().workers.end()) continue;
    const WorkerState state = found->second.state;
    if (state == WorkerState::kDraining && !worker->facts().drain_sent) Do(DrainWorker{id});
    if (found->second.hung_up) Do(HangUpWorker{id});
    if (state == WorkerState::kStopping) Do(TerminateWorker{id});
    if (state == WorkerState::kKilling) Do(KillWorker{id, 0});
  }
}

// ------------------------------------------------------------------------------------------------
// telling

LogHealth Instance::HealthOfLogs() const {
  LogHealth health{logs_.dropped(), log_health_.dropped_at, logs_.trouble(), logs_.behind()};
  if (health.lines_dropped > log_health_.lines_dropped) health.dropped_at = loop_.now();
  return health;
}

void Instance::LookAround() {
  workers_.LookAtMemory();
  LogHealth health = HealthOfLogs();
  if (health != log_health_) {
    log_health_ = std::move(health);
    snapshot_.NoteChange();
  }
  LookForStuck();
  snapshot_.Save();
}

// An answer of the worker ends it, see WorkerMessages. What a predecessor had seen goes on till
// then: it knew an earlier moment.
void Instance::LookForStuck() {
  for (const auto& [id, worker] : workers_.all()) {
    const std::optional<Millis> since = connections_.StuckSince(id);
    if (!since || worker->facts().stuck_since > 0) continue;
    worker->facts().stuck_since = *since;
    snapshot_.NoteChange();
  }
  for (const WorkerId id : connections_.Awaited()) workers_.Suspect(id);
  // What one of them does not take the others do, so that nothing is seen to wait. Who has nothing
  // to do is not woken.
  for (const auto& group : connections_.Sharing()) {
    if (!workers_.AnyWorked(group)) continue;
    for (const WorkerId id : group) workers_.Suspect(id);
  }
  ArmTimer();
}

InstanceState Instance::GatherState() const {
  InstanceState state;
  state.service = service_;
  state.epoch = epoch_;
  state.boot_id = boot_id_;
  state.master = IdentifySelf();
  state.master_started_wall = started_wall_;
  state.written_at = loop_.now();
  state.message_seq = numbers_.last();
  state.fleet = fleet_.state();
  state.log = HealthOfLogs();
  for (const auto& [id, worker] : workers_.all()) state.workers[id] = worker->facts();
  state.listeners = desk_.listeners();
  // The snapshot itself is found without: there is one of its kind.
  for (const KeptFd& kept : KeptFds()) state.held[kept.name] = kept.fd;
  return state;
}

// All but the snapshot.
std::vector<KeptFd> Instance::KeptFds() const {
  std::vector<KeptFd> kept;
  for (const auto& part :
       {configs_.KeptFds(), desk_.KeptFds(), workers_.KeptFds(), notices_.KeptFds()}) {
    kept.insert(kept.end(), part.begin(), part.end());
  }
  return kept;
}

std::vector<KeptFd> Instance::AllKept() const {
  std::vector<KeptFd> kept = snapshot_.KeptFds();
  for (KeptFd& each : KeptFds()) kept.push_back(std::move(each));
  return kept;
}

void Instance::StoreAgain(const std::vector<std::string>& missing) {
  safekeeping_.StoreAgain(AllKept(), missing);
}

void Instance::TellEverything() {
  safekeeping_.StoreAll(AllKept());
  reporter_.ForgetTold();
  reporter_.TellMissed();
  TellFacts();
}

void Instance::TellFacts() {
  if (!in_charge_) return;
  reporter_.TellFacts();
  if (InstancePhase(fleet_.state()) == std::string("stopped")) Finish();
}

void Instance::Finish() {
  if (finish_timer_.active()) return;
  KillByCookie(cookie_ + ".");
  RemoveCpuGroupsOf(cookie_);
  notices_.Close();
  log::Info("supervisor stopped");
  logs_.FlushAndStop(2000);
  // In a turn of its own: whoever fed us is still at work.
  finish_timer_.StartIn(0);
}

}  // namespace slc
