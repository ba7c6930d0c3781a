#include "daemon/views.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr Millis kNow = 100'000'000;

Wish RunningWish() {
  Wish wish;
  wish.id = 1;
  wish.spec.name = "api";
  wish.spec.directory = "/srv/api";
  wish.spec.script = "server.js";
  wish.size = 1;
  wish.run = true;
  wish.generation = 1;
  wish.order = 1;
  return wish;
}

// One worker that serves.
InstanceState OneReady() {
  InstanceState state;
  state.master = {100, 1};
  state.fleet.wish = FleetWish{true, false, 1, 1, RollMode::kRestart, 1, 1};
  state.fleet.slots[1].generation = 1;
  FleetWorker worker;
  worker.id = 2;
  worker.slot = 1;
  worker.generation = 1;
  worker.state = WorkerState::kReady;
  worker.ready_at = kNow - 1000;
  state.fleet.workers[2] = worker;
  return state;
}

ServiceView Look(const InstanceState& state) {
  ViewInput input;
  input.state = &state;
  input.launching = true;
  input.now = kNow;
  return MakeView(RunningWish(), input);
}

std::string WorkersReason(const InstanceState& state) {
  const ServiceView view = Look(state);
  REQUIRE(view.processes.size() == 2);
  return view.processes[1].reason;
}

}  // namespace

TEST_CASE("A service whose master has been told nothing yet is starting") {
  InstanceState state;
  state.master = {100, 1};
  CHECK(Look(state).state == "starting");
  // Of one that has obeyed and was stopped by a signal afterwards.
  state.fleet.wish.order = 1;
  CHECK(Look(state).state == "stopped");
}

TEST_CASE("A worker that hangs and is to be replaced is shown with why") {
  InstanceState state = OneReady();
  state.fleet.workers[2].unfit = true;
  state.fleet.workers[2].hung = true;
  state.fleet.slots[1].last_exit = "hung";
  const ServiceView view = Look(state);
  CHECK(view.processes.at(1).replaced);
  CHECK(view.processes.at(1).reason == "hung");
  CHECK(view.state != "running");
}

TEST_CASE("What a program says of itself is shown, and that it reloads as long as it serves") {
  InstanceState state = OneReady();
  state.workers[2].process = {101, 1};
  state.workers[2].reloading = true;
  state.workers[2].status = "half done";
  CHECK(Look(state).processes.at(1).reloading);
  CHECK(Look(state).processes.at(1).status_text == "half done");
  state.fleet.workers[2].state = WorkerState::kDraining;
  CHECK_FALSE(Look(state).processes.at(1).reloading);
  CHECK(Look(state).processes.at(1).status_text == "half done");
}

TEST_CASE("What is looked at in a worker is shown, whatever it does") {
  InstanceState state = OneReady();
  state.workers[2].process = {101, 1};
  state.workers[2].inspection = {5, 6, 7, "::1"};
  state.fleet.workers[2].state = WorkerState::kDraining;
  CHECK(Look(state).processes.at(1).inspection == InspectionState{5, 6, 7, "::1"});
}

TEST_CASE("A spare is shown as one, and why there is none is told if one is wanted") {
  InstanceState state = OneReady();
  FleetWorker spare;
  spare.id = 3;
  spare.generation = 1;
  state.fleet.workers[3] = spare;
  Wish wish = RunningWish();
  wish.spec.spare = true;
  ViewInput input;
  input.state = &state;
  input.now = kNow;
  const auto look = [&] { return MakeView(wish, input); };
  CHECK_FALSE(look().processes.at(1).spare);
  CHECK(look().processes.at(2).spare);
  CHECK(look().processes.at(2).state == "starting");
  CHECK(look().state == "running");
  CHECK(look().spare_trouble == "the app listens on nothing");
  state.fleet.workers[2].listens = true;
  CHECK(look().spare_trouble.empty());
  state.fleet.workers[3].listens = true;
  CHECK(look().processes.at(2).state == "spare");
  state.fleet.workers.erase(3);
  state.fleet.spare.trouble = "exit code 1";
  state.fleet.spare.retry_at = kNow + 4000;
  CHECK(look().spare_trouble == "exit code 1; next try in 4.0 s");
  state.fleet.spare.given_up = 1;
  CHECK(look().spare_trouble == "exit code 1; none is tried before the next restart");
  wish.spec.spare = false;
  CHECK(look().spare_trouble.empty());
}

TEST_CASE("A ready worker that takes no connections is shown with for how long") {
  InstanceState state = OneReady();
  state.workers[2].process = {101, 1};
  CHECK(Look(state).processes.at(1).stuck == 0);
  state.workers[2].stuck_since = kNow - 12'000;
  CHECK(Look(state).processes.at(1).stuck == 12'000);
  // What it has answered since, a silent master has not read.
  ViewInput input;
  input.state = &state;
  input.now = kNow;
  input.silent_for = 7000;
  CHECK(MakeView(RunningWish(), input).processes.at(1).stuck == 5000);
  // One that is leaving gets none.
  state.fleet.workers[2].state = WorkerState::kDraining;
  CHECK(Look(state).processes.at(1).stuck == 0);
}

TEST_CASE("An unexpected end is shown behind its successor for ten minutes") {
  InstanceState state = OneReady();
  FleetSlot& slot = state.fleet.slots[1];
  CHECK(WorkersReason(state).empty());
  slot.restarts = 1;
  slot.last_exit = "exit code 7";
  slot.last_exit_at = kNow - 182'000;
  CHECK(WorkersReason(state) == "last end: exit code 7, 3m2s ago");
  slot.last_exit_at = kNow - 10 * 60 * 1000;
  CHECK(WorkersReason(state) == "last end: exit code 7, 10m0s ago");
  slot.last_exit_at -= 1;
  CHECK(WorkersReason(state).empty());
  CHECK(Look(state).processes[1].restarts == 1);
}

TEST_CASE(
    "An unexpected end is shown while its successor starts, not with one that was asked to go") {
  InstanceState state = OneReady();
  FleetSlot& slot = state.fleet.slots[1];
  slot.last_exit = "exit code 7";
  slot.last_exit_at = kNow - 1000;
  state.fleet.workers[2].state = WorkerState::kStarting;
  CHECK(WorkersReason(state) == "exit code 7");
  // A successor in a roll, days later.
  slot.last_exit_at = kNow - 80'000'000;
  CHECK(WorkersReason(state).empty());
  // It has failed again and again since, whenever that was.
  slot.failures = 3;
  CHECK(WorkersReason(state) == "exit code 7");
  slot.last_exit_at = kNow - 1000;
  state.fleet.workers[2].state = WorkerState::kDraining;
  CHECK(WorkersReason(state).empty());
}

TEST_CASE("A quarantined service is shown with what runs of it, and what can be done") {
  Quarantined bad;
  bad.id = 3;
  bad.file = "3.json.bad";
  bad.reason = "this is not JSON";
  const ServiceView gone = MakeView(bad, "/home/services", ViewInput{});
  CHECK(gone.name == "?");
  CHECK(gone.state == "quarantined");
  CHECK(gone.reason ==
        "services/3.json is unreadable (this is not JSON); it is kept as "
        "/home/services/3.json.bad; nothing of it runs; to repair it run `slc start` in its "
        "folder, to forget it `slc ctl remove 3`");
  const InstanceState state = OneReady();
  bad.name = "api";
  ViewInput input;
  input.state = &state;
  input.launching = true;
  input.now = kNow;
  const ServiceView runs = MakeView(bad, "/home/services", input);
  CHECK(runs.name == "api");
  CHECK(runs.processes.size() == 2);
  CHECK(runs.cluster_size == 1);
  CHECK(runs.reason.find("what ran goes on") != std::string::npos);
  CHECK(runs.reason.find("slc ctl stop 3") != std::string::npos);
}

}  // namespace slc
