// Storm: blows at random at six services that are loaded and changed meanwhile. Drawn before it
// begins (Plan), so that a seed repeats it; struck one by one; each blow says beforehand what it
// may cost (windows.h).
//
// Of what has a suite of its own only this is missing: the end of the power and of the machine,
// which end the storm as well, and a hostile user, who is another one.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/faults/changing.h"
#include "tests/faults/fault_rules.h"
#include "tests/faults/faults.h"
#include "tests/faults/later.h"
#include "tests/faults/loop_disk.h"
#include "tests/faults/troubles.h"
#include "tests/faults/wall_clock.h"
#include "tests/faults/windows.h"

namespace slc::test {

// One blow: what it needs of chance is all here.
struct Blow {
  std::size_t kind = 0;
  Millis pause = 0;        // before it, from the end of the one before
  std::size_t target = 0;  // which service
  Millis span = 0;         // 100 to 3000: for which somebody is held up, or something is missing
  std::size_t choice = 0;  // 0 to 11: of whatever else there is
  std::size_t beside = 0;  // 0 to 3: of "one" or "other" (2, 3) a change begins beside it
};

class Storm {
 public:
  // Without a disk of its own (nullptr) there is none to fill. The world must have been started
  // with `clock` and `faults`.
  Storm(World& world, Dice& dice, FourServices& services, TinyDisk* disk, WallClock& clock,
        FaultRules& faults);

  // All blows of a storm of this length.
  static std::vector<Blow> Plan(Dice& dice, Millis span);

  void Strike(const Blow& blow);
  // Closes the windows of services that are whole again.
  void Settle();
  // Waits until everything is as it was, and compares with the model.
  void Calm();

  // Commands that have failed without anything that explains why; a line each.
  std::string Unexplained() const;
  std::size_t failed() const { return failed_.size(); }
  // Of the services that are changed all the time: commands begun, and those that were done.
  std::size_t changes() const { return one_.begun() + other_.begun(); }
  std::size_t changed() const { return changes() - one_.failed().size() - other_.failed().size(); }
  // For how long slcd was held up or stopped, and cannot have answered.
  Millis silent() const { return silent_; }
  const Windows& windows() const { return windows_; }
  // How often each blow has struck; in all.
  std::string Counts() const;
  int struck() const;
  // The kinds that never have.
  std::string NeverStruck() const;
  // When which blow was struck, a line each.
  const std::string& history() const { return history_; }

 private:
  struct Kind {
    const char* name;
    std::size_t weight;
    // Whether it has struck anything. A Refusal tells later.
    bool (Storm::*strike)(const Blow&);
  };
  // Calls that are to fail: it has struck if one has met it.
  struct Refusal {
    const char* kind;
    int place;  // of the rule
    std::string reason;
    Millis from = 0;
    Millis to = 0;
  };
  // A command that was begun by a blow.
  struct Begun {
    const char* kind;
    Running command;
    Millis at = 0;
  };
  static const std::vector<Kind>& Kinds();

  void AllowForDaemon();
  bool KillDaemon(const Blow& blow);
  bool KillMaster(const Blow& blow);
  bool KillBoth(const Blow& blow);
  bool KillWorker(const Blow& blow);
  bool HoldDaemon(const Blow& blow);
  bool HoldMaster(const Blow& blow);
  bool StopMaster(const Blow& blow);
  bool StopDaemon(const Blow& blow);
  bool Roll(const Blow& blow);
  bool Resize(const Blow& blow);
  bool TakeDescriptors(const Blow& blow);
  bool RefuseProcesses(const Blow& blow);
  bool FailCall(const Blow& blow);
  bool LoseLogs(const Blow& blow);
  bool FillDisk(const Blow& blow);
  bool Upgrade(const Blow& blow);
  bool Change(const Blow& blow);
  bool Misbehave(const Blow& blow);
  bool JumpClock(const Blow& blow);

  const App& AppOf(const Blow& blow) const { return services_.apps()[blow.target]; }
  // Of those that can be rolled.
  const App& RollableOf(const Blow& blow) const { return services_.apps()[blow.target % 3]; }
  bool Hold(const std::optional<ProcessIdentity>& process, Millis span);
  void Refuse(const FaultRule& rule, Refusal refusal);
  void Count(const std::string& kind, Millis from, Millis to);
  void CountRefusals();
  void BeginCommand(const char* kind, const Words& command);
  void ChangeBeside(const Blow& blow);
  std::optional<ProcessIdentity> MasterOf(const std::string& service);
  bool IsSettled();
  bool IsWhole(const std::string& service);
  void AwaitPeace();
  void AwaitAnswer();
  void RollAgain();
  void CheckCompany();
  void CheckCounts();
  void CheckVersions();
  void InstallAll(const std::string& version);

  World& world_;
  FourServices& services_;
  TinyDisk* disk_;
  WallClock& clock_;
  FaultRules& faults_;
  Dice one_dice_;
  Dice other_dice_;
  Changing one_;
  Changing other_;
  Windows windows_;
  Troubles troubles_;
  std::list<Begun> commands_;
  std::vector<Refusal> refusals_;  // not yet counted
  std::vector<Failed> failed_;
  std::map<std::string, Millis> master_killed_;
  std::map<std::string, int> counts_;
  std::string history_;
  int upgrades_ = 0;
  std::int64_t clock_offset_ = 0;  // seconds
  Millis silent_ = 0;
  std::string order_;  // file, of the rogue
  int sound_ = 0;      // the worker beside it
  Later later_;
};

}  // namespace slc::test
