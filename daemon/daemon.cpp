#include "daemon/daemon.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/generation_resolver.h"
#include "daemon/views.h"

namespace slc {

Daemon::Daemon(uv::Loop& loop, HomeDirectories directories, DaemonOptions options)
    : loop_(loop),
      directories_(std::move(directories)),
      options_(std::move(options)),
      store_(directories_.services.get()),
      registry_(::geteuid() == 0),
      disk_(loop),
      started_wall_(WallNow()),
      started_(BootNow()) {
  const auto on = [&](int number, std::function<void()> action) {
    signals_.push_back(std::make_unique<uv::Signal>(loop_, number, std::move(action)));
  };
  const auto leave = [this] {
    if (options_.run) return StopAll();
    // The services go on; whoever needs a daemon next starts one.
    log::Info("leaving, services go on");
    for (auto& [id, service] : services_) service.instance->SayLeaving(false);
    loop_.Stop();
  };
  on(SIGTERM, leave);
  on(SIGINT, leave);
  on(SIGCHLD, [this] { ReapChildren(); });
  if (options_.run) {
    on(SIGHUP, [this] {
      for (const auto& [id, wish] : registry_.wishes()) {
        Request request{NewRequestId(), false,
                        RestartService{wish.spec.name, RollMode::kRolling, 1}};
        Handle(Pending{0, request}, std::get<RestartService>(request.body));
        break;
      }
    });
  }
}

Daemon::~Daemon() = default;

Status Daemon::Begin() {
  auto loaded = store_.Load();
  if (!loaded) return loaded.error();
  for (const std::string& note : loaded->notes) log::Warn(note);
  quarantined_ = loaded->quarantined;
  for (const Quarantined& bad : quarantined_) {
    log::Failure("services/" + std::to_string(bad.id) + ".json is unreadable (" + bad.reason +
                 "); set aside as services/" + bad.file);
  }
  registry_.Reserve(loaded->last_id);
  RememberRemoval(loaded->last_removal);
  auto listener = ListenOnUnixSocket(directories_.run.get(), kDaemonSocket, SOCK_STREAM, 128);
  if (!listener) return listener.error();
  for (const Wish& wish : loaded->wishes) registry_.Commit(wish);
  if (Status alone = CheckRunsAlone(); !alone) return alone;
  for (const auto& [id, wish] : registry_.wishes()) {
    Service& service = ServiceOf(id);
    service.finish_removal = wish.removing;
    if (wish.run) Prepare(wish);
    // What is stopped or to be removed is settled when no master is found, or it has left.
    service.instance->Search(FleetWishOf(wish));
  }
  server_ = std::make_unique<ControlServer>(
      loop_, std::move(*listener),
      ControlServer::Events{
          [this](ClientId client, const std::string& payload) { OnFrame(client, payload); },
          [this](ClientId client) {
            // The operation goes on; there is just nobody to tell.
            for (auto& [id, service] : services_) {
              for (Operation& operation : service.operations) {
                if (operation.client == client) operation.client = 0;
              }
            }
          }});
  if (options_.run) {
    Handle(Pending{0, *options_.run}, std::get<StartService>(options_.run->body));
  }
  return Ok();
}

// `slc run` ends with its app and stops what it started: other services would suffer that with it.
Status Daemon::CheckRunsAlone() const {
  if (!options_.run) return Ok();
  const std::string& own = std::get<StartService>(options_.run->body).spec.name;
  for (const auto& [id, wish] : registry_.wishes()) {
    if (!wish.run || wish.spec.name == own) continue;
    return Error{ErrorCode::kConflict,
                 "this home has another service that is to run, " + wish.spec.name +
                     "; give `slc run` a home of its own (SLC_HOME=DIR) or use `slc start`"};
  }
  return Ok();
}

// After a reboot the generation is resolved anew. That reads the app's folder, which may hang: it
// is done by the disk thread. A living master has the config already and needs none of ours.
void Daemon::Prepare(const Wish& wish) {
  ServiceOf(wish.id).preparing = true;
  auto outcome = std::make_shared<Result<std::string>>(std::string());
  disk_.Run(
      [wish, outcome] {
        auto config = ResolveGeneration(wish);
        if (config) {
          *outcome = DumpJson(ToJson(*config));
        } else {
          *outcome = config.error();
        }
      },
      [this, id = wish.id, generation = wish.generation, outcome] {
        const Wish* now = registry_.Get(id);
        if (now == nullptr) return;
        Service& service = ServiceOf(id);
        service.preparing = false;
        if (now->generation != generation) return;
        auto memfd = *outcome ? MakeMemfd("slc-config", **outcome) : Result<int>(outcome->error());
        if (memfd) {
          service.instance->AddConfig(generation, UniqueFd(*memfd));
          Order(*now);
        } else {
          service.unresolved = memfd.error().message;
          log::Failure("service " + now->spec.name + ": " + service.unresolved);
        }
        Settle(id);
      });
}

// ---------------------------------------------------------------------------------------------
// requests

void Daemon::OnFrame(ClientId client, const std::string& payload) {
  auto request = DecodeRequest(payload);
  if (!request) return Refuse(Pending{client, Request{}}, request.error());
  const Pending pending{client, std::move(*request)};
  log::Debug(std::string("request ") + VerbOf(pending.second.body));
  if (shutting_down_ && !std::holds_alternative<ListServices>(pending.second.body) &&
      !std::holds_alternative<GetStatus>(pending.second.body) &&
      !std::holds_alternative<Shutdown>(pending.second.body)) {
    return Refuse(pending,
                  Error{ErrorCode::kConflict, "slcd is shutting down; try again in a moment"});
  }
  std::visit([&](const auto& body) { Handle(pending, body); }, pending.second.body);
}

void Daemon::Answer(ClientId client, const std::string& request, Reply reply) {
  if (client == 0 || !server_) return;
  server_->Send(client, EncodeServerMessage(ServerMessage{request, std::move(reply)}));
}

void Daemon::Answer(const Pending& pending, Reply reply) {
  Answer(pending.first, pending.second.id, std::move(reply));
}

void Daemon::Refuse(const Pending& pending, Error error) {
  if (pending.first == 0 && options_.run) {
    log::Failure(error.message);
    // A soft restart (SIGHUP) that is refused leaves what runs as it is.
    if (!std::holds_alternative<StartService>(pending.second.body)) return;
    exit_code_ = 1;
    return StopAll();
  }
  Reply reply;
  reply.error = std::move(error);
  Answer(pending, std::move(reply));
}

Reply Daemon::ReplyWith(ServiceId id, std::vector<std::string> notes) {
  Reply reply;
  reply.notes = std::move(notes);
  if (const Wish* wish = registry_.Get(id)) {
    reply.data = std::vector<ServiceView>{ViewOf(*wish)};
  }
  return reply;
}

void Daemon::Handle(const Pending& pending, const ListServices&) {
  Reply reply;
  auto& views = reply.data.emplace<std::vector<ServiceView>>();
  for (const auto& [id, wish] : registry_.wishes()) views.push_back(ViewOf(wish));
  for (const Quarantined& bad : quarantined_) {
    ServiceView view;
    view.id = bad.id;
    view.name = "?";
    view.state = "quarantined";
    view.reason = "services/" + std::to_string(bad.id) + ".json is unreadable (" + bad.reason +
                  "); it was set aside as " + options_.paths.home + "/services/" + bad.file;
    views.push_back(view);
  }
  Answer(pending, std::move(reply));
}

void Daemon::Handle(const Pending& pending, const GetStatus& body) {
  if (body.service.empty()) return Handle(pending, ListServices{});
  auto id = registry_.Find(body.service);
  if (!id) return Refuse(pending, id.error());
  Answer(pending, ReplyWith(*id, {}));
}

void Daemon::Handle(const Pending& pending, const GetInfo&) {
  DaemonInfo info;
  info.version = SLC_VERSION;
  info.pid = ::getpid();
  info.protocol = kProtocolVersion;
  info.epoch = options_.context.epoch;
  info.home = options_.paths.home;
  info.socket = options_.paths.run + "/" + kDaemonSocket;
  info.started_wall = started_wall_;
  info.uptime = BootNow() - started_;
  info.cpus = UsableCpus();
  info.services = static_cast<std::uint32_t>(registry_.wishes().size());
  Reply reply;
  reply.data = info;
  Answer(pending, std::move(reply));
}

void Daemon::Handle(const Pending& pending, const StartService& body) {
  // A new id is only safe once the one before it is on disk.
  if (creating_) {
    waiting_creations_.push_back([this, pending, body] { Handle(pending, body); });
    return;
  }
  StartWish start{body.spec, body.size, body.replace, body.given};
  auto proposal = registry_.ProposeStart(start);
  if (!proposal) return Refuse(pending, proposal.error());
  const ServiceId id = proposal->wish.id;
  if (registry_.Get(id) == nullptr) {
    creating_ = true;
    return Carry(pending, std::move(proposal));
  }
  Change(pending, std::to_string(id), [this, start](ServiceId service) {
    return OrTryAgain(service, registry_.ProposeStart(start));
  });
}

Result<Proposal> Daemon::OrTryAgain(ServiceId id, Result<Proposal> proposal) {
  if (!proposal || proposal->changed) return proposal;
  const Service& service = ServiceOf(id);
  const auto& facts = service.instance->facts();
  const bool ails = facts ? facts->failure || facts->phase == "failed" || facts->phase == "backoff"
                          : !service.unresolved.empty();
  if (!ails) return proposal;
  const bool serves = facts && facts->ready > 0;
  return registry_.ProposeRestart(id, serves ? RollMode::kRolling : RollMode::kRestart, 1);
}

void Daemon::Handle(const Pending& pending, const CreateService& body) {
  if (creating_) {
    waiting_creations_.push_back([this, pending, body] { Handle(pending, body); });
    return;
  }
  for (const auto& [id, wish] : registry_.wishes()) {
    if (IsRepeat(pending, wish) && wish.spec.name == body.name) {
      return Change(pending, std::to_string(id), [this, body](ServiceId) {
        return registry_.ProposeCreate(body.name, body.size);
      });
    }
  }
  auto proposal = registry_.ProposeCreate(body.name, body.size);
  if (!proposal) return Refuse(pending, proposal.error());
  creating_ = true;
  Carry(pending, std::move(proposal));
}

void Daemon::Handle(const Pending& pending, const RunService& body) {
  Change(pending, body.service,
         [this](ServiceId id) { return OrTryAgain(id, registry_.ProposeRun(id)); });
}

void Daemon::Handle(const Pending& pending, const StopService& body) {
  Change(pending, body.service,
         [this, body](ServiceId id) { return registry_.ProposeStop(id, body.soft); });
}

void Daemon::Handle(const Pending& pending, const RestartService& body) {
  Change(pending, body.service, [this, body](ServiceId id) {
    return registry_.ProposeRestart(id, body.mode, body.parallel);
  });
}

void Daemon::Handle(const Pending& pending, const SetSize& body) {
  Change(pending, body.service,
         [this, body](ServiceId id) { return registry_.ProposeSize(id, body.size); });
}

void Daemon::Handle(const Pending& pending, const SetEnvironment& body) {
  Change(pending, body.service, [this, body](ServiceId id) {
    return registry_.ProposeEnvironment(id, body.set, body.unset, body.restart);
  });
}

void Daemon::Handle(const Pending& pending, const RemoveService& body) {
  const bool done =
      std::find(removals_.begin(), removals_.end(), pending.second.id) != removals_.end();
  if (done) return Answer(pending, Reply{});
  Change(pending, body.service, [this](ServiceId id) { return registry_.ProposeRemove(id); });
}

void Daemon::Handle(const Pending& pending, const Shutdown&) {
  shutdowns_.push_back(pending);
  StopAll();
}

// -----------------------------------------------------------------------------------------------
// changes

void Daemon::Change(const Pending& pending, const std::string& name,
                    std::function<Result<Proposal>(ServiceId)> propose) {
  auto id = registry_.Find(name);
  if (!id) return Refuse(pending, id.error());
  Service& service = ServiceOf(*id);
  if (service.saving) {
    service.waiting.push_back([this, pending, name, propose] { Change(pending, name, propose); });
    return;
  }
  const Wish& wish = *registry_.Get(*id);
  if (IsRepeat(pending, wish)) {
    // The same request again: its client lost the answer. It has had its effect and is waited for.
    service.operations.push_back(Operation{
        pending.first, pending.second.id, wish.order, pending.second.body, {}, loop_.now()});
    return Settle(*id);
  }
  if (RefuseDuringRoll(pending, *id)) return;
  Carry(pending, propose(*id));
}

bool Daemon::IsRepeat(const Pending& pending, const Wish& wish) {
  return !pending.second.id.empty() && wish.last_request == pending.second.id;
}

bool Daemon::RefuseDuringRoll(const Pending& pending, ServiceId id) {
  const auto* restart = std::get_if<RestartService>(&pending.second.body);
  const bool rolls = (restart != nullptr && restart->mode == RollMode::kRolling) ||
                     std::holds_alternative<SetEnvironment>(pending.second.body);
  if (!rolls) return false;
  const Wish& wish = *registry_.Get(id);
  const auto& facts = ServiceOf(id).instance->facts();
  const bool rolling = wish.run && wish.mode == RollMode::kRolling && facts &&
                       (facts->order < wish.order || facts->phase == "rolling");
  if (!rolling) return false;
  Refuse(pending,
         Error{ErrorCode::kConflict, "a soft restart of '" + wish.spec.name + "' to generation " +
                                         std::to_string(wish.generation) + " is under way (" +
                                         std::to_string(facts->ready) +
                                         " workers ready); wait for it, or cancel it "
                                         "with stop or restart"});
  return true;
}

void Daemon::Carry(const Pending& pending, Result<Proposal> proposed) {
  const auto end_creation = [this] {
    creating_ = false;
    // Who waited may find that the service exists by now, and then creates nothing that would end.
    while (!creating_ && !waiting_creations_.empty()) {
      const auto next = std::move(waiting_creations_.front());
      waiting_creations_.pop_front();
      next();
    }
  };
  if (!proposed) return Refuse(pending, proposed.error());
  Proposal proposal = std::move(*proposed);
  const ServiceId id = proposal.wish.id;
  if (!proposal.changed) {
    Service& service = ServiceOf(id);
    service.operations.push_back(Operation{pending.first, pending.second.id, proposal.wish.order,
                                           pending.second.body, proposal.notes, loop_.now()});
    return Settle(id);
  }
  proposal.wish.last_request = pending.second.id;
  const bool is_new = registry_.Get(id) == nullptr;
  if (!is_new) ServiceOf(id).saving = true;
  struct Outcome {
    Status status = Ok();
    std::string config;
  };
  auto outcome = std::make_shared<Outcome>();
  disk_.Run(
      [this, proposal, outcome] {
        if (proposal.new_generation) {
          auto config = ResolveGeneration(proposal.wish);
          if (!config) {
            outcome->status = config.error();
            return;
          }
          outcome->config = DumpJson(ToJson(*config));
        }
        outcome->status = store_.Save(proposal.wish);
      },
      [this, pending, proposal, outcome, is_new, end_creation] {
        if (!is_new) ServiceOf(proposal.wish.id).saving = false;
        if (outcome->status) {
          Commit(pending, proposal, outcome->config);
        } else {
          Refuse(pending, outcome->status.error());
        }
        if (is_new) {
          end_creation();
        } else {
          NextChange(proposal.wish.id);
        }
      });
}

void Daemon::NextChange(ServiceId id) {
  const auto found = services_.find(id);
  if (found == services_.end() || found->second.saving || found->second.waiting.empty()) return;
  const auto next = std::move(found->second.waiting.front());
  found->second.waiting.pop_front();
  next();
  NextChange(id);
}

void Daemon::Commit(const Pending& pending, const Proposal& proposal, const std::string& config) {
  const Wish& wish = proposal.wish;
  registry_.Commit(wish);
  Service& service = ServiceOf(wish.id);
  if (proposal.new_generation) {
    auto memfd = MakeMemfd("slc-config", config);
    if (!memfd) return Refuse(pending, memfd.error());
    service.instance->AddConfig(wish.generation, UniqueFd(*memfd));
    service.unresolved.clear();
  }
  if (wish.removing) service.finish_removal = true;
  // What was asked for before and is not done yet will not be done as asked.
  for (const Operation& older : service.operations) {
    Reply reply;
    reply.error = Error{ErrorCode::kCancelled,
                        std::string("overtaken by a later '") + VerbOf(pending.second.body) + "'"};
    // A change of the size, or a repeat, does not end what is under way.
    const bool goes_on = std::holds_alternative<SetSize>(pending.second.body);
    if (!goes_on) Answer(older.client, older.request, std::move(reply));
  }
  if (!std::holds_alternative<SetSize>(pending.second.body)) service.operations.clear();
  const Operation operation{pending.first,       pending.second.id, wish.order,
                            pending.second.body, proposal.notes,    loop_.now()};
  if (pending.second.wait || wish.removing) {
    service.operations.push_back(operation);
  } else {
    Answer(pending, ReplyWith(wish.id, proposal.notes));
  }
  Order(wish);
  Settle(wish.id);
}

FleetWish Daemon::FleetWishOf(const Wish& wish) const {
  FleetWish fleet;
  fleet.run = wish.run && !shutting_down_;
  fleet.soft_stop = wish.soft_stop || shutting_down_;
  fleet.size = wish.size == kSizeCpu ? UsableCpus() : wish.size;
  fleet.generation = wish.generation;
  fleet.mode = wish.mode;
  fleet.parallel = wish.parallel;
  fleet.order = wish.order;
  return fleet;
}

void Daemon::Order(const Wish& wish) { ServiceOf(wish.id).instance->SetWish(FleetWishOf(wish)); }

Daemon::Service& Daemon::ServiceOf(ServiceId id) {
  Service& service = services_[id];
  if (!service.instance) {
    const Wish* wish = registry_.Get(id);
    service.instance = std::make_unique<InstanceHandle>(
        loop_, options_.context, id, wish != nullptr ? wish->spec.name : std::to_string(id),
        InstanceHandle::Events{[this, id](const link::Facts& facts) { OnFacts(id, facts); },
                               [this, id](const Progress& progress) { OnNotice(id, progress); },
                               [this, id](const Error& error) { OnLaunchFailed(id, error); },
                               [this] { ReapChildren(); }, [this, id] { OnGone(id); }});
  }
  return service;
}

// -------------------------------------------------------------------------------------------------
// facts

void Daemon::OnFacts(ServiceId id, const link::Facts& facts) {
  Settle(id);
  if (options_.run && facts.phase == "finished") EndRun(last_run_exit_);
}

void Daemon::OnNotice(ServiceId id, const Progress& progress) {
  const auto found = services_.find(id);
  if (found == services_.end() || !server_) return;
  if (progress.kind == "worker_exited") last_run_exit_ = progress.text;
  for (const Operation& operation : found->second.operations) {
    if (operation.client == 0) continue;
    server_->Send(operation.client,
                  EncodeServerMessage(ServerMessage{operation.request, progress}));
  }
}

void Daemon::OnGone(ServiceId id) {
  Settle(id);
  LeaveWhenAllAreGone();
}

void Daemon::OnLaunchFailed(ServiceId id, const Error& error) {
  Service& service = services_[id];
  const std::vector<Operation> failed = std::move(service.operations);
  service.operations.clear();
  for (const Operation& operation : failed) {
    Fail(id, operation, error.During("start the master"), {});
  }
}

void Daemon::Fail(ServiceId id, const Operation& operation, Error error,
                  std::vector<std::string> log_tail) {
  if (options_.run && operation.client == 0) {
    log::Failure(error.message);
    if (!std::holds_alternative<StartService>(operation.body)) return;
    return EndRun(error.message);
  }
  Reply reply = ReplyWith(id, operation.notes);
  reply.error = std::move(error);
  reply.log_tail = std::move(log_tail);
  Answer(operation.client, operation.request, std::move(reply));
}

void Daemon::Settle(ServiceId id) {
  const auto found = services_.find(id);
  if (found == services_.end()) return;
  Service& service = found->second;
  if (service.finish_removal && !service.instance->has_master()) return FinishRemoval(id);
  // Taken out while they are judged: an answer may set off what leads back here.
  std::vector<Operation> open;
  open.swap(service.operations);
  for (Operation& operation : open) {
    if (!Conclude(id, operation)) services_[id].operations.push_back(std::move(operation));
  }
}

bool Daemon::Conclude(ServiceId id, const Operation& operation) {
  const Wish& wish = *registry_.Get(id);
  const InstanceHandle& instance = *ServiceOf(id).instance;
  const auto succeed = [&] {
    Answer(operation.client, operation.request, ReplyWith(id, operation.notes));
    return true;
  };
  if (wish.removing) return false;  // answered when it is forgotten
  if (!wish.run) return instance.has_master() ? false : succeed();
  const auto& facts = instance.facts();
  if (!facts || facts->order < operation.order) return false;
  if (facts->phase == "failed" || (facts->failure && facts->failure->order == wish.order)) {
    Fail(
        id, operation,
        Error{ErrorCode::kNotReady, facts->failure ? facts->failure->reason : "it did not come up"},
        facts->log_tail);
    return true;
  }
  if (facts->phase == "running" || facts->phase == "finished") return succeed();
  return false;
}

void Daemon::FinishRemoval(ServiceId id) {
  services_[id].finish_removal = false;
  auto status = std::make_shared<Status>(Ok());
  const std::string request = registry_.Get(id)->last_request;
  disk_.Run([this, id, request, status] { *status = store_.Remove(id, request); },
            [this, id, request, status] {
              Service& service = services_[id];
              for (const Operation& operation : service.operations) {
                Reply reply;
                if (!*status) reply.error = status->error();
                if (*status) {
                  reply.notes = {"its logs remain in " + options_.context.logs + "/" +
                                 registry_.Get(id)->spec.name};
                }
                Answer(operation.client, operation.request, std::move(reply));
              }
              service.operations.clear();
              if (!*status) return;
              RememberRemoval(request);
              registry_.Forget(id);
              const auto waiting = std::move(service.waiting);
              services_.erase(id);
              for (const auto& change : waiting) change();
            });
}

void Daemon::RememberRemoval(const std::string& request) {
  constexpr std::size_t kMost = 64;  // a client repeats within seconds
  if (request.empty()) return;
  removals_.push_back(request);
  if (removals_.size() > kMost) removals_.pop_front();
}

void Daemon::ReapChildren() {
  // Our own masters are reaped through their pidfds. Others that end as our children are workers of
  // a master that was killed: we are their subreaper.
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    for (const auto& [id, service] : services_) {
      if (service.instance->master() && service.instance->master()->pid == pid) return;
    }
    const auto identity = IdentifyProcess(pid);
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid || !identity) continue;
    for (const auto& [id, service] : services_) {
      if (service.instance->TellExit(*identity, status)) break;
    }
  }
}

void Daemon::StopAll() {
  if (!shutting_down_) log::Info("stopping all services");
  shutting_down_ = true;
  for (const auto& [id, wish] : registry_.wishes()) Order(wish);
  LeaveWhenAllAreGone();
}

void Daemon::LeaveWhenAllAreGone() {
  if (!shutting_down_) return;
  for (const auto& [id, service] : services_) {
    if (service.instance->has_master()) return;
  }
  Reply reply;
  for (const Pending& pending : shutdowns_) Answer(pending, reply);
  shutdowns_.clear();
  log::Info("all services have stopped; leaving");
  loop_.Stop();
}

void Daemon::EndRun(const std::string& how) {
  // "exit code 3" or "killed by SIGSEGV (signal 11)": the container ends with what its app ended
  // with.
  const std::size_t bracket = how.find("(signal ");
  if (exit_code_ != 0 || shutting_down_) return;
  if (StartsWith(how, "exit code ")) {
    exit_code_ = std::atoi(how.c_str() + 10);
  } else if (bracket == std::string::npos) {
    exit_code_ = 1;
  } else if (bracket != std::string::npos) {
    exit_code_ = 128 + std::atoi(how.c_str() + bracket + 8);
  }
  StopAll();
}

ServiceView Daemon::ViewOf(const Wish& wish) {
  const Service& service = ServiceOf(wish.id);
  const InstanceHandle& instance = *service.instance;
  const std::optional<InstanceState> state = instance.ReadState();
  ViewInput input;
  input.wish = &wish;
  input.state = state ? &*state : nullptr;
  input.adopting = instance.adopting();
  input.launching = instance.has_master() || service.preparing;
  input.silent_for = instance.silent_for();
  input.log_directory = options_.context.logs + "/" + wish.spec.name;
  input.cpus = UsableCpus();
  input.now = BootNow();
  ServiceView view = MakeView(input);
  if (!state && wish.run && !service.unresolved.empty()) {
    view.state = "failed";
    view.reason = service.unresolved;
  }
  return view;
}

}  // namespace slc
