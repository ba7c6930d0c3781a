// FleetBench: a fleet, its clock, and what it did last, for tests that go step by step.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/master/core/fleet.h"

namespace slc {

class FleetBench {
 public:
  FleetBench() {
    WorkerPolicy policy;
    policy.ready_timeout = 5000;
    for (Generation generation = 1; generation < 10; ++generation) {
      fleet_.SetPolicy(generation, policy);
    }
  }
  void MaxRestarts(Generation generation, std::uint32_t most) {
    WorkerPolicy policy;
    policy.max_restarts = most;
    fleet_.SetPolicy(generation, policy);
  }
  void Policy(Generation generation, RestartPolicy restart) {
    WorkerPolicy policy;
    policy.restart = restart;
    Policy(generation, policy);
  }
  void Policy(Generation generation, const WorkerPolicy& policy) {
    fleet_.SetPolicy(generation, policy);
  }
  void SocketsStay(Generation generation) {
    WorkerPolicy policy;
    policy.sockets_stay = true;
    fleet_.SetPolicy(generation, policy);
  }

  void WantSpares() {
    WorkerPolicy policy;
    policy.ready_timeout = 5000;
    policy.spare = true;
    for (Generation generation = 1; generation < 10; ++generation) {
      fleet_.SetPolicy(generation, policy);
    }
  }

  void Start(std::uint32_t size) {
    wish_.run = true;
    wish_.size = size;
    Renew(RollMode::kRestart);
  }
  void Roll(std::uint32_t parallel = 1) {
    wish_.parallel = parallel;
    Renew(RollMode::kRolling);
  }
  // A roll that is only to be tried; Pass lets it go on.
  void Try() { Renew(RollMode::kRolling, true); }
  void Pass() {
    wish_.trial = false;
    Send();
  }
  // To the config of an older generation.
  void RollBack(Generation to) {
    wish_.same_as = to;
    Renew(RollMode::kRolling);
    wish_.same_as = 0;
  }
  void Restart() { Renew(RollMode::kRestart); }
  void SetSize(std::uint32_t size) {
    wish_.size = size;
    Send();
  }
  void Stop(bool soft) {
    wish_.run = false;
    wish_.soft_stop = soft;
    Send();
  }
  // A service of `size` workers that all serve.
  void Up(std::uint32_t size) {
    Start(size);
    for (WorkerId id = 1; id <= size; ++id) Ready(id);
  }
  void Listen(WorkerId id) { Feed(WorkerListens{id}); }
  void Ready(WorkerId id) { Feed(WorkerReady{id}); }
  void Exit(WorkerId id, bool clean = false) {
    Feed(WorkerExited{id, clean, clean ? "exit code 0" : "exit code 1"});
  }
  void Disconnect(WorkerId id) { Feed(WorkerDisconnected{id}); }
  // Its event loop stands still, for so long already.
  void Hang(WorkerId id, Millis span) { Feed(WorkerHung{id, now_ - span, "hung"}); }
  void Move(WorkerId id) { Feed(WorkerMoved{id}); }
  void Outgrow(WorkerId id, const std::string& why = "uses 412 MiB") {
    Feed(WorkerOutgrew{id, why});
  }
  void Leave(WorkerId id) { Feed(WorkerLeaves{id}); }
  void AskTime(WorkerId id, Millis more) { Feed(WorkerAsksTime{id, more}); }
  void Break(WorkerId id) { Feed(WorkerBroke{id, "broke the protocol"}); }
  void Wait(Millis span) {
    now_ += span;
    Feed(TimePassed{});
  }
  void Feed(const FleetEvent& event) {
    deeds_ = fleet_.On(event, now_);
    for (const FleetAction& deed : deeds_) {
      if (const auto* spawn = std::get_if<SpawnWorker>(&deed)) told_ = spawn->told;
    }
  }

  // "spawn 3 in 1 of 2, drain 1"
  std::string deeds() const {
    std::string text;
    for (const FleetAction& deed : deeds_) {
      if (!text.empty()) text += ", ";
      if (const auto* spawn = std::get_if<SpawnWorker>(&deed)) {
        text += "spawn " + std::to_string(spawn->worker) + " in " + std::to_string(spawn->slot) +
                " of " + std::to_string(spawn->generation);
      } else if (const auto* promotion = std::get_if<PromoteSpare>(&deed)) {
        text += "promote " + std::to_string(promotion->worker) + " to " +
                std::to_string(promotion->slot);
      } else if (const auto* drain = std::get_if<DrainWorker>(&deed)) {
        text += "drain " + std::to_string(drain->worker);
      } else if (const auto* hang_up = std::get_if<HangUpWorker>(&deed)) {
        text += "hang up " + std::to_string(hang_up->worker);
      } else if (const auto* stop = std::get_if<TerminateWorker>(&deed)) {
        text += "stop " + std::to_string(stop->worker);
      } else if (const auto* report = std::get_if<ReportGivenUp>(&deed)) {
        text += "give up " + std::to_string(report->worker);
      } else if (const auto* hung = std::get_if<ReportHung>(&deed)) {
        text += "hung " + std::to_string(hung->worker);
      } else if (const auto* grown = std::get_if<ReportOutgrown>(&deed)) {
        text += "outgrown " + std::to_string(grown->worker);
        if (grown->pause > 0) text += " for " + std::to_string(grown->pause);
      } else if (const auto* slot = std::get_if<ReportSlotGivenUp>(&deed)) {
        text += "give up slot " + std::to_string(slot->slot);
      } else {
        const auto& kill = std::get<KillWorker>(deed);
        text += "kill " + std::to_string(kill.worker);
        if (kill.waited > 0) text += " after " + std::to_string(kill.waited);
      }
    }
    return text;
  }
  // The slot that the last worker was told.
  SlotNumber told() const { return told_; }
  std::string phase() const { return InstancePhase(fleet_.state()); }
  const FleetState& state() const { return fleet_.state(); }
  std::optional<Millis> wait() const {
    if (!fleet_.deadline()) return std::nullopt;
    return *fleet_.deadline() - now_;
  }
  const Fleet& fleet() const { return fleet_; }

 private:
  void Renew(RollMode mode, bool trial = false) {
    ++wish_.generation;
    wish_.mode = mode;
    wish_.trial = trial;
    Send();
  }
  void Send() {
    ++wish_.order;
    Feed(WishChanged{wish_});
  }

  Fleet fleet_{1};
  FleetWish wish_;
  Millis now_ = 1'000'000;
  std::vector<FleetAction> deeds_;
  SlotNumber told_ = 0;
};

}  // namespace slc
