#include "daemon/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <deque>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/version.h"

namespace slc {
namespace {

DaemonInfo About(const DaemonOptions& options) {
  DaemonInfo info;
  info.version = OwnVersion().text;
  info.pid = ::getpid();
  info.protocol = OwnVersion().control.newest;
  info.epoch = options.context.epoch;
  info.home = options.paths.home;
  info.socket = options.paths.run + "/" + kDaemonSocket;
  info.started_wall = WallNow();
  info.cpus = UsableCpus();
  const auto& trial = options.previous->trial();
  if (options.gave_way && trial) {
    info.trouble = "slcd " + trial->version + " in " + options.context.installed.directory +
                   " died three times within 10 s of its start; this is " + info.version +
                   ", which was kept. Install a version that holds, then: slc upgrade";
  }
  return info;
}

}  // namespace

Daemon::Daemon(uv::Loop& loop, HomeDirectories directories, DaemonOptions options)
    : loop_(loop),
      directories_(std::move(directories)),
      options_(std::move(options)),
      place_(loop, options_.paths,
             Place::Descriptors{directories_.home.get(), directories_.services.get(),
                                directories_.run.get(), directories_.instances.get(), options_.lock,
                                options_.watch},
             !options_.context.revive, PlaceEvents()),
      store_(directories_.services.get()),
      registry_(::geteuid() == 0),
      clients_(loop),
      disk_(loop),
      journal_(loop, disk_, directories_.home.get(), registry_),
      services_(loop, options_.context, registry_, disk_, ServiceEvents()),
      operations_(registry_, services_, clients_),
      looks_(loop, registry_, services_, clients_),
      recorder_(loop, registry_, store_, disk_, options_.paths.home,
                Recorder::Events{[this](ServiceId id) { changes_.Settle(id); },
                                 [this](bool begun, const std::string& text) {
                                   journal_.NoteDaemon(begun ? "storage_trouble" : "storage_well",
                                                       text);
                                 }}),
      fallbacks_(registry_, services_, recorder_, store_, disk_),
      changes_(loop_, registry_, store_, recorder_, services_, operations_, clients_,
               options_.paths.home),
      deploys_(loop_, registry_, services_, changes_, clients_, directories_.home.get(),
               options_.paths.home, options_.context.home_key,
               deploy::Deploys::Hands{[this] { return options_.context.installed.unpack(); },
                                      [this] { return options_.context.installed.git_hooks(); },
                                      [this] { services_.ReapChildren(); },
                                      [this](ServiceId id, JournalRecord record) {
                                        journal_.NoteEvent(id, std::move(record));
                                      }}),
      profiles_(loop_, registry_, services_, looks_, clients_, directories_.home.get()),
      schedules_(loop, registry_, disk_, ScheduleHands()),
      watches_(loop, registry_, disk_, options_.paths.home, WatchHands()),
      upgrade_(loop_, options_.context, services_, clients_, disk_, *options_.previous,
               Upgrade::Hands{[this] { return Scene(); }, [this] { journal_.Flush(); },
                              [this](const Command& command) { return GiveWay(command); },
                              [this] { services_.ReapChildren(); }}),
      gateway_(loop_, disk_, clients_, directories_.home.get(),
               GatewayHost::Hands{[this] { return options_.context.installed.gateway(); },
                                  [this] { services_.ReapChildren(); },
                                  [this](const std::string& kind, const std::string& text) {
                                    journal_.NoteDaemon(kind, text);
                                  }}),
      log_readers_(
          loop_, options_.paths.home, options_.paths.run + "/" + kDaemonSocket,
          [this] { return options_.context.installed.client(); },
          [this] { services_.ReapChildren(); }),
      requests_(
          registry_, services_, operations_, changes_, looks_, recorder_, clients_, gateway_,
          log_readers_, deploys_, profiles_, About(options_),
          [this](const Command& command) {
            shutdowns_.push_back(command);
            StopAll();
          },
          [this](const Command& command) {
            if (!deploys_.busy() && !profiles_.busy()) return upgrade_.Begin(command);
            const char* what =
                deploys_.busy() ? "a deploy is under way" : "a profile is being kept";
            clients_.Refuse(command, Error{ErrorCode::kConflict,
                                           std::string(what) + "; when it is over: slc upgrade"});
          }),
      confirm_(loop_,
               [this] {
                 log::Info(std::string("upgrade: slcd ") + OwnVersion().text + " holds");
                 EndTrial();
               }),
      supervisor_(loop, options_.supervision) {
  options_.context.is_ours = [this] { return place_.IsOurs(); };
  options_.context.watch_directory = [this](ServiceId id) { place_.WatchMaster(id); };
  clients_.SetObserver(Clients::Observer{
      [this](const Command& command, ServiceId id, const std::vector<std::string>& notes) {
        journal_.NoteAccepted(command, id, notes);
      },
      [this](const Command& command, const Reply& reply) {
        journal_.NoteAnswered(command, reply);
      }});
  changes_.SetObserver([this](ServiceId id) {
    schedules_.Settle(id);
    watches_.Settle(id);
    deploys_.OnChanged(id);
    profiles_.OnChanged(id);
  });
  changes_.SetDeployer(Changes::Deployer{
      [this](ServiceId id) { return deploys_.Refusal(id); },
      [this](ServiceId id, const std::string& reason) { deploys_.Cancel(id, reason); }});
  if (options_.run) {
    run_.emplace(*options_.run,
                 AppRun::Events{[this](const Request& request) {
                                  requests_.Handle(clients_.CommandOf(kInnerClient, request));
                                },
                                [this] { StopAll(); }});
    clients_.ServeInner(
        [this](const std::string& request, const Reply& reply) { run_->OnReply(request, reply); });
    On(SIGHUP, [this] { run_->SoftRestart(registry_); });
  }
  On(SIGTERM, [this] { Leave(); });
  On(SIGINT, [this] { Leave(); });
  On(SIGCHLD, [this] { services_.ReapChildren(); });
}

Daemon::~Daemon() = default;

void Daemon::On(int signal, std::function<void()> action) {
  signals_.push_back(std::make_unique<uv::Signal>(loop_, signal, std::move(action)));
}

Place::Events Daemon::PlaceEvents() {
  Place::Events events;
  // Another one may have had the lock of the place for a moment, and masters obey no lower epoch.
  events.on_lock = [this] {
    options_.context.epoch = std::max(options_.context.epoch + 1, static_cast<Epoch>(BootNow()));
    requests_.SetEpoch(options_.context.epoch);
  };
  events.on_listener = [this](UniqueFd listener) { clients_.Listen(std::move(listener)); };
  events.on_home = [this] { RecordAnew(); };
  events.on_looked = [this] { services_.Rehouse(); };
  events.on_master = [this](ServiceId id) { services_.Rehouse(id); };
  events.on_displaced = [this] { LeaveToAnother(); };
  return events;
}

void Daemon::RecordAnew() {
  const auto& wishes = registry_.wishes();
  const std::string text =
      "the home or its services/ was removed: what the " + std::to_string(wishes.size()) +
      " services are to be is recorded anew, and they run on; what else was in it is lost "
      "(journal, logs, the kept version before). To do without a service: slc ctl remove NAME";
  log::Failure(options_.paths.home + ": " + text);
  journal_.NoteDaemon("home_removed", text);
  for (const auto& [id, wish] : wishes) recorder_.Owe(id);
  recorder_.Begin();
}

Services::Events Daemon::ServiceEvents() {
  Services::Events events;
  events.on_facts = [this](ServiceId id, const link::Facts& facts) {
    Recognize(id);
    journal_.NoteFacts(id, facts);
    if (run_) run_->OnFacts(registry_, id, facts);
    changes_.Settle(id);
    deploys_.OnFacts(id);
    looks_.OnMaster(id);
    supervisor_.Show(StatusLine());
    upgrade_.OnMasters();
  };
  events.on_notice = [this](ServiceId id, const link::Notice& notice) {
    journal_.NoteNotice(id, notice);
    deploys_.OnNotice(id, notice);
    if (!notice.late) operations_.Tell(id, notice.progress);
  };
  events.on_record = [this](ServiceId id, JournalRecord record) {
    if (record.kind == "master_launched") journal_.ExpectFacts(id);
    journal_.NoteEvent(id, std::move(record));
  };
  events.on_nobody = [this](ServiceId id) {
    const Wish* wish = registry_.Get(id);
    if (wish != nullptr && wish->run) journal_.NoteNobody(id);
  };
  events.on_launch_failed = [this](ServiceId id, const Error& error) {
    operations_.FailAll(id, error.During("start the master"));
  };
  events.on_gone = [this](ServiceId id) {
    Recognize(id);
    changes_.Settle(id);
    deploys_.OnFacts(id);
    looks_.OnMaster(id);
    supervisor_.Show(StatusLine());
    EndWhenAllAreGone();
    upgrade_.OnMasters();
  };
  events.on_view = [this](ServiceView& view) {
    schedules_.Describe(view);
    watches_.Describe(view);
    profiles_.Describe(view);
  };
  events.on_prepared = [this](ServiceId id) { changes_.Settle(id); };
  events.is_awaited = [this](int pid) {
    return upgrade_.IsAwaited(pid) || gateway_.pid() == pid || log_readers_.IsOurs(pid) ||
           deploys_.IsOurs(pid);
  };
  events.on_inspected = [this](const link::Inspected& answer, std::vector<UniqueFd> fds) {
    looks_.OnAnswer(answer, std::move(fds));
  };
  events.on_cut = [this](ServiceId id) { looks_.OnCut(id); };
  events.on_upgraded = [this](const UpgradeEvent& outcome) { upgrade_.OnMaster(outcome); };
  return events;
}

Schedules::Hands Daemon::ScheduleHands() {
  return {
      [this](ServiceId id, const std::string& occasion) {
        changes_.RestartUnasked(id, RollMode::kRolling, "schedule", occasion);
      },
      [this](ServiceId id, JournalRecord record) { journal_.NoteEvent(id, std::move(record)); }};
}

FileWatches::Hands Daemon::WatchHands() {
  FileWatches::Hands hands;
  hands.is_busy = [this](ServiceId id) { return changes_.IsChanging(id); };
  hands.restart = [this](ServiceId id, const std::string& occasion) {
    const Wish* wish = registry_.Get(id);
    if (wish == nullptr) return;
    // Where nobody serves there is nothing to be replaced one by one.
    const auto& facts = services_.InstanceOf(id).facts();
    const bool at_once = wish->spec.watch_restart || !facts || facts->ready == 0;
    changes_.RestartUnasked(id, at_once ? RollMode::kRestart : RollMode::kRolling, "watch",
                            occasion);
  };
  hands.on_record = [this](ServiceId id, JournalRecord record) {
    journal_.NoteEvent(id, std::move(record));
  };
  return hands;
}

void Daemon::Recognize(ServiceId id) {
  const Quarantined* bad = registry_.GetQuarantined(id);
  if (bad != nullptr) registry_.Quarantine(services_.Recognize(*bad));
  fallbacks_.Settle(id);
}

Status Daemon::Begin() {
  auto loaded = store_.Load();
  if (!loaded) return loaded.error();
  journal_.NoteStarted(std::string("slcd ") + OwnVersion().text + ", epoch " +
                           std::to_string(options_.context.epoch),
                       options_.replaced);
  for (const std::string& note : loaded->notes) log::Warn(note);
  for (const Quarantined& bad : loaded->quarantined) {
    log::Failure(DescribeDamage(bad) + "; it is services/" + bad.file + " now");
    registry_.Quarantine(bad);
    JournalRecord record;
    record.kind = "quarantined";
    record.text = DescribeDamage(bad);
    journal_.NoteEvent(bad.id, std::move(record));
  }
  registry_.Reserve(loaded->last_id);
  changes_.RememberRemoval(loaded->last_removal);
  // Connections that wait in the queue of the last image's are not lost.
  UniqueFd listener = options_.inheritance.Take(kHeritageControl);
  if (!listener) {
    auto made = place_.Listen();
    if (!made) {
      Error error = made.error().During("listen in " + options_.paths.run);
      const std::string room = DescribeRoom(directories_.run.get());
      if (!room.empty()) error.message += "; " + room + "; services run on meanwhile";
      // The masters' sockets are there: a run directory elsewhere would find none of them.
      if (IsReadOnly(directories_.run.get())) {
        error.message += ". As root: mount -o remount,rw \"$(findmnt -nro TARGET -T '" +
                         options_.paths.run + "')\"";
      }
      return error;
    }
    listener = std::move(*made);
  } else {
    place_.Adopt();
  }
  for (const Wish& wish : loaded->wishes) registry_.Commit(wish);
  for (const ServiceId id : loaded->fallen_back) {
    JournalRecord record;
    record.kind = "fallen_back";
    record.text = DescribeFallback(*registry_.GetFallback(id));
    journal_.NoteEvent(id, std::move(record));
  }
  if (run_) {
    if (Status alone = run_->CheckIsAlone(registry_); !alone) return alone;
  }
  if (options_.before) InheritStore();
  services_.Inherit(std::move(options_.kept));
  if (options_.before) services_.Inherit(options_.inheritance, *options_.before);
  deploys_.Begin();
  profiles_.Begin();
  for (const Wish& wish : loaded->wishes) {
    if (registry_.GetFallback(wish.id) != nullptr) {
      fallbacks_.TakeUp(wish.id);
    } else {
      services_.TakeUp(wish);
    }
  }
  for (const Quarantined& bad : loaded->quarantined) {
    services_.TakeUp(bad);
    Recognize(bad.id);
  }
  clients_.Listen(std::move(listener),
                  ControlServer::Events{[this](ClientId client, const std::string& payload) {
                                          requests_.OnFrame(client, payload);
                                        },
                                        [this](ClientId client) {
                                          operations_.ForgetClient(client);
                                          deploys_.ForgetClient(client);
                                        }});
  place_.Watch();
  for (const ServiceId id : loaded->reserved) recorder_.Owe(id);
  recorder_.Begin();
  schedules_.Begin(journal_.last_before());
  watches_.Begin();
  // `slc run` is about one app, and nothing else.
  if (run_) {
    run_->Start();
  } else {
    gateway_.Begin();
  }
  supervisor_.Ready(StatusLine());
  // Those that ended before we listened for it: children of the image before, or of whatever has
  // executed us.
  services_.ReapChildren();
  GoOnWithUpgrade();
  if (options_.gave_way) {
    log::Failure(requests_.about().trouble);
    upgrade_.NoteGivenWay();
  } else if (options_.previous->trial()) {
    confirm_.StartIn(Trial::kSpan);
  }
  return Ok();
}

void Daemon::InheritStore() {
  std::deque<FdStore::Deed> waiting;
  std::size_t place = 0;
  for (const UntoldFact& fact : options_.before->store) {
    UniqueFd fd = options_.inheritance.Take(HeritageStore(place++));
    if (fact.keep == static_cast<bool>(fd)) waiting.push_back({fact.name, std::move(fd)});
  }
  options_.context.fd_store->Inherit(std::move(waiting));
}

void Daemon::EndTrial() {
  auto ended = std::make_shared<Status>(Ok());
  disk_.Run([previous = options_.previous, ended] { *ended = previous->EndTrial(); },
            [this, ended] {
              if (*ended) return;
              log::Warn("upgrade: the trial of this slcd cannot be ended: " +
                        ended->error().message + "; trying again");
              confirm_.StartIn(Trial::kSpan);
            });
}

UpgradeScene Daemon::Scene() {
  UpgradeScene scene;
  scene.foreground = options_.context.foreground;
  scene.stopping = services_.stopping();
  scene.storage_trouble = recorder_.trouble();
  scene.settled = services_.Settled();
  if (!journal_.written()) {
    scene.unwritten = "slcd's journal";
  } else if (!disk_.idle()) {
    scene.unwritten = "what slcd has given it to do";
  } else if (!options_.is_logged()) {
    scene.unwritten = "slcd's log";
  }
  return scene;
}

Error Daemon::GiveWay(const Command& command) {
  DaemonFacts facts;
  facts.epoch = options_.context.epoch;
  facts.version = OwnVersion().text;
  facts.request = command.request.id;
  facts.peer = command.peer;
  facts.began = BootNow();
  Bequest bequest;
  bequest.fds[kHeritageLock] = options_.lock;
  bequest.fds[kHeritageControl] = clients_.listener();
  const int client = clients_.SocketOf(command.client);
  if (client >= 0) bequest.fds[kHeritageClient] = client;
  services_.Bequeath(bequest, facts);
  for (const FdStore::Deed& deed : options_.context.fd_store->waiting()) {
    if (deed.fd) bequest.fds[HeritageStore(facts.store.size())] = deed.fd.get();
    facts.store.push_back({deed.name, static_cast<bool>(deed.fd)});
  }
  bequest.facts = EncodeDaemonFacts(facts);
  return ExecuteInPlace(options_.context.daemon_program, {"slcd"}, bequest, options_.context.core);
}

void Daemon::GoOnWithUpgrade() {
  if (!options_.before) return;
  Request request;
  request.id = options_.before->request;
  request.body = UpgradeAll{};
  UniqueFd client = options_.inheritance.Take(kHeritageClient);
  const ClientId id = client ? clients_.Take(std::move(client)) : kNoClient;
  Command command = clients_.CommandOf(id, std::move(request));
  command.peer = options_.before->peer;
  upgrade_.GoOn(command, *options_.before);
}

void Daemon::Leave() {
  if (run_) return StopAll();
  log::Info("leaving, services go on");
  journal_.NoteDaemon("daemon_leaving", "services go on");
  supervisor_.Leave("leaving, services go on");
  services_.SayLeaving();
  loop_.Stop();
}

void Daemon::LeaveToAnother() {
  displaced_ = true;
  log::Warn("another slcd has the lock of " + options_.paths.home +
            ", where ours was removed; leaving the services to it");
  supervisor_.Leave("another slcd serves this home");
  loop_.Stop();
}

void Daemon::StopAll() {
  if (!services_.stopping()) {
    log::Info("stopping all services");
    supervisor_.Leave("stopping all services");
  }
  if (run_) run_->OnStop();
  deploys_.CancelAll("slcd is being shut down");
  services_.StopAll();
  EndWhenAllAreGone();
}

int Daemon::exit_code() const {
  if (displaced_) return run_ ? 1 : 0;
  if (run_) return run_->exit_code();
  return shut_down_ && options_.supervision.by_systemd ? kStaysDown : 0;
}

std::string Daemon::StatusLine() const {
  const auto& wishes = registry_.wishes();
  const auto running = std::count_if(wishes.begin(), wishes.end(), [this](const auto& entry) {
    return services_.IsRunning(entry.first);
  });
  return std::to_string(running) + " of " + std::to_string(wishes.size()) + " services run";
}

void Daemon::EndWhenAllAreGone() {
  if (ended_ || !services_.stopping() || services_.AnyMaster()) return;
  ended_ = true;
  const auto& wishes = registry_.wishes();
  const auto wanted = std::count_if(wishes.begin(), wishes.end(),
                                    [](const auto& entry) { return entry.second.run; });
  Reply reply;
  if (wanted > 0) {
    reply.notes.push_back(
        (wanted == 1 ? std::string("the service") : "the " + std::to_string(wanted) + " services") +
        " that ran will be started by the next slc command; `slc ctl stop` keeps one down");
  }
  shut_down_ = !shutdowns_.empty();
  for (const Command& command : shutdowns_) clients_.Answer(command, reply);
  shutdowns_.clear();
  log::Info("all services have stopped; leaving");
  journal_.NoteDaemon("daemon_stopping", "all services have stopped");
  loop_.Stop();
}

}  // namespace slc
