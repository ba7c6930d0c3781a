// UpgradePlan: in which order the masters are upgraded after slcd, and what came of each process.
// Pure: facts in, deeds out.
//
// One master after another, and the first that does not come out as it should ends it: a version
// that does not work must cost one takeover, not one of each service. Nothing is begun before
// slcd, which has just been replaced itself, is linked to all masters that live. What somebody
// stops or removes meanwhile has no master to upgrade any more, and is no failure.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/view.h"

namespace slc {

// Facts.
struct SightedMaster {
  ServiceId id = 0;
  MasterInfo about;
  bool in_charge = false;  // linked, and not about to leave
  bool installed = false;  // its binary is the installed one
};
struct MastersSighted {  // all that live; to be told whenever that may have changed
  std::vector<SightedMaster> masters;
};
struct MasterReplaced {  // it goes on as another image
  ServiceId id = 0;
  std::string version;
};
struct MasterStayed {  // it goes on as it was
  ServiceId id = 0;
  std::string reason;
  bool stopping = false;  // for its service is being stopped
};
struct MasterFell {  // its process has ended; a successor takes over
  ServiceId id = 0;
};
struct UpgradeTick {};
using UpgradeEvent =
    std::variant<MastersSighted, MasterReplaced, MasterStayed, MasterFell, UpgradeTick>;

// Deeds.
struct UpgradeMaster {
  ServiceId id = 0;
};
struct UpgradeOver {};  // report() is whole
using UpgradeAction = std::variant<UpgradeMaster, UpgradeOver>;

class UpgradePlan {
 public:
  // `slcd`: what came of slcd, the first of the report.
  UpgradePlan(const ProcessUpgrade& slcd, Millis now);

  std::vector<UpgradeAction> On(const UpgradeEvent& event, Millis now);
  std::optional<Millis> deadline() const { return deadline_; }
  const std::vector<ProcessUpgrade>& report() const { return report_; }
  bool failed() const { return failed_; }

 private:
  void Begin(const std::vector<SightedMaster>& masters);
  void End(ServiceId id, const std::string& version, const std::string& reason, Millis now);
  void Leave(ServiceId id);
  void Next(Millis now);

  struct Todo {
    ServiceId id = 0;
    std::size_t line = 0;  // of the report
  };
  std::vector<ProcessUpgrade> report_;
  std::vector<SightedMaster> sighted_;
  std::vector<Todo> todo_;     // the one under way first
  std::size_t under_way_ = 0;  // the line of the one that was told last
  bool begun_ = false;
  bool over_ = false;
  bool failed_ = false;
  Millis since_ = 0;  // of the one under way
  std::optional<Millis> deadline_;
  std::vector<UpgradeAction> actions_;
};

}  // namespace slc
