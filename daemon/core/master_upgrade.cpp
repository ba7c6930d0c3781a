#include "daemon/core/master_upgrade.h"

#include <utility>

namespace slc {

void MasterUpgrade::SaidHello(const std::string& version) {
  if (awaited_ > 0) {
    --awaited_;
  } else if (under_way_) {
    version_ = version;
  }
}

void MasterUpgrade::Begin() {
  under_way_ = true;
  version_.clear();
}

std::optional<UpgradeEvent> MasterUpgrade::StoredAll() {
  if (version_.empty()) return std::nullopt;
  return End(MasterReplaced{id_, std::exchange(version_, {})});
}

std::optional<UpgradeEvent> MasterUpgrade::Stayed(const std::string& reason, bool stopping) {
  return End(MasterStayed{id_, reason, stopping});
}

std::optional<UpgradeEvent> MasterUpgrade::Fell() { return End(MasterFell{id_}); }

std::optional<UpgradeEvent> MasterUpgrade::End(UpgradeEvent outcome) {
  if (!std::exchange(under_way_, false)) return std::nullopt;
  return outcome;
}

}  // namespace slc
