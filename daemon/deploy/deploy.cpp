#include "daemon/deploy/deploy.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "common/base/file_rights.h"
#include "common/base/leftovers.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "daemon/deploy/core/releases.h"
#include "daemon/deploy/find_script.h"

namespace slc::deploy {
namespace {

// Beyond what its workers are given.
constexpr Millis kMargin = 10'000;
constexpr std::size_t kShownDigits = 12;

// What a release is called by people.
std::string Called(const std::string& name, const std::string& directory) {
  return name.empty() ? directory : name.substr(0, kShownDigits);
}

}  // namespace

Deploy::Deploy(const DeployContext& context, ServiceId id, Command command,
               std::function<void()> on_over)
    : context_(context),
      id_(id),
      command_(std::move(command)),
      on_over_(std::move(on_over)),
      timer_(context.loop, [this] { Feed(DeployTick{}); }),
      again_(context.loop, [this] { Do(RollBack{}); }) {}

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
        const Status wanted =
            cancelled_ ? Status(Error{ErrorCode::kCancelled, cancel_reason_}) : status;
        if (!wanted) {
          plan_.archive.reset();
          prepared->staging.reset();
          context_.clients.Refuse(command_, wanted.error());
          // What was made of it goes.
          Run([&store = context_.store, id = id_,
               request = record_.request] { return store.Remove(id, {}, request); },
              [this](const Status&) { over_ = true; });
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
  cancel_reason_ = reason;
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
  if (awaited_ == Awaited::kRollBack || again_.active()) Tell();
}

void Deploy::Tell() {
  if (!reply_) return;
  const Reply reply = std::move(*reply_);
  reply_.reset();
  context_.clients.Answer(command_, reply);
}

void Deploy::Do(const Remove&) {
  staging_.reset();
  const std::vector<std::string> in_use = InUse();
  if (std::find(in_use.begin(), in_use.end(), record_.release) != in_use.end()) {
    log::Warn("release " + record_.release + " has failed, and workers of it serve: it stays");
    return Feed(Removed{});
  }
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
    const std::string name = context_.store.ReleaseHolding(id_, directory);
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

}  // namespace slc::deploy
