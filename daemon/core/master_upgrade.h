// MasterUpgrade: what came of telling one master to go on as another version. Pure.
//
// It says hello once more, as what it is now, and then stores everything anew: only then it works.
#pragma once

#include <optional>
#include <string>

#include "common/base/ids.h"
#include "daemon/core/upgrade_plan.h"

namespace slc {

class MasterUpgrade {
 public:
  explicit MasterUpgrade(ServiceId id) : id_(id) {}

  void Begin() { under_way_ = true; }
  void SaidHello(const std::string& version);

  // What came of it, if something has and one is under way: that is over then.
  std::optional<UpgradeEvent> StoredAll();
  std::optional<UpgradeEvent> Stayed(const std::string& reason);
  std::optional<UpgradeEvent> Fell();

 private:
  std::optional<UpgradeEvent> End(UpgradeEvent outcome);

  ServiceId id_;
  bool under_way_ = false;
  std::string version_;  // that it said hello with meanwhile
};

}  // namespace slc
