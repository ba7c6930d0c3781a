#include "daemon/master/instance.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/master/listeners.h"

namespace slc {
namespace {

constexpr std::size_t kFirstSnapshotBytes = 16U << 10;
// slcd reaps the workers of a master that was killed and tells how they ended; it is given this
// long.
constexpr Millis kStatusPatience = 200;

Result<GenerationConfig> ReadConfig(int memfd) {
  auto text = ReadMemfd(memfd);
  if (!text) return text.error();
  auto parsed = ParseJson(*text);
  if (!parsed) return parsed.error();
  GenerationConfig config;
  if (Status read = FromJson(*parsed, config); !read) return read.error();
  return config;
}

LogSettings LogSettingsOf(const GenerationConfig& config) {
  LogSettings settings;
  settings.format = config.log_format;
  settings.file_bytes = config.log_file_bytes;
  settings.files = config.log_files;
  return settings;
}

// The line of a stack trace that says what went wrong: "SyntaxError: Unexpected token ')'".
std::string ErrorLine(const std::vector<std::string>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::size_t colon = line->find(": ");
    if (colon == std::string::npos) continue;
    const std::string_view head = std::string_view(*line).substr(0, colon);
    const bool bracketed = head.find(" [") != std::string_view::npos;
    const std::string_view name = head.substr(0, bracketed ? head.find(" [") : head.size());
    if (EndsWith(name, "Error") && name.find(' ') == std::string_view::npos) {
      return line->substr(0, 300);
    }
  }
  return {};
}

}  // namespace

Instance::Instance(uv::Loop& loop, UniqueFd directory, UniqueFd first_link, std::string agent_path,
                   rlimit worker_nofile)
    : loop_(loop),
      directory_(std::move(directory)),
      fleet_(static_cast<std::uint64_t>(::getpid()) * 2654435761U),
      connections_(
          loop,
          [this](WorkerId id) -> NodeChannel* {
            WorkerProcess* worker = Find(id);
            return worker == nullptr ? nullptr : worker->channel();
          },
          [this] { return ++message_seq_; }),
      started_wall_(WallNow()),
      boot_id_(BootId()),
      timer_(loop, [this] { OnTimer(); }),
      finish_timer_(loop, [this] { loop_.Stop(); }),
      link_(loop, directory_.get(), std::move(first_link),
            ControlLink::Events{[this](link::Packet packet, std::vector<UniqueFd> fds) {
                                  OnPacket(std::move(packet), std::move(fds));
                                },
                                [this] { OnLinked(); }}) {
  spawn_environment_.agent_path = std::move(agent_path);
  spawn_environment_.nofile = worker_nofile;
  const auto leave = [this] {
    // The operator (or the machine going down) ends this instance; what is wished stays wished.
    leaving_ = true;
    FleetWish wish = fleet_.state().wish;
    wish.run = false;
    wish.soft_stop = true;
    Feed(WishChanged{wish});
  };
  on_term_ = std::make_unique<uv::Signal>(loop, SIGTERM, leave);
  on_int_ = std::make_unique<uv::Signal>(loop, SIGINT, leave);
}

Instance::~Instance() { log::SetSink(nullptr); }

// ----------------------------------------------------------------------------------------------
// orders

void Instance::OnLinked() {
  link::MasterHello hello;
  hello.epoch = setup_.epoch;
  hello.master = IdentifySelf();
  hello.boot_id = boot_id_;
  hello.in_charge = in_charge_;
  link_.Send(hello);
  if (in_charge_) StoreEverything();
}

void Instance::OnPacket(link::Packet packet, std::vector<UniqueFd> fds) {
  if (const auto* setup = std::get_if<link::Setup>(&packet)) return Begin(*setup);
  if (!begun_) return;
  if (const auto* order = std::get_if<link::Order>(&packet)) return Obey(*order, std::move(fds));
  if (const auto* adopt = std::get_if<link::AdoptFds>(&packet)) {
    return CollectAdopted(*adopt, std::move(fds));
  }
  if (std::holds_alternative<link::AdoptEnd>(packet)) return TakeOver();
  if (const auto* exit = std::get_if<link::ExitStatus>(&packet)) {
    for (const auto& [id, worker] : workers_) {
      if (worker->facts().process == exit->process) return Bury(id, exit->status);
    }
  }
}

void Instance::Begin(const link::Setup& setup) {
  if (begun_) return;
  setup_ = setup;
  spawn_environment_.cookie = setup.cookie;
  link_.SetRevival({setup.daemon_program, setup.home, spawn_environment_.nofile});
  logs_ = std::make_unique<LogPump>(loop_, setup.log_directory, LogSettings{});
  log::SetSink([this](log::Level level, const std::string& line) { logs_->Say(level, line); });
  // Two masters of one instance would hand out the same connections: the lock is held for life.
  auto lock = LockFileAt(directory_.get(), "master.lock", std::to_string(::getpid()) + "\n");
  if (!lock) {
    log::Failure("another master holds this instance: " + lock.error().message);
    return loop_.Stop();
  }
  lock_ = std::move(*lock);
  if (Status listening = link_.Listen(); !listening) {
    log::Failure("supervisor cannot be reached by a later slcd: " + listening.error().message);
  }
  begun_ = true;
}

void Instance::Obey(const link::Order& order, std::vector<UniqueFd> fds) {
  for (UniqueFd& fd : fds) AddConfig(std::move(fd));
  if (leaving_) return;
  if (order.wish.run && configs_.count(order.wish.generation) == 0) {
    log::Failure("order " + std::to_string(order.wish.order) + " names generation " +
                 std::to_string(order.wish.generation) + ", whose config has not come");
    return;
  }
  // Before the first line is logged: it has the format that was asked for, too.
  const auto config = configs_.find(order.wish.generation);
  if (config != configs_.end()) logs_->SetSettings(LogSettingsOf(config->second.config));
  if (!in_charge_) {
    in_charge_ = true;
    log::Info("supervisor starting (pid " + std::to_string(::getpid()) + ")");
    StoreState();
  }
  const FleetWish before = fleet_.state().wish;
  if (order.wish.run && order.wish.size != before.size) {
    log::Info("supervisor size set to " + std::to_string(order.wish.size));
  }
  Feed(WishChanged{order.wish});
}

bool Instance::AddConfig(UniqueFd memfd) {
  auto config = ReadConfig(memfd.get());
  if (!config) {
    log::Failure("a generation's config is unreadable: " + config.error().message);
    return false;
  }
  const Generation generation = config->generation;
  // A generation's config never changes: one that a new daemon has resolved again is not needed.
  const auto known = configs_.find(generation);
  if (known != configs_.end()) {
    link_.Send(link::Store{setup_.epoch, {link::ConfigName(generation)}},
               {known->second.memfd.get()});
    return true;
  }
  fleet_.SetPolicy(generation, config->policy);
  link_.Send(link::Store{setup_.epoch, {link::ConfigName(generation)}}, {memfd.get()});
  configs_[generation] = Config{std::move(*config), std::move(memfd)};
  return true;
}

void Instance::CollectAdopted(const link::AdoptFds& packet, std::vector<UniqueFd> fds) {
  for (std::size_t i = 0; i < packet.names.size() && i < fds.size(); ++i) {
    adopted_fds_[packet.names[i]] = std::move(fds[i]);
  }
}

UniqueFd Instance::TakeAdopted(const std::string& name) {
  const auto found = adopted_fds_.find(name);
  if (found == adopted_fds_.end()) return {};
  UniqueFd fd = std::move(found->second);
  adopted_fds_.erase(found);
  return fd;
}

void Instance::TakeOver() {
  if (in_charge_) return;
  InstanceState state;
  bool known = false;
  if (UniqueFd memfd = TakeAdopted(link::kStateName)) {
    auto content = ReadSnapshot(memfd.get());
    if (content) {
      auto decoded = DecodeInstanceState(content->state);
      if (decoded) {
        state = std::move(*decoded);
        known = true;
      } else {
        log::Failure("the predecessor's state is unreadable: " + decoded.error().message);
      }
    }
    auto snapshot = Snapshot::Continue(std::move(memfd));
    if (snapshot) snapshot_ = std::move(*snapshot);
  }
  if (!known) {
    // Nothing is known of what runs: it is cleared away, and the order that follows starts afresh.
    KillByCookie(setup_.cookie + ".");
    adopted_fds_.clear();
    return;
  }
  std::vector<std::string> config_names;
  for (const auto& [name, fd] : adopted_fds_) {
    if (StartsWith(name, "config/")) config_names.push_back(name);
  }
  fleet_ = Fleet(state.fleet, static_cast<std::uint64_t>(::getpid()) * 2654435761U);
  for (const std::string& name : config_names) AddConfig(TakeAdopted(name));
  // Answers to what the predecessor sent must not be taken for answers to us.
  constexpr std::uint64_t kSeqStep = 1U << 20;
  message_seq_ = state.message_seq + kSeqStep;
  AdoptListeners(state);
  const std::vector<WorkerId> lost = AdoptWorkers(state);
  adopted_fds_.clear();
  in_charge_ = true;
  dirty_ = true;
  log::Warn(
      "supervisor (pid " + std::to_string(::getpid()) + ") takes over from pid " +
      std::to_string(state.master.pid) + ": " + std::to_string(workers_.size()) +
      " workers go on, " + std::to_string(lost.size()) +
      " are replaced; up to 64 KiB of what each worker printed just before may be missing here");
  if (!snapshot_) StoreState();
  for (const WorkerId id : lost) Feed(WorkerLost{id});
  // What was ordered but perhaps not done before the predecessor died is done again; each is
  // harmless twice, but for the drain, which is remembered.
  for (const auto& [id, worker] : workers_) {
    const auto found = fleet_.state().workers.find(id);
    if (found == fleet_.state().workers.end()) continue;
    if (found->second.state == WorkerState::kDraining && !worker->facts().drain_sent) {
      Do(DrainWorker{id});
    }
    if (found->second.hung_up) Do(HangUpWorker{id});
    if (found->second.state == WorkerState::kStopping) Do(TerminateWorker{id});
    if (found->second.state == WorkerState::kKilling) Do(KillWorker{id});
  }
  Feed(TimePassed{});
  link_.Send(link::InCharge{setup_.epoch, static_cast<std::uint32_t>(workers_.size()),
                            static_cast<std::uint32_t>(lost.size())});
}

void Instance::AdoptListeners(const InstanceState& state) {
  for (const ListenerFacts& facts : state.listeners) {
    UniqueFd fd = TakeAdopted(link::ListenerName(facts.key));
    if (fd) connections_.Add(facts, std::move(fd));
  }
}

std::vector<WorkerId> Instance::AdoptWorkers(const InstanceState& state) {
  std::vector<WorkerId> lost;
  for (const auto& [id, worker] : state.fleet.workers) {
    const auto facts = state.workers.find(id);
    const bool known = facts != state.workers.end() && facts->second.process.pid > 0;
    // A worker that was starting may wait for an answer that died with the predecessor.
    const bool whole = known && worker.state != WorkerState::kStarting;
    if (whole && AdoptWorker(worker, facts->second)) continue;
    KillByCookie(setup_.cookie + "." + std::to_string(id));
    for (const char* part : {"channel", "stdout", "stderr"}) {
      TakeAdopted(link::WorkerFdName(id, part));
      link_.Send(link::Drop{{link::WorkerFdName(id, part)}});
    }
    lost.push_back(id);
  }
  return lost;
}

bool Instance::AdoptWorker(const FleetWorker& worker, const WorkerFacts& facts) {
  auto adopted = WorkerProcess::Adopt(
      loop_, worker.id, worker.slot, facts, TakeAdopted(link::WorkerFdName(worker.id, "channel")),
      TakeAdopted(link::WorkerFdName(worker.id, "stdout")),
      TakeAdopted(link::WorkerFdName(worker.id, "stderr")), EventsOf(worker.id));
  if (!adopted) return false;
  WorkerProcess& process = **adopted;
  workers_[worker.id] = std::move(*adopted);
  process.Watch();
  if (process.output_fd() >= 0) {
    logs_->Add(worker.id, facts.process.pid, process.output_fd(), process.errors_fd());
    logs_->ForgetTail(worker.id);
  }
  for (const std::string& key : facts.keys) {
    if (Connections::Listener* listener = connections_.Find(key)) {
      UseListener(*listener, worker.id);
    }
  }
  return true;
}

// -----------------------------------------------------------------------------------------------
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
    dirty_ = true;
    const auto& failure = fleet_.state().failure;
    if (failure && failure->order != failure_seen_) {
      failure_seen_ = failure->order;
      failure_tail_ = logs_->Tail(failure->worker);
    }
    for (const FleetAction& action : actions) {
      std::visit([this](const auto& deed) { Do(deed); }, action);
    }
  }
  feeding_ = false;
  CloseUnused();
  DropOldConfigs();
  Save();
  Publish();
  ArmTimer();
}

void Instance::ArmTimer() {
  std::optional<Millis> next = fleet_.deadline();
  const auto consider = [&](std::optional<Millis> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const auto& [id, worker] : workers_) {
    if (worker->judge) consider(worker->judge->deadline());
  }
  for (const auto& [id, at] : status_awaited_) consider(at);
  if (next) {
    timer_.StartAt(*next);
  } else {
    timer_.Stop();
  }
}

void Instance::OnTimer() {
  std::vector<WorkerId> overdue;
  for (const auto& [id, at] : status_awaited_) {
    if (at <= loop_.now()) overdue.push_back(id);
  }
  for (const WorkerId id : overdue) Bury(id, std::nullopt);
  JudgeReadiness();
  Feed(TimePassed{});
}

void Instance::JudgeReadiness() {
  std::vector<WorkerId> ready;
  for (const auto& [id, worker] : workers_) {
    if (worker->judge && worker->judge->Ready(loop_.now())) ready.push_back(id);
  }
  for (const WorkerId id : ready) {
    WorkerProcess* worker = Find(id);
    worker->judge.reset();
    logs_->ForgetTail(id);
    log::Info("supervisor worker " + std::to_string(id) + " (pid " +
              std::to_string(worker->facts().process.pid) + ") is ready");
    // Before the fact that may complete an order: whoever waits for that order hangs up then.
    Notify("worker_ready", id, "");
    Feed(WorkerReady{id});
    worker = Find(id);
    if (worker == nullptr) continue;
    for (const std::string& key : worker->facts().keys) {
      if (auto* listener = connections_.Find(key)) UseListener(*listener, id);
    }
  }
}

void Instance::OnLine(WorkerId id, std::string_view line) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  const WorkerMessage message = ParseWorkerMessage(line);
  std::visit([&](const auto& body) { OnMessage(*worker, body); }, message);
}

void Instance::OnMessage(WorkerProcess& worker, const QueryServer& query) {
  ListenerWish wish = InterpretQuery(query);
  const std::string key = wish.facts.key;
  const auto refuse = [&](int errno_value) {
    wish.facts.bound_port = wish.facts.port;
    const std::string where = query.fd >= 0 && wish.facts.kind != ListenerKind::kUdp
                                  ? "descriptor " + std::to_string(query.fd)
                                  : DescribeListener(wish.facts);
    std::string why = "listen on " + where + ": " + std::strerror(errno_value);
    if (errno_value == EADDRINUSE && wish.facts.port > 0) {
      why = "port " + std::to_string(wish.facts.port) + " is in use";
      const std::string own =
          wish.facts.kind == ListenerKind::kTcp ? OwnListenerOn(wish.facts.port) : std::string();
      if (!own.empty()) {
        why += " by this service itself, on " + own +
               ": another address of the same port needs `slc ctl restart`";
      } else if (const auto holder = FindPortHolder(static_cast<std::uint16_t>(wish.facts.port))) {
        why += " by pid " + std::to_string(holder->pid) + " (" + holder->command + ")";
      }
    }
    log::Warn("supervisor worker " + std::to_string(worker.id()) + ": " + why);
    worker.failed_listen = why;
    worker.channel()->Send(ListenError(query.seq, key, errno_value, ++message_seq_));
  };
  if (wish.errno_value != 0) return refuse(wish.errno_value);
  auto& keys = worker.facts().keys;
  Connections::Listener* listener = connections_.Find(key);
  // The same explicit port twice in one worker: the second gets what a second bind would get. A
  // repeat of a query that was not consumed before our predecessor died is not that; it has the
  // listener already and is told again.
  const bool has_it = std::find(keys.begin(), keys.end(), key) != keys.end();
  if (has_it && query.index > 0) return refuse(EADDRINUSE);
  if (listener == nullptr) {
    const GenerationConfig* config = ConfigOf(worker.id());
    const mode_t mode = wish.mode | (0777U & ~(config == nullptr ? 022U : config->file_mask));
    BoundListener bound = Bind(wish.facts, mode);
    // A port that no worker has open any more is ours to give up, be it for another address of it.
    const bool taken = bound.errno_value == EADDRINUSE && wish.facts.kind == ListenerKind::kTcp;
    if (taken && CloseListeners(wish.facts.port)) {
      bound = Bind(wish.facts, mode);
    }
    if (!bound.fd) return refuse(bound.errno_value);
    listener = &connections_.Add(wish.facts, std::move(bound.fd));
    link_.Send(link::Store{setup_.epoch, {link::ListenerName(key)}}, {listener->fd.get()});
    if (wish.facts.kind != ListenerKind::kUnix) {
      log::Info("service is listening on " + DescribeListener(wish.facts));
    }
  }
  // As in Node's primary: the first data that is any counts for all (TLS tickets).
  if (listener->facts.data == "null") listener->facts.data = query.data;
  if (!has_it) keys.push_back(key);
  if (worker.judge) worker.judge->Opened(key);
  // The worker may exist only in the queue of its channel until it reads the answer; the holders of
  // a listener must be in the snapshot before the query is consumed.
  dirty_ = true;
  Save();
  if (listener->facts.kind == ListenerKind::kTcp) {
    worker.channel()->Send(RoundRobinListener(query.seq, listener->facts, ++message_seq_));
    UseListener(*listener, worker.id());
  } else {
    worker.channel()->Send(SharedListener(query.seq, listener->facts, ++message_seq_),
                           listener->fd.get());
    connections_.AddUser(*listener, worker.id());
  }
}

// A worker that starts gets connections at once only if no ready one could take them: code that
// never becomes ready costs no request during a roll. One that leaves gets none.
void Instance::UseListener(Connections::Listener& listener, WorkerId id) {
  const auto found = fleet_.state().workers.find(id);
  const WorkerState state =
      found == fleet_.state().workers.end() ? WorkerState::kDraining : found->second.state;
  const bool now = state == WorkerState::kReady ||
                   (state == WorkerState::kStarting && !connections_.HasHolders(listener));
  if (now) {
    connections_.AddUser(listener, id);
  } else {
    listener.users.insert(id);
  }
}

// Where this instance itself listens on that TCP port, as text; empty if it does not.
std::string Instance::OwnListenerOn(int port) const {
  for (const auto& [key, listener] : connections_.listeners()) {
    const ListenerFacts& facts = listener->facts;
    if (facts.kind == ListenerKind::kTcp && facts.bound_port == port) {
      return DescribeListener(facts);
    }
  }
  return {};
}

// Closes listeners on that port that no worker has open. True if there was one.
bool Instance::CloseListeners(int port) {
  std::vector<std::string> unused;
  for (const auto& [key, listener] : connections_.listeners()) {
    const bool tcp = listener->facts.kind == ListenerKind::kTcp;
    if (tcp && listener->facts.bound_port == port && listener->users.empty()) unused.push_back(key);
  }
  CloseAll(unused);
  return !unused.empty();
}

void Instance::OnMessage(WorkerProcess& worker, const Listening&) {
  if (!worker.judge) return Publish();
  worker.judge->Listening(loop_.now());
  JudgeReadiness();
  ArmTimer();
}

void Instance::OnMessage(WorkerProcess& worker, const AgentListening& listening) {
  const bool v6 = listening.address.find(':') != std::string::npos;
  const std::string shown = (v6 ? "[" + listening.address + "]" : listening.address) + ":" +
                            std::to_string(listening.port);
  // A worker that listens and closes again and again must not make the state grow.
  constexpr std::size_t kMostOwn = 64;
  auto& own = worker.facts().own_listeners;
  const bool known = std::find(own.begin(), own.end(), shown) != own.end();
  if (!known && own.size() < kMostOwn) own.push_back(shown);
  dirty_ = true;
  OnMessage(worker, Listening{listening.address, listening.port, ""});
  Save();
}

void Instance::OnMessage(WorkerProcess& worker, const CloseServer& close) {
  auto& keys = worker.facts().keys;
  keys.erase(std::remove(keys.begin(), keys.end(), close.key), keys.end());
  if (worker.judge) worker.judge->Closed(close.key);
  connections_.RemoveUser(close.key, worker.id());
  dirty_ = true;
  CloseUnused();
  Save();
}

void Instance::OnMessage(WorkerProcess& worker, const ExitedAfterDisconnect& request) {
  connections_.Retire(worker.id());
  worker.channel()->Send(Acknowledge(request.seq, ++message_seq_));
}

void Instance::OnMessage(WorkerProcess& worker, const Accepted& answer) {
  connections_.Answered(worker.id(), answer.ack, answer.accepted);
}

void Instance::OnMessage(WorkerProcess& worker, const HandleNack&) {
  log::Warn("supervisor worker " + std::to_string(worker.id()) +
            " could not take a connection: it has too many files open");
  connections_.Missed(worker.id());
}

void Instance::OnMessage(WorkerProcess& worker, const AgentHello& hello) {
  worker.facts().agent_version = hello.version;
  dirty_ = true;
}

void Instance::OnMessage(WorkerProcess& worker, const AppReady&) {
  if (!worker.judge) return;
  worker.judge->SaidReady();
  JudgeReadiness();
}

void Instance::OnDisconnected(WorkerId id) {
  connections_.Retire(id);
  Feed(WorkerDisconnected{id});
}

void Instance::OnEnded(WorkerId id) {
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  const std::optional<int> status = worker->ReapStatus();
  if (status || !worker->adopted()) return Bury(id, status);
  status_awaited_[id] = loop_.now() + kStatusPatience;
  ArmTimer();
}

void Instance::Bury(WorkerId id, std::optional<int> status) {
  status_awaited_.erase(id);
  WorkerProcess* worker = Find(id);
  if (worker == nullptr) return;
  // What it said and printed last is still in the socket and the pipes.
  if (worker->channel() != nullptr) worker->channel()->ReadDry();
  logs_->Remove(id);
  const auto found = fleet_.state().workers.find(id);
  const bool expected =
      found != fleet_.state().workers.end() && found->second.state > WorkerState::kReady;
  const bool stopping = !fleet_.state().wish.run;
  const std::string how = ExplainExit(*worker, status);
  const std::string who = "supervisor worker id " + std::to_string(id) + " (pid " +
                          std::to_string(worker->facts().process.pid) + ")";
  if (expected) {
    log::Info(who + " expected end: " + how);
  } else {
    log::Failure(who + " accidental end: " + how);
  }
  connections_.Forget(id);
  for (const WorkerProcess::Kept& kept : worker->KeptFds()) link_.Send(link::Drop{{kept.name}});
  // A stopped or replaced worker must not leave children that hold its port or its files.
  if (expected || stopping) {
    KillByCookie(setup_.cookie + "." + std::to_string(id), worker->facts().process);
  }
  Notify("worker_exited", id, how);
  workers_.erase(id);
  dirty_ = true;
  const bool clean = status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
  Feed(WorkerExited{id, clean, how});
  logs_->ForgetTail(id);
}

std::string Instance::ExplainExit(const WorkerProcess& worker, std::optional<int> status) const {
  std::string how = status ? DescribeWaitStatus(*status) : "ended, exit status unknown";
  const bool clean = status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
  if (clean) return how;
  if (!worker.failed_listen.empty()) return how + ": " + worker.failed_listen;
  const std::string error = ErrorLine(logs_->Tail(worker.id()));
  return error.empty() ? how : how + ": " + error;
}

// ----------------------------------------------------------------------------------------------
// deeds out

WorkerProcess::Events Instance::EventsOf(WorkerId id) {
  return WorkerProcess::Events{[this, id](std::string_view line) { OnLine(id, line); },
                               [this, id] { OnDisconnected(id); },
                               [this] { connections_.Resume(); }, [this, id] { OnEnded(id); }};
}

void Instance::Do(const SpawnWorker& action) {
  if (Status started = StartWorker(action); !started) {
    workers_.erase(action.worker);
    log::Failure("supervisor cannot start worker " + std::to_string(action.worker) + ": " +
                 started.error().message);
    Feed(WorkerExited{action.worker, false, started.error().message});
  }
}

Status Instance::StartWorker(const SpawnWorker& action) {
  const auto config = configs_.find(action.generation);
  if (config == configs_.end()) {
    return Error{ErrorCode::kInternal,
                 "the config of generation " + std::to_string(action.generation) + " is missing"};
  }
  auto prepared =
      WorkerProcess::Prepare(loop_, action.worker, action.slot, EventsOf(action.worker));
  if (!prepared) return prepared.error();
  WorkerProcess& worker = **prepared;
  workers_[action.worker] = std::move(*prepared);
  // Before the process exists: whoever takes over must know that it may exist, and slcd must hold
  // the other ends, or the worker would die with us.
  dirty_ = true;
  Save();
  link::Store store{setup_.epoch, {}};
  std::vector<int> fds;
  for (const WorkerProcess::Kept& kept : worker.KeptFds()) {
    if (!config->second.config.node && EndsWith(kept.name, "/channel")) continue;
    store.names.push_back(kept.name);
    fds.push_back(kept.fd);
  }
  link_.Send(store, fds);
  if (Status started = worker.Start(config->second.config, spawn_environment_); !started) {
    for (const std::string& name : store.names) link_.Send(link::Drop{{name}});
    return started;
  }
  std::set<std::string> expected;
  bool same_generation = true;
  const WorkerId predecessor = fleet_.PredecessorOf(action.worker);
  if (const WorkerProcess* before = Find(predecessor)) {
    expected.insert(before->facts().keys.begin(), before->facts().keys.end());
    same_generation = fleet_.state().workers.at(predecessor).generation == action.generation;
  }
  worker.judge =
      std::make_unique<ReadinessJudge>(config->second.config.readiness, config->second.config.node,
                                       std::move(expected), same_generation, loop_.now());
  dirty_ = true;
  Save();
  logs_->Add(action.worker, worker.facts().process.pid, worker.output_fd(), worker.errors_fd());
  log::Info("supervisor started worker " + std::to_string(action.worker) + " (pid " +
            std::to_string(worker.facts().process.pid) + ")");
  worker.Watch();
  Notify("worker_started", action.worker, "");
  return Ok();
}

void Instance::Do(const DrainWorker& action) {
  WorkerProcess* worker = Find(action.worker);
  if (worker == nullptr) return;
  dirty_ = true;
  Save();
  connections_.Retire(action.worker);
  const GenerationConfig* config = ConfigOf(action.worker);
  if (worker->channel() != nullptr && !worker->channel()->ended()) {
    // The agent first: once it has seen `disconnect`, Node would already have closed idle
    // connections.
    NodeChannel& channel = *worker->channel();
    channel.Send(AgentDrain(config == nullptr ? 500 : config->drain_linger));
    channel.Send(ShutdownText());
    channel.Send(ShutdownCommand());
    channel.Send(Disconnect(++message_seq_));
  } else {
    worker->Signal(config == nullptr ? SIGTERM : config->stop_signal);
  }
  // At once: a successor that drained it a second time would make Node close the channel under it.
  worker->facts().drain_sent = true;
  dirty_ = true;
  Save();
  Notify("worker_draining", action.worker, "");
}

void Instance::Do(const HangUpWorker& action) {
  WorkerProcess* worker = Find(action.worker);
  if (worker == nullptr || worker->channel() == nullptr) return;
  worker->channel()->Send(AgentHangUp());
}

void Instance::Do(const TerminateWorker& action) {
  WorkerProcess* worker = Find(action.worker);
  if (worker == nullptr) return;
  dirty_ = true;
  Save();
  connections_.Retire(action.worker);
  const GenerationConfig* config = ConfigOf(action.worker);
  worker->Signal(config == nullptr ? SIGTERM : config->stop_signal);
}

void Instance::Do(const KillWorker& action) {
  dirty_ = true;
  Save();
  connections_.Retire(action.worker);
  std::optional<ProcessIdentity> leader;
  if (WorkerProcess* worker = Find(action.worker)) {
    worker->Signal(SIGKILL);
    leader = worker->facts().process;
  }
  KillByCookie(setup_.cookie + "." + std::to_string(action.worker), leader);
}

// ------------------------------------------------------------------------------------------------
// telling

void Instance::Save() {
  if (!dirty_ || !snapshot_) return;
  dirty_ = false;
  InstanceState state;
  state.service = setup_.service;
  state.epoch = setup_.epoch;
  state.boot_id = boot_id_;
  state.master = IdentifySelf();
  state.master_started_wall = started_wall_;
  state.written_at = loop_.now();
  state.message_seq = message_seq_;
  state.fleet = fleet_.state();
  state.log_lines_dropped = logs_ ? logs_->dropped() : 0;
  for (const auto& [id, worker] : workers_) state.workers[id] = worker->facts();
  for (const auto& [key, listener] : connections_.listeners()) {
    state.listeners.push_back(listener->facts);
  }
  const std::string text = EncodeInstanceState(state);
  if (snapshot_->Write(text)) return;
  auto larger = Snapshot::Create(text.size() * 2);
  if (!larger) {
    log::Failure("the snapshot cannot grow: " + larger.error().message);
    return;
  }
  snapshot_ = std::move(*larger);
  snapshot_->Write(text);
  link_.Send(link::Store{setup_.epoch, {link::kStateName}}, {snapshot_->fd()});
}

void Instance::StoreState() {
  auto snapshot = Snapshot::Create(kFirstSnapshotBytes);
  if (!snapshot) {
    log::Failure("no snapshot: " + snapshot.error().message);
    return;
  }
  snapshot_ = std::move(*snapshot);
  dirty_ = true;
  Save();
  link_.Send(link::Store{setup_.epoch, {link::kStateName}}, {snapshot_->fd()});
}

void Instance::StoreEverything() {
  std::vector<std::string> names;
  std::vector<int> fds;
  const auto add = [&](const std::string& name, int fd) {
    names.push_back(name);
    fds.push_back(fd);
    if (names.size() < 200) return;
    link_.Send(link::Store{setup_.epoch, names}, fds);
    names.clear();
    fds.clear();
  };
  if (snapshot_) add(link::kStateName, snapshot_->fd());
  for (const auto& [generation, config] : configs_) {
    add(link::ConfigName(generation), config.memfd.get());
  }
  for (const auto& [key, listener] : connections_.listeners()) {
    add(link::ListenerName(key), listener->fd.get());
  }
  for (const auto& [id, worker] : workers_) {
    for (const WorkerProcess::Kept& kept : worker->KeptFds()) add(kept.name, kept.fd);
  }
  if (!names.empty()) link_.Send(link::Store{setup_.epoch, names}, fds);
  link_.Send(link::StoredAll{});
  told_anything_ = false;
  Publish();
}

void Instance::Publish() {
  if (!in_charge_) return;
  link::Facts facts;
  const FleetState& state = fleet_.state();
  facts.order = state.wish.order;
  facts.phase = InstancePhase(state);
  facts.workers = static_cast<std::uint32_t>(state.workers.size());
  for (const auto& [id, worker] : state.workers) {
    if (worker.state == WorkerState::kReady) ++facts.ready;
  }
  facts.failure = state.failure;
  if (facts.failure) facts.log_tail = failure_tail_;
  const bool same = told_anything_ && facts.order == told_.order && facts.phase == told_.phase &&
                    facts.workers == told_.workers && facts.ready == told_.ready &&
                    facts.failure == told_.failure;
  if (!same) link_.Send(facts);
  told_ = facts;
  told_anything_ = true;
  if (facts.phase == "stopped") Finish();
}

void Instance::Finish() {
  if (finish_timer_.active()) return;
  for (const ProcessIdentity& left : FindByCookie(setup_.cookie + ".")) {
    SignalProcess(OpenProcess(left), SIGKILL);
  }
  log::Info("supervisor stopped");
  logs_->FlushAndStop(2000);
  // In a turn of its own: whoever fed us is still at work.
  finish_timer_.StartIn(0);
}

void Instance::Notify(const std::string& kind, WorkerId id, const std::string& text) {
  Progress progress;
  progress.kind = kind;
  progress.worker = id;
  progress.text = text;
  const auto found = fleet_.state().workers.find(id);
  if (found != fleet_.state().workers.end()) {
    progress.slot = found->second.slot;
    progress.generation = found->second.generation;
    progress.millis = loop_.now() - found->second.spawned_at;
  }
  if (const WorkerProcess* worker = Find(id)) {
    progress.pid = worker->facts().process.pid;
    progress.slot = worker->slot();
    for (const std::string& key : worker->facts().keys) {
      if (const auto* listener = connections_.Find(key)) {
        progress.listening.push_back(DescribeListener(listener->facts));
      }
    }
    for (const std::string& own : worker->facts().own_listeners) progress.listening.push_back(own);
  }
  link_.Send(link::Notice{progress});
}

void Instance::CloseUnused() {
  const std::string phase = InstancePhase(fleet_.state());
  // While workers come and go the socket stays: connections wait in its queue. When all is settled
  // and nobody has it open, the app has let go of that port, and clients should be refused, not
  // kept waiting.
  const bool settled = phase == "running" || phase == "stopped" || phase == "finished";
  if (!settled) return;
  std::vector<std::string> unused;
  for (const auto& [key, listener] : connections_.listeners()) {
    if (listener->users.empty()) unused.push_back(key);
  }
  CloseAll(unused);
}

void Instance::CloseAll(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    connections_.Close(key);
    link_.Send(link::Drop{{link::ListenerName(key)}});
    dirty_ = true;
  }
}

void Instance::DropOldConfigs() {
  const std::vector<Generation> live = fleet_.LiveGenerations();
  for (auto config = configs_.begin(); config != configs_.end();) {
    if (std::find(live.begin(), live.end(), config->first) != live.end() ||
        config->first > fleet_.state().wish.generation) {
      ++config;
      continue;
    }
    link_.Send(link::Drop{{link::ConfigName(config->first)}});
    config = configs_.erase(config);
  }
}

WorkerProcess* Instance::Find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

const GenerationConfig* Instance::ConfigOf(WorkerId id) const {
  const auto worker = fleet_.state().workers.find(id);
  if (worker == fleet_.state().workers.end()) return nullptr;
  const auto config = configs_.find(worker->second.generation);
  return config == configs_.end() ? nullptr : &config->second.config;
}

}  // namespace slc
