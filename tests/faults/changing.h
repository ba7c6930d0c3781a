// A service that is changed all the time, and what it must be afterwards.
//
// The model knows what was acknowledged. Of a command that failed it holds both possible: it may
// have been recorded before the trouble began.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/faults/troubles.h"
#include "tests/system/dice.h"
#include "tests/system/harness.h"

namespace slc::test {

class Changing {
 public:
  Changing(World& world, Dice& dice, const std::string& name);

  // Begins a command at random: set-size, env-set, stop, start, soft-restart. Of the command before
  // it is waited for the end.
  void Begin();
  // Stops the service; fails the test if that does.
  void Stop();
  // Waits for the end of the command; nothing if none was begun since the last call.
  std::optional<Ran> Finish();
  bool HasEnded() const { return !running_ || running_->HasEnded(); }
  // Waits for the service to settle and compares.
  void CheckAgainstModel();
  const std::string& name() const { return app_.name; }
  const std::vector<Failed>& failed() const { return failed_; }
  // Changes begun; each of those done leaves one possibility of what it changed.
  std::size_t begun() const { return begun_; }

 private:
  World& world_;
  Dice& dice_;
  App app_;
  std::optional<Running> running_;
  // What may be true; one value each as long as every command succeeds.
  std::set<bool> runs_{true};
  std::set<std::size_t> size_{1};
  std::set<std::string> value_{""};
  // What the command under way makes of it.
  std::optional<bool> new_runs_;
  std::optional<std::size_t> new_size_;
  std::optional<std::string> new_value_;
  int writes_ = 0;
  Millis last_begun_ = 0;
  std::size_t begun_ = 0;
  std::vector<Failed> failed_;
};

}  // namespace slc::test
