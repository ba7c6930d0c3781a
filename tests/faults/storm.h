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

  // Commands that have not exited with 0.
  const std::vector<Ran>& failed() const { return failed_; }
  // For how long slcd was held up or stopped, and cannot have answered.
  Millis silent() const { return silent_; }
  const Windows& windows() const { return windows_; }
  // How often each blow was struck.
  std::string Counts() const;
  // When which blow was struck, a line each.
  const std::string& history() const { return history_; }

 private:
  struct Kind {
    const char* name;
    std::size_t weight;
    void (Storm::*strike)(const Blow&);
  };
  static const std::vector<Kind>& Kinds();

  void AllowForDaemon();
  void KillDaemon(const Blow& blow);
  void KillMaster(const Blow& blow);
  void KillBoth(const Blow& blow);
  void KillWorker(const Blow& blow);
  void HoldDaemon(const Blow& blow);
  void HoldMaster(const Blow& blow);
  void StopMaster(const Blow& blow);
  void StopDaemon(const Blow& blow);
  void Roll(const Blow& blow);
  void Resize(const Blow& blow);
  void TakeDescriptors(const Blow& blow);
  void RefuseProcesses(const Blow& blow);
  void FailCall(const Blow& blow);
  void LoseLogs(const Blow& blow);
  void FillDisk(const Blow& blow);
  void Upgrade(const Blow& blow);
  void Change(const Blow& blow);
  void Misbehave(const Blow& blow);
  void JumpClock(const Blow& blow);

  const App& AppOf(const Blow& blow) const { return services_.apps()[blow.target]; }
  void Hold(const std::optional<ProcessIdentity>& process, Millis span);
  std::optional<ProcessIdentity> MasterOf(const std::string& service);
  bool IsSettled();
  bool IsWhole(const std::string& service);
  void AwaitPeace();
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
  std::list<Running> commands_;
  std::vector<Ran> failed_;
  std::map<std::string, Millis> master_killed_;
  std::map<std::string, int> counts_;
  std::string history_;
  int blows_ = 0;
  int upgrades_ = 0;
  Millis silent_ = 0;
  std::string order_;  // file, of the rogue
  int sound_ = 0;      // the worker beside it
  Later later_;
};

// A command that has failed says what may be said where it has met a blow.
bool MayFail(const Ran& ran);

}  // namespace slc::test
