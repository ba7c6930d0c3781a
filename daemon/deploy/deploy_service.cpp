// Deploy, where a release comes into service, or what was before comes back.
#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "daemon/deploy/deploy.h"

namespace slc::deploy {
namespace {

constexpr Millis kAgain = 1'000;

}  // namespace

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
      [this, old = *before](ServiceId id) -> Result<Proposal> {
        const Wish& wish = *context_.registry.Get(id);
        // It never came so far, or is there already.
        if (wish.spec == old.spec) return context_.registry.ProposeEndOfTrial(id);
        // Somebody may have stopped it meanwhile.
        auto back = context_.registry.ProposeRelease(id, old.spec, old.run && wish.run, false);
        // What still runs of it has not to end.
        if (back && back->new_generation && old.run) back->as_before = old.generation;
        return back;
      },
      [this](const Status& status) { Switched(Awaited::kRollBack, status); });
}

void Deploy::Switched(Awaited what, const Status& status) {
  const Wish* wish = context_.registry.Get(id_);
  // Whatever is in the way of it: as long as the wish is the new one its release is in service.
  if (!status && wish != nullptr && what == Awaited::kRollBack) {
    if (!again_.active()) {
      const std::string trouble = "what ran before cannot be brought back: " + Failure(status);
      log::Failure("service " + wish->spec.name + ": " + trouble + "; trying again");
      Note("note", trouble + "; trying again");
    }
    return again_.StartIn(kAgain);
  }
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
  // Facts come only when their summary has changed, as it need not for one more that serves.
  if (awaited_ == Awaited::kCanary && !canary_ready_ && progress.kind == "worker_ready" &&
      progress.generation == generation_) {
    return Conclude({});
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
  const auto stand = wish->trial ? context_.services.StandOf(id_, generation_) : std::nullopt;
  if (stand && stand->step != TrialStep::kNone && what == Awaited::kCanary) {
    if (stand->step == TrialStep::kFailed) {
      failure = "its canary failed: " + stand->reason;
      log_tail_ = facts->log_tail;
      return true;
    }
    return stand->step == TrialStep::kServes && !canary_ready_;
  }
  if (facts->failure && facts->failure->generation == generation_) {
    failure = "its workers do not come up: " + facts->failure->reason;
    if (what != Awaited::kRollBack) log_tail_ = facts->log_tail;
    return true;
  }
  if (what == Awaited::kCanary) {
    if (wish->size == 0) return !canary_ready_;
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

namespace {

// Where the worker listens, or, if that is not known, the instance.
const ListenerFacts* PortOf(const InstanceState& state, WorkerId worker) {
  const auto facts = state.workers.find(worker);
  const ListenerFacts* first = nullptr;
  for (const ListenerFacts& listener : state.listeners) {
    const bool tcp =
        listener.kind == ListenerKind::kTcp || listener.kind == ListenerKind::kInherited;
    if (!tcp || listener.bound_port <= 0) continue;
    if (first == nullptr) first = &listener;
    if (facts == state.workers.end()) continue;
    const std::vector<std::string>& keys = facts->second.keys;
    if (std::find(keys.begin(), keys.end(), listener.key) != keys.end()) return &listener;
  }
  return first;
}

}  // namespace

void Deploy::Do(const Probe&) {
  HealthProbe::Target target;
  target.path = spec_.releases.health;
  target.sticky = spec_.balance == Balance::kSticky;
  const InstanceState* state = context_.services.InstanceOf(id_).ReadState();
  if (state != nullptr) {
    const WorkerId canary = TrialWorker(state->fleet);
    const auto facts = state->workers.find(canary);
    if (facts != state->workers.end()) target.worker = facts->second.process.pid;
    if (const ListenerFacts* listener = PortOf(*state, canary)) {
      target.address = listener->address;
      target.port = static_cast<std::uint16_t>(listener->bound_port);
    }
    // Where connections go by chance, who is one of n is missed by 8 n of them once in 3000 times.
    constexpr std::size_t kMostTries = 1024;
    const std::size_t workers = state->fleet.workers.size();
    target.tries = static_cast<unsigned>(
        std::clamp<std::size_t>(target.worker != 0 ? 8 * workers : workers, 1, kMostTries));
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
