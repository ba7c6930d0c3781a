#include "daemon/deploy/deploy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/environment.h"
#include "common/base/file_rights.h"
#include "common/base/files.h"
#include "common/base/leftovers.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/model/app_folder.h"
#include "common/model/unpacked.h"
#include "daemon/deploy/core/releases.h"
#include "daemon/deploy/package_facts.h"
#include "daemon/deploy/unpack_start.h"
#include "daemon/generation_resolver.h"

namespace slc::deploy {
namespace {

// Beyond what its workers are given.
constexpr Millis kMargin = 10'000;
constexpr std::size_t kShownDigits = 12;

std::string Failure(const Status& status) {
  return status ? std::string() : status.error().message;
}

// What a release is called by people.
std::string Called(const std::string& name, const std::string& directory) {
  return name.empty() ? directory : name.substr(0, kShownDigits);
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// What of the app in `directory` is run, and how. An app of another language is run as before.
Status FindScriptIn(const std::string& directory, ServiceSpec& spec) {
  spec.directory = directory;
  if (!spec.interpreter.empty()) return Ok();
  auto app = FindApp(AppRequest{directory, "/", {}});
  if (!app) return app.error();
  spec.script = app->script;
  spec.script_reason = app->reason;
  spec.script_environment = app->script_environment;
  spec.script_node_arguments = app->node_arguments;
  if (!spec.own_arguments) spec.arguments = app->arguments;
  if (!app->node.empty()) spec.node = app->node;
  return Ok();
}

}  // namespace

Deploy::Deploy(const DeployContext& context, ServiceId id, Command command,
               std::function<void()> on_over)
    : context_(context),
      id_(id),
      command_(std::move(command)),
      on_over_(std::move(on_over)),
      timer_(context.loop, [this] { Feed(DeployTick{}); }) {}

Deploy::~Deploy() {
  if (!child_.pidfd) return;
  SignalProcess(child_.pidfd, SIGKILL);
  KillByCookie(Cookie(), child_.identity);
}

std::string Deploy::Cookie() const { return context_.home_key + "-deploy-" + std::to_string(id_); }

std::string Deploy::Describe() const {
  const std::string phase = transaction_ ? transaction_->phase() : "being prepared";
  return "by " + Printable(record_.by) + " since " +
         FormatSpan(std::max<Millis>(0, WallNow() - record_.begun)) + " (" + phase + ")";
}

void Deploy::Note(const std::string& kind, const std::string& text) const {
  Progress progress;
  progress.kind = kind;
  progress.text = text;
  context_.clients.Tell(command_, progress);
}

void Deploy::Run(std::function<Status()> job, std::function<void(const Status& status)> then) {
  auto status = std::make_shared<Status>(Ok());
  ++jobs_;
  context_.disk.Run([job = std::move(job), status] { *status = job(); },
                    [this, then = std::move(then), status] {
                      --jobs_;
                      then(*status);
                      if (over_ && jobs_ == 0) on_over_();
                    });
}

// ------------------------------------------------------------------------------------------------
// its beginning and end

void Deploy::Begin(DeployPlan plan) {
  plan_ = std::move(plan);
  const Wish& wish = *context_.registry.Get(id_);
  before_ = wish.spec;
  spec_ = plan_.spec;
  first_ = before_.directory.empty();
  record_.request = command_.request.id;
  record_.existing = plan_.existing;
  record_.runs = wish.run || first_;
  if (!first_) {
    record_.old_name = Called(context_.store.ReleaseIn(id_, before_.directory), before_.directory);
  }
  record_.wish_before = Store::Encode(wish);
  record_.boot_id = BootId();
  record_.by = plan_.release.by;
  record_.begun = plan_.release.when;
  Prepare();
}

// What must be there before anything is taken from the sender.
void Deploy::Prepare() {
  struct Prepared {
    std::optional<RunAs> user;
    UniqueFd staging;
    Release release;
    ServiceSpec spec;
  };
  auto prepared = std::make_shared<Prepared>();
  prepared->release = plan_.release;
  prepared->spec = spec_;
  Run(
      [&store = context_.store, id = id_, existing = plan_.existing, request = record_.request,
       prepared]() -> Status {
        if (!prepared->spec.run_as.empty()) {
          auto user = ResolveRunAs(prepared->spec.run_as);
          if (!user) return user.error();
          prepared->user = std::move(*user);
        }
        Release& release = prepared->release;
        if (!existing) {
          auto staging = store.MakeStaging(id, request, prepared->user);
          if (!staging) return staging.error();
          prepared->staging = std::move(*staging);
          return Ok();
        }
        if (release.number == 0) {
          if (Status named = store.Name(id, release); !named) return named;
          if (Status written = store.Write(id, release); !written) return written;
        }
        const FileRights rights(prepared->user);
        return FindScriptIn(release.origin == ReleaseOrigin::kFolder
                                ? release.folder
                                : store.PathOf(id, release.name),
                            prepared->spec);
      },
      [this, prepared](const Status& status) {
        if (!status) {
          plan_.archive.reset();
          context_.clients.Refuse(command_, status.error());
          over_ = true;
          return;
        }
        user_ = std::move(prepared->user);
        staging_ = std::move(prepared->staging);
        plan_.release = std::move(prepared->release);
        spec_ = std::move(prepared->spec);
        if (plan_.existing) {
          directory_ = spec_.directory;
          record_.release = plan_.release.name;
        }
        Start();
      });
}

void Deploy::Start() {
  transaction_.emplace(Options());
  inbox_.clear();
  feeding_ = true;
  for (const DeployAction& action : transaction_->Begin(context_.loop.now())) {
    std::visit([this](const auto& deed) { Do(deed); }, action);
  }
  feeding_ = false;
  Feed(DeployTick{});
}

DeployOptions Deploy::Options() const {
  DeployOptions options;
  options.existing = record_.existing;
  options.runs = record_.runs;
  options.old_name = record_.old_name;
  options.health = !spec_.releases.health.empty();
  // There is nothing that a first release could do harm to.
  options.canary_time = first_ ? 0 : spec_.releases.canary_time;
  options.ready_limit = spec_.ready_timeout + kMargin;
  const Wish* wish = context_.registry.Get(id_);
  const std::uint32_t size = wish == nullptr          ? 1
                             : wish->size == kSizeCpu ? UsableCpus()
                                                      : wish->size;
  options.roll_limit = kMargin + (size + 1) * (spec_.ready_timeout + spec_.drain_timeout +
                                               spec_.drain_linger + spec_.stop_timeout);
  return options;
}

void Deploy::Resume(DeployRecord record, const DeployResumed& found) {
  record_ = std::move(record);
  directory_ = context_.store.PathOf(id_, record_.release);
  plan_.release.name = record_.release;
  if (const auto before = Store::Decode(record_.wish_before)) before_ = before->spec;
  first_ = before_.directory.empty();
  if (const Wish* wish = context_.registry.Get(id_)) spec_ = wish->spec;
  // Of one that is run in place the record says where.
  const auto* wish = context_.registry.Get(id_);
  if (wish != nullptr && record_.existing && found.wish_is_new) directory_ = wish->spec.directory;
  transaction_.emplace(Options());
  log::Warn("service " + (wish != nullptr ? wish->spec.name : std::to_string(id_)) +
            ": a deploy of release " + record_.release +
            " was under way when slcd ended; seeing it to its end");
  feeding_ = true;
  for (const DeployAction& action : transaction_->Resume(found, context_.loop.now())) {
    std::visit([this](const auto& deed) { Do(deed); }, action);
  }
  feeding_ = false;
  Feed(DeployTick{});
}

void Deploy::Cancel(const std::string& reason) {
  code_ = ErrorCode::kCancelled;
  cancelled_ = true;
  if (transaction_) Feed(CancelDeploy{reason});
}

void Deploy::Feed(const DeployEvent& event) {
  inbox_.push_back(event);
  if (feeding_ || !transaction_) return;
  feeding_ = true;
  while (!inbox_.empty()) {
    const DeployEvent next = std::move(inbox_.front());
    inbox_.pop_front();
    for (const DeployAction& action : transaction_->On(next, context_.loop.now())) {
      std::visit([this](const auto& deed) { Do(deed); }, action);
    }
  }
  feeding_ = false;
  if (const auto at = transaction_->deadline()) {
    timer_.StartAt(*at);
  } else {
    timer_.Stop();
  }
}

void Deploy::Do(const Record& action) {
  record_.step = action.step;
  const bool first_time = action.step == DeployStep::kPreparing;
  const bool to_switch = action.step == DeployStep::kCanary || action.step == DeployStep::kRolling;
  auto record = std::make_shared<DeployRecord>(record_);
  auto release = std::make_shared<Release>(plan_.release);
  Run(
      [&store = context_.store, id = id_, record, release, first_time, to_switch]() -> Status {
        if (first_time) {
          if (Status named = store.Name(id, *release); !named) return named;
          record->release = release->name;
        }
        if (to_switch && !record->existing) {
          if (Status synced = store.Sync(id, record->release); !synced) return synced;
        }
        return store.WriteDeploy(id, *record);
      },
      [this, record, release](const Status& status) {
        record_.release = record->release;
        plan_.release = *release;
        if (!record_.existing) directory_ = context_.store.PathOf(id_, record_.release);
        if (!status) code_ = status.error().code;
        Feed(Recorded{Failure(status)});
      });
}

void Deploy::Do(const Answer& action) {
  JournalRecord record;
  record.kind = action.good ? "release_in_service" : "release_failed";
  const std::string release = Called(record_.release, directory_);
  record.text = release + (record_.by.empty() ? "" : ", by " + record_.by);
  if (!action.good) record.text += ": " + action.text;
  if (context_.registry.Get(id_) != nullptr) context_.record(id_, std::move(record));
  Reply reply;
  if (action.good) {
    const InstanceState* state = context_.services.InstanceOf(id_).ReadState();
    std::size_t workers = 0;
    if (state != nullptr) {
      workers = static_cast<std::size_t>(std::count_if(
          state->fleet.workers.begin(), state->fleet.workers.end(),
          [](const auto& each) { return Serves(each.second) && !IsSpare(each.second); }));
    }
    const Wish* wish = context_.registry.Get(id_);
    std::string text = std::to_string(workers) + (workers == 1 ? " worker runs" : " workers run") +
                       " release " + release;
    if (wish != nullptr && !wish->run) {
      text = "release " + release + " is in place; '" + wish->spec.name +
             "' is stopped, to start it: slc ctl start " + wish->spec.name;
    }
    reply.data = DeployReply{record_.release, text};
  } else {
    reply.error = Error{code_, action.text};
    reply.log_tail = log_tail_;
  }
  reply_ = std::move(reply);
  // Whoever waits may deploy again at once; only what takes long to come back is not waited for.
  if (awaited_ == Awaited::kRollBack) Tell();
}

void Deploy::Tell() {
  if (!reply_) return;
  const Reply reply = std::move(*reply_);
  reply_.reset();
  context_.clients.Answer(command_, reply);
}

void Deploy::Do(const Remove&) {
  staging_.reset();
  Run(
      [&store = context_.store, id = id_, record = record_, cookie = Cookie()] {
        KillByCookie(cookie);
        return store.Remove(id, record.release, record.request);
      },
      [this](const Status& status) {
        if (!status) log::Warn("a release that failed cannot be removed: " + Failure(status));
        Feed(Removed{Failure(status)});
      });
}

// Whatever is in the way of it is in nobody's way: it is tried again after the next deploy.
void Deploy::Do(const Prune&) {
  const Wish* wish = context_.registry.Get(id_);
  const std::uint32_t keep = wish != nullptr ? wish->spec.releases.keep : kKeptReleases;
  Run(
      [&store = context_.store, id = id_, name = record_.release, in_use = InUse(),
       keep]() -> Status {
        auto releases = store.List(id);
        if (!releases) return releases.error();
        for (Release& release : *releases) {
          if (release.name != name || release.state == ReleaseState::kProven) continue;
          release.state = ReleaseState::kProven;
          if (Status written = store.Write(id, release); !written) return written;
        }
        for (const std::string& surplus : Surplus(*releases, name, in_use, keep)) {
          if (Status removed = store.Remove(id, surplus, {}); !removed) return removed;
        }
        return Ok();
      },
      [](const Status& status) {
        if (!status) log::Warn("old releases cannot be removed: " + Failure(status));
      });
}

void Deploy::Do(const Forget&) {
  Run([&store = context_.store, id = id_] { return store.ForgetDeploy(id); },
      [this](const Status& status) {
        if (!status) log::Warn("the record of a deploy cannot be removed: " + Failure(status));
        timer_.Stop();
        over_ = true;
        Tell();
      });
}

// What masters have that live: workers of generations before may drain yet.
std::vector<std::string> Deploy::InUse() const {
  std::vector<std::string> in_use;
  const auto add = [&](const std::string& directory) {
    const std::string name = context_.store.ReleaseIn(id_, directory);
    if (!name.empty()) in_use.push_back(name);
  };
  if (const Wish* wish = context_.registry.Get(id_)) add(wish->spec.directory);
  const InstanceHandle& instance = context_.services.InstanceOf(id_);
  if (const InstanceState* state = instance.ReadState()) {
    for (const auto& [worker, facts] : state->fleet.workers) {
      const auto config = instance.ReadConfig(facts.generation);
      if (config) add(config->working_directory);
    }
  }
  return in_use;
}

// ------------------------------------------------------------------------------------------------
// what is made of the archive

void Deploy::Do(const StartUnpack&) {
  report_.reset(::memfd_create("slc-unpack-report", MFD_CLOEXEC));
  UnpackOrder order;
  order.program = context_.unpacker();
  order.archive = plan_.archive.get();
  order.folder = staging_.get();
  order.report = report_.get();
  order.user = user_;
  order.cookie = Cookie();
  auto child = LaunchUnpacker(order);
  // Whoever sends must see that nobody reads, and the reader the end of a sender that has died.
  plan_.archive.reset();
  if (!child) {
    code_ = child.error().code;
    return Feed(UnpackEnded{child.error().message});
  }
  Watch(std::move(*child), [this](const std::optional<int>& status) { OnUnpacked(status); });
}

void Deploy::Watch(Spawned child, std::function<void(const std::optional<int>& status)> on_end) {
  child_ = std::move(child);
  on_child_end_ = std::move(on_end);
  child_poll_ = std::make_unique<uv::Poll>(context_.loop, child_.pidfd.get(),
                                           [this](uv::Poll::Ready) { OnChildEnded(); });
  child_poll_->Watch(true, false);
}

void Deploy::OnChildEnded() {
  const std::optional<int> status = Reap(child_.pidfd);
  // Its Poll is what calls us: it goes when we return.
  const std::unique_ptr<uv::Poll> poll = std::move(child_poll_);
  const auto on_end = std::move(on_child_end_);
  if (lines_) lines_->Finish();
  child_ = Spawned{};
  context_.reap();
  on_end(status);
}

void Deploy::OnUnpacked(const std::optional<int>& status) {
  const auto line = ReadMemfd(report_.get());
  report_.reset();
  const bool spoke = status && WIFEXITED(*status) && WEXITSTATUS(*status) <= 1;
  const auto unpacked = spoke && line ? DecodeUnpacked(std::string(Trim(*line)))
                                      : Result<Unpacked>(Error{ErrorCode::kSystem, ""});
  if (!spoke || !unpacked) {
    const bool told = spoke && unpacked.error().code != ErrorCode::kProtocol;
    if (!cancelled_) code_ = told ? unpacked.error().code : ErrorCode::kSystem;
    return Feed(UnpackEnded{
        told ? unpacked.error().message
             : "slc-unpack ended: " + (status ? DescribeWaitStatus(*status) : "how is not known")});
  }
  Release& release = plan_.release;
  release.sha256 = unpacked->sha256;
  if (release.origin != ReleaseOrigin::kGit) release.hash = unpacked->sha1;
  release.bytes = unpacked->bytes;
  release.entries = unpacked->entries;
  Note("unpacked", "unpacked " + std::to_string(unpacked->entries) + " files and folders, " +
                       FormatBytes(unpacked->bytes));
  Feed(UnpackEnded{});
}

void Deploy::Do(const Place&) {
  // What ran in place before can be rolled back to, too.
  std::optional<Release> old;
  if (!first_ && context_.store.ReleaseIn(id_, before_.directory).empty()) {
    old = ReleaseStore::OfFolder(before_.directory);
    old->state = ReleaseState::kProven;
    old->when = record_.begun;
  }
  auto release = std::make_shared<Release>(plan_.release);
  Run(
      [&store = context_.store, id = id_, request = record_.request, old, release]() -> Status {
        if (old) {
          Release folder = *old;
          if (Status named = store.Name(id, folder); !named) return named;
          if (Status written = store.Write(id, folder); !written) return written;
          release->number = std::max(release->number, folder.number + 1);
        }
        return store.Place(id, request, *release);
      },
      [this, release](const Status& status) {
        staging_.reset();
        plan_.release = *release;
        if (!status) code_ = status.error().code;
        Feed(Placed{Failure(status)});
      });
}

void Deploy::Do(const StartInstall&) {
  auto step = std::make_shared<NpmStep>();
  Run(
      [&store = context_.store, id = id_, name = record_.release, user = user_,
       skip = !spec_.releases.npm, step]() -> Status {
        auto folder = store.Open(id, name);
        if (!folder) return folder.error();
        const FileRights rights(user);
        auto facts = ReadPackageFacts(folder->get());
        if (!facts) return facts.error();
        *step = ChooseNpmStep(*facts, skip);
        return Ok();
      },
      [this, step](const Status& status) {
        if (!status) return OnInstalled(Failure(status));
        Install(*step);
      });
}

void Deploy::Install(const NpmStep& step) {
  plan_.release.npm_reason = step.reason;
  Note("note", step.reason);
  if (cancelled_ || step.arguments.empty()) return OnInstalled({});
  plan_.release.npm = "npm " + Join(step.arguments, " ");
  Note("note", "running " + plan_.release.npm);
  if (Status started = StartNpm(step); !started) OnInstalled(Failure(started));
}

Status Deploy::StartNpm(const NpmStep& step) {
  Wish wish = *context_.registry.Get(id_);
  wish.spec = spec_;
  TargetUser user;
  if (user_) {
    const UserInfo info = LookUpUser(user_->uid);
    user = {info.name, info.home};
  }
  Environment environment = ComposeEnvironment(wish, {}, user_ ? &user : nullptr, directory_);
  environment.erase("PORT");
  if (!spec_.node.empty()) {
    environment["PATH"] = DirectoryOf(spec_.node) + ":" + environment["PATH"];
  }
  // npm keeps its cache there, and fails without.
  if (environment.count("HOME") == 0) environment["HOME"] = LookUpUser(::geteuid()).home;
  environment[kCookieVariable] = Cookie();
  auto npm = FindProgram("npm", environment["PATH"]);
  if (!npm) return npm.error().During("install the dependencies");
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  SpawnOptions options;
  options.program = *npm;
  options.arguments = {"npm"};
  options.arguments.insert(options.arguments.end(), step.arguments.begin(), step.arguments.end());
  options.environment = ToBlock(environment);
  options.working_directory = directory_;
  options.descriptors = {{theirs.get(), STDOUT_FILENO}, {theirs.get(), STDERR_FILENO}};
  options.run_as = user_;
  options.file_mask = spec_.file_mask;
  constexpr int kNice = 5;  // whoever is served must not wait for it
  options.nice = kNice;
  auto child = Spawn(options);
  if (!child) return child.error();
  lines_ = std::make_unique<ChildLines>(context_.loop, std::move(ours),
                                        [this](const std::string& line) { Note("output", line); });
  Watch(std::move(*child), [this](const std::optional<int>& status) {
    if (status && *status == 0) return OnInstalled({});
    log_tail_ = lines_->last();
    OnInstalled(plan_.release.npm + ": " +
                (status ? DescribeWaitStatus(*status) : "how it ended is not known"));
  });
  return Ok();
}

void Deploy::OnInstalled(const std::string& failure) {
  if (!failure.empty() || cancelled_) return Feed(InstallEnded{failure});
  FindScript();
}

void Deploy::FindScript() {
  auto spec = std::make_shared<ServiceSpec>(spec_);
  Run(
      [&store = context_.store, id = id_, release = plan_.release, directory = directory_,
       user = user_, spec]() -> Status {
        if (Status written = store.Write(id, release); !written) return written;
        const FileRights rights(user);
        return FindScriptIn(directory, *spec);
      },
      [this, spec](const Status& status) {
        if (status) spec_ = *spec;
        Feed(InstallEnded{Failure(status)});
      });
}

void Deploy::Do(const EndChild&) {
  if (!child_.pidfd) return;  // a step between two children: it ends by itself
  SignalProcess(child_.pidfd, SIGKILL);
  Run(
      [cookie = Cookie(), leader = child_.identity]() -> Status {
        KillByCookie(cookie, leader);
        return Ok();
      },
      [](const Status&) {});
}

// ------------------------------------------------------------------------------------------------
// into service

void Deploy::Do(const StartCanary&) {
  context_.changes.Switch(
      id_,
      [this](ServiceId id) { return context_.registry.ProposeRelease(id, spec_, true, !first_); },
      [this](const Status& status) { Switched(Awaited::kCanary, status); });
}

void Deploy::Do(const StartRoll&) {
  probe_.reset();
  context_.changes.Switch(
      id_,
      [this](ServiceId id) -> Result<Proposal> {
        const Wish& wish = *context_.registry.Get(id);
        if (IsNew(wish)) return context_.registry.ProposeEndOfTrial(id);
        return context_.registry.ProposeRelease(id, spec_, wish.run, false);
      },
      [this](const Status& status) { Switched(Awaited::kRoll, status); });
}

void Deploy::Do(const RollBack&) {
  probe_.reset();
  Note("note", "it failed, and what ran before comes back");
  const auto before = Store::Decode(record_.wish_before);
  if (!before) {
    // The file of the wish may be sound all the same, and then it decides.
    log::Failure("what was in force before a deploy cannot be read: " + before.error().message);
    return Feed(RolledBack{"what was in force before cannot be read"});
  }
  context_.changes.Switch(
      id_,
      [this, spec = before->spec, ran = before->run](ServiceId id) -> Result<Proposal> {
        const Wish& wish = *context_.registry.Get(id);
        // It never came so far, or is there already.
        if (wish.spec == spec) return context_.registry.ProposeEndOfTrial(id);
        // Somebody may have stopped it meanwhile.
        return context_.registry.ProposeRelease(id, spec, ran && wish.run, false);
      },
      [this](const Status& status) { Switched(Awaited::kRollBack, status); });
}

void Deploy::Switched(Awaited what, const Status& status) {
  const Wish* wish = context_.registry.Get(id_);
  awaited_ = what;
  if (!status || wish == nullptr) {
    if (what != Awaited::kRollBack && !cancelled_)
      code_ = status ? ErrorCode::kCancelled : status.error().code;
    return Conclude(status ? "the service was removed meanwhile" : Failure(status));
  }
  order_ = wish->order;
  generation_ = wish->generation;
  Judge();
}

void Deploy::OnFacts() { Judge(); }

void Deploy::OnNotice(const link::Notice& notice) {
  const Progress& progress = notice.progress;
  if (progress.generation == generation_ && awaited_ != Awaited::kNothing && !notice.late) {
    context_.clients.Tell(command_, progress);
  }
  const bool canary = awaited_ == Awaited::kCanary && canary_ready_ &&
                      progress.kind == "worker_exited" && notice.unasked &&
                      progress.generation == generation_;
  if (canary)
    Conclude("its canary (worker " + std::to_string(progress.worker) + ") ended: " + progress.text);
}

void Deploy::Judge() {
  if (awaited_ == Awaited::kNothing) return;
  std::string failure;
  if (HasEnded(awaited_, failure)) Conclude(failure);
}

// What is awaited has happened, or has failed.
bool Deploy::HasEnded(Awaited what, std::string& failure) {
  const InstanceHandle& instance = context_.services.InstanceOf(id_);
  const Wish* wish = context_.registry.Get(id_);
  if (wish == nullptr) {
    failure = "the service was removed";
    return true;
  }
  if (!wish->run) {
    // A stopped one has nothing to roll; one that is to be stopped is waited for.
    if (what == Awaited::kCanary) return false;
    return what == Awaited::kRoll || !instance.has_master();
  }
  const auto& facts = instance.facts();
  if (!facts || facts->order < order_) return false;
  if (facts->failure && facts->failure->generation == generation_) {
    failure = "its workers do not come up: " + facts->failure->reason;
    if (what != Awaited::kRollBack) log_tail_ = facts->log_tail;
    return true;
  }
  if (what == Awaited::kCanary) {
    const InstanceState* state = instance.ReadState();
    return state != nullptr && !canary_ready_ &&
           std::any_of(state->fleet.workers.begin(), state->fleet.workers.end(),
                       [this](const auto& each) {
                         return each.second.generation == generation_ && Serves(each.second);
                       });
  }
  return facts->phase == "running" || facts->phase == "finished";
}

void Deploy::Conclude(const std::string& failure) {
  const Awaited what = awaited_;
  // A canary is watched until the roll begins.
  if (what != Awaited::kCanary || !failure.empty()) awaited_ = Awaited::kNothing;
  switch (what) {
    case Awaited::kNothing:
      return;
    case Awaited::kCanary:
      if (!failure.empty()) return Feed(CanaryFailed{failure});
      canary_ready_ = true;
      Note("note", "the first worker of the new release serves");
      return Feed(CanaryReady{});
    case Awaited::kRoll:
      return Feed(RollEnded{failure});
    case Awaited::kRollBack:
      return Feed(RolledBack{failure});
  }
}

void Deploy::Do(const Probe&) {
  HealthProbe::Target target;
  target.path = spec_.releases.health;
  const InstanceState* state = context_.services.InstanceOf(id_).ReadState();
  if (state != nullptr) {
    for (const ListenerFacts& listener : state->listeners) {
      const bool tcp =
          listener.kind == ListenerKind::kTcp || listener.kind == ListenerKind::kInherited;
      if (!tcp || listener.bound_port <= 0) continue;
      target.address = listener.address;
      target.port = static_cast<std::uint16_t>(listener.bound_port);
      break;
    }
    constexpr std::size_t kMostTimes = 32;
    target.times =
        static_cast<unsigned>(std::clamp<std::size_t>(state->fleet.workers.size(), 1, kMostTimes));
  }
  const Wish* wish = context_.registry.Get(id_);
  if (target.port == 0 && wish != nullptr) target.port = EffectivePort(*wish).value_or(0);
  probe_ = std::make_unique<HealthProbe>(context_.loop, std::move(target),
                                         [this](const std::string& failure) {
                                           probe_over_ = std::move(probe_);
                                           Feed(Probed{failure});
                                         });
}

}  // namespace slc::deploy
