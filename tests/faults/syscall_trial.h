// SyscallTrial: one thing that is done again and again, while each time another call of the C
// library fails in slcd or in a master: the Nth of a kind, N = 0, 1, 2, ... until it is not reached
// any more. Whatever fails, nothing crashes, hangs or leaks, visitors are served, and the whole
// state is the one before or the one after.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/fault_rules.h"
#include "tests/faults/home_state.h"
#include "tests/faults/open_files_baseline.h"
#include "tests/system/harness.h"

namespace slc::test {

// What is done while a call fails, and how it is undone when none does.
struct Scenario {
  std::string name;
  std::string service;  // that it is about
  std::function<Ran(World& world)> change;
  std::function<void(World& world)> back;
  // By process the calls that this cannot be done without: each has to have been hit, or the trial
  // proves nothing about it.
  std::map<std::string, Words> reached;
};

class SyscallTrial {
 public:
  // `visited` serves while it is wanted. The world must have been started with `faults`.
  SyscallTrial(World& world, FaultRules& faults, const Scenario& scenario, App visited);

  // Every call of every process of the scenario.
  void FailAll();

 private:
  struct Call {
    std::string name;
    std::string rule;  // its name for FaultRule
    int error;         // a usual one of it
    bool part = false;
  };
  static const std::vector<Call>& Calls();

  // False: it was not reached.
  bool FailNth(const std::string& process, const Call& call, int n);
  void CheckState(const HomeState& state, const Ran& ran) const;
  void Visit() const;
  void GoBack();
  void Report() const;

  World& world_;
  FaultRules& faults_;
  const Scenario& scenario_;
  const App visited_;
  const std::optional<ProcessIdentity> daemon_;
  std::unique_ptr<OpenFilesBaseline> files_;
  std::string before_;
  std::string after_;
  std::map<std::string, std::map<std::string, int>> hits_;  // by process and call
  int tries_ = 0;
  int refused_ = 0;
  int takeovers_ = 0;
  Millis longest_ = 0;
};

}  // namespace slc::test
