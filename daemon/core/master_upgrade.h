// MasterUpgrade: what came of telling one master to go on as another version. Pure.
//
// As that it says hello once more, unasked, and then stores everything anew: only then it works. A
// hello that answers one of ours may still be on its way when the master is told, and says nothing
// of what came of it.
#pragma once

#include <optional>
#include <string>

#include "common/base/ids.h"
#include "daemon/core/upgrade_plan.h"

namespace slc {

class MasterUpgrade {
 public:
  explicit MasterUpgrade(ServiceId id) : id_(id) {}

  // Another master, or another link to it. `awaited`: hellos that it owes us, each an answer.
  void Linked(unsigned awaited) { awaited_ = awaited; }
  void SentHello() { ++awaited_; }
  void SaidHello(const std::string& version);
  unsigned awaited() const { return awaited_; }

  void Begin();
  // What came of it, if something has and one is under way: that is over then.
  std::optional<UpgradeEvent> StoredAll();
  // `stopping`: its service is.
  std::optional<UpgradeEvent> Stayed(const std::string& reason, bool stopping);
  std::optional<UpgradeEvent> Fell();

 private:
  std::optional<UpgradeEvent> End(UpgradeEvent outcome);

  ServiceId id_;
  unsigned awaited_ = 0;
  bool under_way_ = false;
  std::string version_;  // that it said hello with unasked; empty: it has not
};

}  // namespace slc
