#include "daemon/views.h"

#include <unistd.h>

#include <algorithm>

namespace slc {
namespace {

std::vector<std::string> Addresses(const InstanceState& state, const WorkerFacts& worker) {
  std::vector<std::string> shown;
  for (const std::string& key : worker.keys) {
    for (const ListenerFacts& listener : state.listeners) {
      if (listener.key == key) shown.push_back(DescribeListener(listener));
    }
  }
  shown.insert(shown.end(), worker.own_listeners.begin(), worker.own_listeners.end());
  return shown;
}

ProcessView MasterView(const InstanceState& state, bool adopting, Millis now) {
  ProcessView master;
  master.pid = state.master.pid;
  master.state = adopting ? "adopting" : "ready";
  master.generation = state.fleet.wish.generation;
  master.started_wall = state.master_started_wall;
  // By the clock that counts from boot: the wall clock may have been set since.
  const auto ticks = static_cast<Millis>(state.master.start_time);
  master.uptime = std::max<Millis>(0, now - ticks * 1000 / ::sysconf(_SC_CLK_TCK));
  return master;
}

// See ProcessView::reason.
std::string ReasonOf(const InstanceState& state, const FleetWorker& worker, const FleetSlot& slot,
                     Millis now) {
  if (!worker.outgrown.empty()) {
    const auto& workers = state.fleet.workers;
    const bool followed = std::any_of(workers.begin(), workers.end(), [&](const auto& entry) {
      return entry.first > worker.id && entry.second.slot == worker.slot;
    });
    if (followed) return worker.outgrown + "; its successor is there";
    if (slot.replace_at <= now) return worker.outgrown + "; a successor is to take its place";
    return worker.outgrown + "; its successor comes in " + FormatSpan(slot.replace_at - now);
  }
  constexpr Millis kRecent = 10 * 60 * 1000;
  const bool recent = slot.last_exit_at > 0 && now - slot.last_exit_at <= kRecent;
  if (worker.state == WorkerState::kStarting) {
    return recent || slot.failures > 0 ? slot.last_exit : std::string();
  }
  if (worker.state == WorkerState::kReady && worker.unfit) {
    return slot.last_exit;
  }
  if (worker.state != WorkerState::kReady || !recent) return {};
  return "last end: " + slot.last_exit + ", " + FormatSpan(now - slot.last_exit_at) + " ago";
}

// As of when its master was heard last: what the worker has answered since, nobody has read.
Millis StuckFor(const WorkerFacts& facts, const ViewInput& input) {
  if (facts.stuck_since == 0) return 0;
  return std::max<Millis>(0, input.now - input.silent_for - facts.stuck_since);
}

ProcessView WorkerView(const InstanceState& state, const FleetWorker& worker,
                       const ViewInput& input) {
  const Millis now = input.now;
  ProcessView view;
  view.worker = worker.id;
  view.slot = worker.slot;
  view.generation = worker.generation;
  view.spare = IsSpare(worker);
  const bool waits = view.spare && worker.state == WorkerState::kStarting && worker.listens;
  view.state = waits ? "spare" : Name(worker.state);
  view.replaced = worker.unfit;
  view.uptime = std::max<Millis>(0, now - worker.spawned_at);
  const auto facts = state.workers.find(worker.id);
  if (facts != state.workers.end()) {
    view.pid = facts->second.process.pid;
    view.started_wall = facts->second.started_wall;
    view.status_text = facts->second.status;
    view.inspection = facts->second.inspection;
    // What a starting worker has opened does not serve yet, a leaving one gets nothing new.
    if (worker.state == WorkerState::kReady) {
      view.listening = Addresses(state, facts->second);
      view.stuck = StuckFor(facts->second, input);
      view.shows = facts->second.shows;
      view.reloading = facts->second.reloading;
    }
  }
  const auto slot = state.fleet.slots.find(worker.slot);
  if (slot != state.fleet.slots.end()) {
    view.restarts = slot->second.restarts;
    view.reason = ReasonOf(state, worker, slot->second, now);
  }
  return view;
}

void AddIdleSlots(const InstanceState& state, Millis now, ServiceView& view) {
  for (const auto& [number, slot] : state.fleet.slots) {
    const bool taken = std::any_of(
        state.fleet.workers.begin(), state.fleet.workers.end(),
        [&, wanted = number](const auto& entry) { return entry.second.slot == wanted; });
    if (taken) continue;
    SlotView idle;
    idle.slot = number;
    idle.state = slot.given_up       ? "given-up"
                 : slot.finished     ? "finished"
                 : slot.failures > 0 ? "backoff"
                                     : "waiting";
    idle.retry_in = slot.retry_at > now ? slot.retry_at - now : 0;
    idle.restarts = slot.restarts;
    idle.reason = slot.last_exit;
    view.idle_slots.push_back(idle);
  }
}

// See ServiceView::spare_trouble.
std::string SpareTrouble(const FleetState& fleet, Millis now) {
  const auto any = [&](auto&& which) {
    return std::any_of(fleet.workers.begin(), fleet.workers.end(),
                       [&](const auto& entry) { return which(entry.second); });
  };
  const FleetSpare& spare = fleet.spare;
  const bool parked = any([](const FleetWorker& worker) {
    return IsSpare(worker) && worker.state == WorkerState::kStarting && worker.listens;
  });
  if (parked) return {};
  if (!spare.trouble.empty()) {
    if (spare.given_up != 0) return spare.trouble + "; none is tried before the next restart";
    const bool waits = spare.retry_at > now;
    return spare.trouble + (waits ? "; next try in " + FormatSpan(spare.retry_at - now)
                                  : std::string("; trying again now"));
  }
  const auto serves = [](const FleetWorker& worker) { return worker.state == WorkerState::kReady; };
  const auto listens = [](const FleetWorker& worker) { return worker.listens; };
  return any(serves) && !any(listens) ? "the app listens on nothing" : "";
}

void AddFacts(const InstanceState& state, const ViewInput& input, ServiceView& view) {
  view.processes.push_back(MasterView(state, input.adopting, input.now));
  for (const auto& [id, worker] : state.fleet.workers) {
    view.processes.push_back(WorkerView(state, worker, input));
    const auto facts = state.workers.find(id);
    if (facts != state.workers.end() && !facts->second.agent_version.empty()) {
      view.agent_version = facts->second.agent_version;
    }
  }
  AddIdleSlots(state, input.now, view);
  view.log_lines_dropped = state.log.lines_dropped;
  if (state.log.dropped_at > 0) {
    view.log_dropped_ago = std::max<Millis>(0, input.now - state.log.dropped_at);
  }
  view.log_trouble = state.log.trouble;
}

bool AnyReady(const InstanceState& state) {
  return std::any_of(state.fleet.workers.begin(), state.fleet.workers.end(),
                     [](const auto& entry) { return Serves(entry.second); });
}

std::string BackoffReason(const ServiceView& view) {
  const SlotView* next = nullptr;
  for (const SlotView& slot : view.idle_slots) {
    if (slot.state == "backoff" && (next == nullptr || slot.retry_in < next->retry_in))
      next = &slot;
  }
  if (next != nullptr && next->retry_in > 0) {
    return next->reason + "; next try in " + FormatSpan(next->retry_in);
  }
  for (const ProcessView& process : view.processes) {
    if (process.state == "starting" && !process.reason.empty()) {
      return process.reason + "; trying again now";
    }
  }
  return next != nullptr ? next->reason + "; trying again now" : std::string();
}

}  // namespace

ServiceView MakeView(const Wish& wish, const ViewInput& input) {
  ServiceView view;
  view.id = wish.id;
  view.name = wish.spec.name;
  view.directory = wish.spec.directory;
  view.script = wish.spec.script;
  view.wanted = wish.run;
  view.size = FormatSize(wish.size);
  view.generation = wish.generation;
  if (const auto port = EffectivePort(wish)) view.port = *port;
  view.environment = wish.spec.environment;
  view.log_directory = input.log_directory;
  view.run_as = wish.spec.run_as;
  view.restart_at = wish.spec.restart_at;
  view.facts_age = input.silent_for;
  const std::uint32_t size = wish.size == kSizeCpu ? input.cpus : wish.size;
  view.cluster_size = wish.run ? size : 0;
  if (wish.spec.directory.empty())
    view.state = "new";
  else if (input.state == nullptr)
    view.state = wish.run ? "starting" : "stopped";
  if (input.state == nullptr) {
    if (input.adopting) view.state = "adopting";
    if (wish.run && !input.launching && !input.adopting) {
      view.state = "stopped";
      view.reason =
          "its master was stopped by a signal; start it with: slc ctl restart " + view.name;
    }
    return view;
  }
  const InstanceState& state = *input.state;
  // A master that was told nothing yet has nothing to run.
  const bool newborn = wish.run && state.fleet.wish.order == 0;
  view.state = input.adopting ? "adopting" : newborn ? "starting" : InstancePhase(state.fleet);
  AddFacts(state, input, view);
  if (wish.spec.spare) view.spare_trouble = SpareTrouble(state.fleet, input.now);
  if (state.fleet.failure && view.state != "stopped" && view.state != "stopping") {
    const FleetFailure& failure = *state.fleet.failure;
    const bool rolled_back = state.fleet.failed == failure.generation;
    if (rolled_back) {
      view.reason = "generation " + std::to_string(failure.generation) +
                    " did not come up: " + failure.reason +
                    (AnyReady(state) ? "; older workers go on serving" : "");
    } else if (view.state == "failed") {
      view.reason = failure.reason;
      // The order has failed, but the restart policy goes on trying.
      const std::string retry = BackoffReason(view);
      if (!retry.empty()) {
        view.state = "backoff";
        view.reason = retry;
      }
    }
  }
  if (view.state == "backoff" && view.reason.empty()) view.reason = BackoffReason(view);
  return view;
}

ServiceView MakeView(const Quarantined& bad, const std::string& services, const ViewInput& input) {
  ServiceView view;
  const std::string id = std::to_string(bad.id);
  view.id = bad.id;
  view.name = bad.name.empty() ? "?" : bad.name;
  view.state = "quarantined";
  view.directory = bad.directory;
  view.log_directory = input.log_directory;
  view.facts_age = input.silent_for;
  std::string running = "nothing of it runs";
  if (input.state != nullptr) {
    const FleetState& fleet = input.state->fleet;
    view.wanted = fleet.wish.run;
    view.size = FormatSize(fleet.wish.size);
    view.cluster_size = fleet.wish.run ? fleet.wish.size : 0;
    view.generation = fleet.wish.generation;
    AddFacts(*input.state, input, view);
    running = fleet.wish.run ? "what ran goes on as it was started" : "it is being stopped";
  } else if (input.launching) {
    running = "its master has not answered yet";
  }
  view.reason = DescribeDamage(bad) + "; it is kept as " + services + "/" + bad.file + "; " +
                running + "; to repair it run `slc start` in its folder" +
                (input.launching ? ", to end it `slc ctl stop " + id + "`" : "") +
                ", to forget it `slc ctl remove " + id + "`";
  return view;
}

}  // namespace slc
