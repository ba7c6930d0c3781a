// Who works with a FleetWorld in random histories: an operator, and what the apps are like that are
// given to the fleet.
#pragma once

#include <cstdint>

#include "tests/unit/fleet_world.h"

namespace slc {

WorkerPolicy AnyPolicy(Random& random);
Behaviour AnyBehaviour(Random& random);
// Some ways to be broken: no worker of the generation ever serves.
Behaviour BrokenBehaviour(Random& random);
WorkerPolicy QuickPolicy(Random& random);

// An operator, and wishes that follow one another as slcd would send them.
class Operator {
 public:
  Operator(Random& random, FleetWorld& world) : random_(random), world_(world) {}

  void Start(std::uint32_t size) {
    wish_.run = true;
    wish_.size = size;
    Renew(RollMode::kRestart, 1);
  }
  void Roll(std::uint32_t parallel) { Renew(RollMode::kRolling, parallel); }
  // A roll that is only to be tried; Pass lets it go on.
  void Try() { Renew(RollMode::kRolling, 1, true); }
  void Pass() {
    wish_.trial = false;
    Send();
  }
  // To what an older generation was, which the next one is to be like.
  void RollBack(Generation to) {
    wish_.same_as = to;
    Renew(RollMode::kRolling, 1);
    wish_.same_as = 0;
  }
  void Restart() { Renew(RollMode::kRestart, 1); }
  void SetSize(std::uint32_t size) {
    wish_.size = size;
    Send();
  }
  void Stop(bool soft) {
    wish_.run = false;
    wish_.soft_stop = soft;
    Send();
  }
  // The generation that the next Start, Roll or Restart makes.
  void Prepare(const WorkerPolicy& policy, const Behaviour& how) {
    world_.AddGeneration(wish_.generation + 1, policy, how);
    prepared_ = true;
  }
  void Anything();
  const FleetWish& wish() const { return wish_; }

 private:
  std::uint32_t AnySize() { return static_cast<std::uint32_t>(random_.Between(0, 5)); }
  void Renew(RollMode mode, std::uint32_t parallel, bool trial = false);
  void Send() {
    ++wish_.order;
    world_.Wish(wish_);
  }

  Random& random_;
  FleetWorld& world_;
  FleetWish wish_;
  bool prepared_ = false;
};

// All slots, by workers of that generation, and there is nobody else.
bool AllServe(const FleetWorld& world, Generation generation);
std::size_t ServingOf(const FleetWorld& world, Generation generation);

}  // namespace slc
