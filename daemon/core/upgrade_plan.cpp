#include "daemon/core/upgrade_plan.h"

#include <algorithm>

namespace slc {
namespace {

// A master that is being started or taken over is in charge after a second or two; one that hangs
// is fenced by then.
constexpr Millis kSightPatience = 10000;
// Of it the connections under way get 0.1 s, the log two seconds; then it is executed and reads its
// snapshot.
constexpr Millis kMasterPatience = 10000;

}  // namespace

UpgradePlan::UpgradePlan(const ProcessUpgrade& slcd, Millis now)
    : report_{slcd}, deadline_(now + kSightPatience) {}

std::vector<UpgradeAction> UpgradePlan::On(const UpgradeEvent& event, Millis now) {
  actions_.clear();
  if (over_) return {};
  const bool overdue = deadline_ && *deadline_ <= now;
  if (const auto* sighted = std::get_if<MastersSighted>(&event)) {
    sighted_ = sighted->masters;
    for (std::size_t i = todo_.size(); i-- > 0;) {
      const ServiceId id = todo_[i].id;
      const bool lives = std::any_of(sighted_.begin(), sighted_.end(),
                                     [id](const SightedMaster& each) { return each.id == id; });
      if (!lives) Leave(id);
    }
    if (begun_ && (todo_.empty() || todo_.front().line != under_way_)) Next(now);
  } else if (const auto* replaced = std::get_if<MasterReplaced>(&event)) {
    End(replaced->id, replaced->version, "", now);
  } else if (const auto* stayed = std::get_if<MasterStayed>(&event)) {
    const bool first = !todo_.empty() && todo_.front().id == stayed->id;
    if (first && stayed->stopping) {
      Leave(stayed->id);
      Next(now);
    } else {
      End(stayed->id, "", stayed->reason, now);
    }
  } else if (const auto* fell = std::get_if<MasterFell>(&event)) {
    End(fell->id, "", "it ended on the way; a successor takes over its workers", now);
  } else if (overdue && begun_ && !todo_.empty()) {
    End(todo_.front().id, "", "it has not answered for 10 s", now);
  }
  const bool all = std::all_of(sighted_.begin(), sighted_.end(),
                               [](const SightedMaster& master) { return master.in_charge; });
  const bool told = std::holds_alternative<MastersSighted>(event);
  if (!begun_ && ((told && all) || overdue)) {
    Begin(sighted_);
    Next(now);
  }
  return std::move(actions_);
}

void UpgradePlan::Begin(const std::vector<SightedMaster>& masters) {
  begun_ = true;
  for (const SightedMaster& master : masters) {
    ProcessUpgrade line;
    line.program = "slc-master";
    line.service = master.about.service;
    line.pid = master.about.pid;
    line.from = master.about.version;
    if (master.in_charge && master.installed) {
      line.to = line.from;
      line.already = true;
    } else if (master.in_charge) {
      todo_.push_back({master.id, report_.size()});
    } else {
      failed_ = true;
      line.reason = "it does not answer slcd";
    }
    report_.push_back(std::move(line));
  }
}

void UpgradePlan::End(ServiceId id, const std::string& version, const std::string& reason,
                      Millis now) {
  if (todo_.empty() || todo_.front().id != id) return;
  ProcessUpgrade& line = report_[todo_.front().line];
  line.to = version;
  line.took = now - since_;
  line.reason = reason;
  todo_.erase(todo_.begin());
  if (!reason.empty()) {
    failed_ = true;
    for (const Todo& left : todo_) {
      report_[left.line].reason = "not tried after the failure of " + line.service;
    }
    todo_.clear();
  }
  Next(now);
}

// Nothing of it is left to be upgraded.
void UpgradePlan::Leave(ServiceId id) {
  const auto found =
      std::find_if(todo_.begin(), todo_.end(), [id](const Todo& each) { return each.id == id; });
  if (found == todo_.end()) return;
  report_[found->line].reason = "its service has been stopped meanwhile";
  todo_.erase(found);
}

void UpgradePlan::Next(Millis now) {
  if (todo_.empty()) {
    over_ = true;
    deadline_.reset();
    actions_.push_back(UpgradeOver{});
    return;
  }
  since_ = now;
  under_way_ = todo_.front().line;
  deadline_ = now + kMasterPatience;
  actions_.push_back(UpgradeMaster{todo_.front().id});
}

}  // namespace slc
