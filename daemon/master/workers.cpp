#include "daemon/master/workers.h"

#include <algorithm>
#include <csignal>
#include <limits>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/wire/link.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/exit_reason.h"

namespace slc {
namespace {

// slcd reaps the workers of a master that was killed and tells how they ended; it is given this
// long.
constexpr Millis kStatusPatience = 200;

// Who wants to be accepted waits for a slice at most, and others get the CPU as long as we do.
constexpr std::chrono::milliseconds kSweepSlice{1};
constexpr Millis kSweepPause = 1;

// A process that a predecessor had just made shows its cookie when it has executed its program; a
// slow disk may hold that up.
constexpr Millis kStraysShow = 5000;
// Among the keys of the sweep, where ids of workers begin with 1.
constexpr std::uint64_t kStrays = 0;

}  // namespace

// ------------------------------------------------------------------------------------------------
// deeds

Status Workers::Start(const SpawnWorker& action, const GenerationConfig& config,
                      ReadinessJudge judge, const Provisions& provisions) {
  const WorkerId id = action.worker;
  const auto cpu_group = cpu_groups_.For(config);
  if (!cpu_group) return cpu_group.error();
  auto prepared = WorkerProcess::Prepare(loop_, id, action.slot, EventsOf(id));
  if (!prepared) return prepared.error();
  WorkerProcess& worker = **prepared;
  if (!config.node) {
    for (const ProvidedListener& listener : provisions.listeners) {
      worker.facts().keys.push_back(listener.key);
    }
  }
  workers_[id] = std::move(*prepared);
  // Before the process exists slcd must hold the other ends, or the worker would die with us.
  std::vector<KeptFd> kept;
  for (KeptFd& each : worker.KeptFds()) {
    if (!config.node && EndsWith(each.name, "/channel")) continue;
    kept.push_back(std::move(each));
  }
  safekeeping_.Store(kept);
  if (Status started =
          worker.Start(config, environment_, action.told, provisions, cpu_group->get());
      !started) {
    for (const KeptFd& each : kept) safekeeping_.Drop({each.name});
    workers_.erase(id);
    return started;
  }
  worker.judge = std::make_unique<ReadinessJudge>(std::move(judge));
  // Written when all are started: until then a successor finds this one by its cookie.
  snapshot_.NoteChange();
  const pid_t pid = worker.facts().process.pid;
  if (config.limits.nice) autogroup_.SetNice(worker.facts().process, *config.limits.nice);
  logs_.Add(id, pid, worker.output_fd(), worker.errors_fd());
  log::Info(std::string("supervisor started ") + (action.slot == 0 ? "spare " : "") + "worker " +
            std::to_string(id) + " (pid " + std::to_string(pid) + ")");
  worker.Watch();
  return Ok();
}

void Workers::Promote(WorkerId id, SlotNumber slot) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  snapshot_.NoteChange();
  snapshot_.Save();
  worker->TakeSlot(slot);
  // Before any answer: what the app does in its callback of listen() is to know its slot.
  if (worker->channel() != nullptr) worker->channel()->Send(AgentPromote(slot));
  log::Info("supervisor worker " + std::to_string(id) + " (pid " +
            std::to_string(worker->facts().process.pid) + "), the spare, takes slot " +
            std::to_string(slot));
}

void Workers::Drain(WorkerId id, const GenerationConfig& config) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  worker->heartbeat.End();
  snapshot_.NoteChange();
  snapshot_.Save();
  if (worker->channel() != nullptr && !worker->channel()->ended()) {
    // The agent first: once it has seen `disconnect`, Node would already have closed idle
    // connections.
    NodeChannel& channel = *worker->channel();
    channel.Send(AgentDrain(config.drain_linger));
    channel.Send(ShutdownText());
    channel.Send(ShutdownCommand());
    channel.Send(Disconnect(numbers_.Next()));
  } else {
    worker->Signal(config.stop_signal);
  }
  // At once: a successor that drained it a second time would make Node close the channel under it.
  worker->facts().drain_sent = true;
  snapshot_.NoteChange();
  snapshot_.Save();
}

void Workers::HangUp(WorkerId id) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr || worker->channel() == nullptr) return;
  worker->channel()->Send(AgentHangUp());
}

void Workers::Terminate(WorkerId id, const GenerationConfig& config) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  worker->heartbeat.End();
  snapshot_.NoteChange();
  snapshot_.Save();
  worker->Signal(config.stop_signal);
}

void Workers::Kill(WorkerId id) {
  snapshot_.NoteChange();
  snapshot_.Save();
  WorkerProcess* worker = Find(id);
  if (worker != nullptr && worker->end) return;  // its leftovers are being killed
  std::optional<ProcessIdentity> leader;
  if (worker != nullptr) {
    worker->killed = true;
    worker->heartbeat.End();
    worker->Signal(SIGKILL);
    leader = worker->facts().process;
  }
  Search(id, leader);
}

void Workers::KillLeftovers(const WorkerProcess& worker) {
  Search(worker.id(), worker.facts().process);
}

void Workers::Search(WorkerId id, const std::optional<ProcessIdentity>& leader) {
  sweep_.Add(id, CookieOf(id), leader);
  if (!sweep_timer_.active()) sweep_timer_.StartIn(0);
}

void Workers::SearchStrays() {
  sweep_.AddAllBut(kStrays, environment_.cookie + ".", [this](const std::string& id) {
    const auto number = ParseInteger(id, 1, std::numeric_limits<WorkerId>::max());
    return number && Find(static_cast<WorkerId>(*number)) != nullptr;
  });
  if (!sweep_timer_.active()) sweep_timer_.StartIn(0);
}

void Workers::Sweep() {
  const auto done = sweep_.Step(kSweepSlice);
  if (!sweep_.idle()) sweep_timer_.StartIn(kSweepPause);
  for (const auto& [key, signalled] : done) {
    if (key == kStrays) {
      if (signalled == 0) continue;
      log::Warn("killed " + std::to_string(signalled) +
                (signalled == 1 ? " process" : " processes") +
                " that a predecessor had started and noted nowhere");
      continue;
    }
    WorkerProcess* worker = Find(static_cast<WorkerId>(key));
    if (worker != nullptr && worker->end) events_.on_leftovers_gone(*worker);
  }
}

void Workers::Remove(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  for (const KeptFd& kept : found->second->KeptFds()) safekeeping_.Drop({kept.name});
  workers_.erase(found);
  snapshot_.NoteChange();
}

// ------------------------------------------------------------------------------------------------
// taking over

std::vector<WorkerId> Workers::Adopt(const InstanceState& state, Predecessor& predecessor,
                                     bool in_place, const std::set<std::string>& gone) {
  std::vector<WorkerId> lost;
  LeftoverSweep sweep;
  for (const auto& [id, worker] : state.fleet.workers) {
    const auto facts = state.workers.find(id);
    const bool known = facts != state.workers.end() && facts->second.process.pid > 0;
    // A worker that was starting may wait for an answer that died with the predecessor; a spare
    // does, wherever it has got to.
    const bool heard =
        known && (worker.state != WorkerState::kStarting || (in_place && !IsSpare(worker)));
    // One that drains or stops has no more use for a listener than to be left alone.
    const bool serves =
        worker.state == WorkerState::kStarting || worker.state == WorkerState::kReady;
    const bool whole =
        heard && (!serves || std::none_of(facts->second.keys.begin(), facts->second.keys.end(),
                                          [&](const auto& key) { return gone.count(key) > 0; }));
    if (whole && AdoptOne(worker, facts->second, predecessor)) continue;
    sweep.Add(id, CookieOf(id), known ? std::optional(facts->second.process) : std::nullopt);
    for (const char* part : {"channel", "stdout", "stderr"}) {
      predecessor.Take(link::WorkerFdName(id, part));
      safekeeping_.Drop({link::WorkerFdName(id, part)});
    }
    lost.push_back(id);
  }
  // In one go: nothing is accepted yet, and those who replace them want their ports and files.
  sweep.Finish();
  if (!in_place) {
    SearchStrays();
    strays_timer_.StartIn(kStraysShow);
  }
  return lost;
}

bool Workers::AdoptOne(const FleetWorker& worker, const WorkerFacts& facts,
                       Predecessor& predecessor) {
  auto adopted = WorkerProcess::Adopt(loop_, worker.id, worker.slot, facts,
                                      predecessor.Take(link::WorkerFdName(worker.id, "channel")),
                                      predecessor.Take(link::WorkerFdName(worker.id, "stdout")),
                                      predecessor.Take(link::WorkerFdName(worker.id, "stderr")),
                                      EventsOf(worker.id));
  if (!adopted) return false;
  WorkerProcess& process = **adopted;
  const std::string id = std::to_string(worker.id);
  workers_[worker.id] = std::move(*adopted);
  process.Watch();
  if (process.output_fd() >= 0) {
    logs_.Add(worker.id, facts.process.pid, process.output_fd(), process.errors_fd());
    if (worker.state != WorkerState::kStarting) logs_.ForgetTail(worker.id);
    for (const auto& [part, stream] :
         {std::pair("out", LogStream::kOut), {"err", LogStream::kErr}}) {
      logs_.GoOn({worker.id, stream, predecessor.TakeText("rest/" + id + "/" + part)});
    }
  }
  if (process.channel() != nullptr) {
    SentHandles& handles = process.channel()->handles();
    if (!handles.GoOn(predecessor.TakeText("handles/" + id))) handles.Inherit(numbers_.last());
    process.channel()->GoOn(predecessor.TakeText("partial/" + id));
  }
  return true;
}

// ------------------------------------------------------------------------------------------------
// what happens to them

WorkerProcess::Events Workers::EventsOf(WorkerId id) {
  WorkerProcess::Events events;
  events.on_line = [this, id](std::string_view line) {
    if (WorkerProcess* worker = Find(id)) events_.on_line(*worker, line);
  };
  events.on_disconnected = [this, id] {
    if (WorkerProcess* worker = Find(id)) worker->heartbeat.End();
    events_.on_disconnected(id);
  };
  events.on_room = [this] { events_.on_room(); };
  events.on_fact = [this, id](const ConductFact& fact) {
    if (WorkerProcess* worker = Find(id)) Note(*worker, fact);
  };
  events.on_ended = [this, id] { OnProcessEnded(id); };
  return events;
}

void Workers::OnProcessEnded(WorkerId id) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  const std::optional<int> status = worker->ReapStatus();
  if (status || !worker->adopted()) return Conclude(id, status);
  status_awaited_[id] = loop_.now() + kStatusPatience;
  if (!status_timer_.active()) status_timer_.StartIn(kStatusPatience);
}

void Workers::NoteStatus(const ProcessIdentity& process, int status) {
  for (const auto& [id, worker] : workers_) {
    if (worker->facts().process == process) return Conclude(id, status);
  }
}

// Ends whose status has not come in time count without it.
void Workers::StopWaiting() {
  std::vector<WorkerId> overdue;
  std::optional<Millis> next;
  for (const auto& [id, until] : status_awaited_) {
    if (until <= loop_.now()) {
      overdue.push_back(id);
    } else if (!next || until < *next) {
      next = until;
    }
  }
  if (next) status_timer_.StartAt(*next);
  for (const WorkerId id : overdue) Conclude(id, std::nullopt);
}

void Workers::Conclude(WorkerId id, std::optional<int> status) {
  status_awaited_.erase(id);
  WorkerProcess* worker = Find(id);
  if (worker == nullptr || worker->end) return;
  // What it said and printed last is still in the socket and the pipes.
  if (worker->channel() != nullptr) worker->channel()->ReadDry();
  worker->CloseChannel();
  worker->heartbeat.End();
  logs_.Remove(id);
  worker->end = WorkerEnd{
      IsCleanExit(status),
      ExplainExit(status, worker->failed_listen, logs_.Tail(id), CauseOf(*worker, status)), status};
  events_.on_ended(*worker);
}

std::optional<KillCause> Workers::CauseOf(const WorkerProcess& worker, std::optional<int> status) {
  if (worker.killed) return std::nullopt;
  if (WasKilled(status)) return oom_.Judge();
  // Of an unknown end only what is certain is said.
  const bool struck = !status && oom_.Judge() == KillCause::kOutOfMemory;
  return struck ? std::optional(KillCause::kOutOfMemory) : std::nullopt;
}

std::vector<WorkerId> Workers::TakeReady() {
  std::vector<WorkerId> ready;
  for (const auto& [id, worker] : workers_) {
    if (worker->slot() == 0 || !worker->judge || !worker->judge->Ready(loop_.now())) continue;
    worker->judge.reset();
    ready.push_back(id);
  }
  return ready;
}

std::vector<std::pair<WorkerId, std::string>> Workers::TakeRogues() {
  std::vector<std::pair<WorkerId, std::string>> rogues;
  for (const auto& [id, worker] : workers_) {
    if (worker->end) continue;
    auto breach = worker->conduct.TakeBreach(loop_.now());
    if (!breach) continue;
    worker->CloseChannel();
    worker->heartbeat.End();
    rogues.emplace_back(id, std::move(*breach));
  }
  return rogues;
}

std::vector<std::pair<WorkerId, Heartbeat::Deed>> Workers::TakeSilent() {
  std::vector<std::pair<WorkerId, Heartbeat::Deed>> silent;
  for (const auto& [id, worker] : workers_) {
    for (const Heartbeat::Deed deed : worker->heartbeat.Look(loop_.now())) {
      if (deed == Heartbeat::Deed::kAsk) {
        Ask(*worker);
      } else {
        silent.emplace_back(id, deed);
      }
    }
  }
  return silent;
}

void Workers::Suspect(WorkerId id) {
  WorkerProcess* worker = Find(id);
  if (worker != nullptr && worker->heartbeat.Suspect(loop_.now())) Ask(*worker);
}

bool Workers::AnyWorked(const std::set<WorkerId>& workers) {
  constexpr std::uint64_t kIdleTicks = 2;
  bool worked = false;
  for (const WorkerId id : workers) {
    WorkerProcess* worker = Find(id);
    if (worker == nullptr) continue;
    const auto usage = ReadUsage(worker->facts().process.pid);
    if (!usage) continue;
    worked = worked || usage->cpu_ticks > worker->cpu_ticks_seen + kIdleTicks;
    worker->cpu_ticks_seen = usage->cpu_ticks;
  }
  return worked;
}

// What finds no room waits: who does not read is not asked a second time.
void Workers::Ask(WorkerProcess& worker) {
  if (worker.channel() != nullptr) worker.channel()->Send(AgentPing());
}

void Workers::Note(WorkerProcess& worker, const ConductFact& fact) {
  worker.conduct.On(fact, loop_.now());
  if (worker.conduct.deadline()) events_.on_suspicion();
}

std::optional<Millis> Workers::deadline() const {
  std::optional<Millis> next;
  const auto consider = [&next](std::optional<Millis> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const auto& [id, worker] : workers_) {
    if (worker->judge && worker->slot() > 0) consider(worker->judge->deadline());
    if (!worker->end) consider(worker->conduct.deadline());
    consider(worker->heartbeat.deadline());
  }
  return next;
}

WorkerProcess* Workers::Find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

const WorkerProcess* Workers::Find(WorkerId id) const {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

std::vector<KeptFd> Workers::KeptFds() const {
  std::vector<KeptFd> kept;
  for (const auto& [id, worker] : workers_) {
    for (KeptFd& each : worker->KeptFds()) kept.push_back(std::move(each));
  }
  return kept;
}

std::string Workers::CookieOf(WorkerId id) const {
  return environment_.cookie + "." + std::to_string(id);
}

}  // namespace slc
