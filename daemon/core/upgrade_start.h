// UpgradeStart: from the request to upgrade until slcd gives way to its next image, or stays. Pure:
// facts in, deeds out.
//
//     checks the installed slcd, then slc-master -> keeps what runs now -> awaits a quiet moment
//     -> awaits that all is written -> executes
//
// Promises: nothing is executed while there is a hindrance, however late it came; nor while a
// thread of ours is at the disk: the kernel ends it first, and if the disk hangs that takes as
// long. What is on its way to the disk gets there, or the upgrade is refused in good time. A slcd
// that is the installed one already is not executed anew; the masters are looked after all the
// same.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

// How things are, told with every fact.
struct UpgradeScene {
  bool foreground = false;      // slcd belongs to a `slc run`
  bool stopping = false;        // all services are being stopped
  std::string storage_trouble;  // why changes cannot be recorded; empty: they can
  bool settled = true;          // no master is being started, searched or replaced
  std::string unwritten;        // what a disk thread is at, or is still to get; empty: nothing
};

// Facts.
struct UpgradeAsked {};
struct DaemonChecked {
  Status could_run = Ok();
};
struct MasterChecked {
  Status could_run = Ok();
};
struct VersionKept {
  Status kept = Ok();
  bool is_new = false;  // the installed slcd is another one than that which runs
};
struct SceneSeen {};
struct ExecutionFailed {
  Error error;
};
using StartEvent = std::variant<UpgradeAsked, DaemonChecked, MasterChecked, VersionKept, SceneSeen,
                                ExecutionFailed>;

// Deeds.
struct CheckDaemon {};
struct CheckMaster {};
struct KeepVersion {};
struct WriteOut {};       // what is held back to be written later is to be written now
struct ExecuteDaemon {};  // at once, before anything else happens
struct UpgradeMasters {};
struct RefuseUpgrade {
  Error error;
  bool withdraw = false;  // the trial that was begun is none
};
using StartAction = std::variant<CheckDaemon, CheckMaster, KeepVersion, WriteOut, ExecuteDaemon,
                                 UpgradeMasters, RefuseUpgrade>;

class UpgradeStart {
 public:
  std::vector<StartAction> On(const StartEvent& event, const UpgradeScene& scene, Millis now);
  // When the scene is to be looked at again.
  std::optional<Millis> deadline() const { return look_at_; }
  // Refused, or handed on: there is nothing more to do.
  bool over() const { return phase_ == Phase::kOver; }

 private:
  enum class Phase { kBefore, kChecking, kKeeping, kQuiet, kWriting, kExecuting, kOver };

  void Settle(const UpgradeScene& scene, Millis now);
  void Refuse(Error error);

  Phase phase_ = Phase::kBefore;
  bool kept_ = false;  // a trial was begun
  Millis give_up_at_ = 0;
  std::optional<Millis> look_at_;
  std::vector<StartAction> actions_;
};

}  // namespace slc
