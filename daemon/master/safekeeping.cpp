#include "daemon/master/safekeeping.h"

#include "common/base/fd_passing.h"
#include "common/wire/link.h"

namespace slc {

void Safekeeping::Store(const std::vector<KeptFd>& kept) {
  link::Store packet;
  packet.epoch = epoch_;
  std::vector<int> fds;
  const auto flush = [&] {
    if (!fds.empty() && !link_.Send(packet, fds)) {
      unsent_.insert(packet.names.begin(), packet.names.end());
    }
    packet.names.clear();
    fds.clear();
  };
  for (const KeptFd& each : kept) {
    packet.names.push_back(each.name);
    fds.push_back(each.fd);
    if (fds.size() == kMaxFdsPerMessage) flush();
  }
  flush();
}

void Safekeeping::StoreAll(const std::vector<KeptFd>& all) {
  unsent_.clear();
  Store(all);
  link_.Send(link::StoredAll{{unsent_.begin(), unsent_.end()}});
}

void Safekeeping::StoreAgain(const std::vector<KeptFd>& all,
                             const std::vector<std::string>& missing) {
  std::set<std::string> wanted = std::move(unsent_);
  unsent_.clear();
  wanted.insert(missing.begin(), missing.end());
  if (wanted.empty()) return;
  std::vector<KeptFd> again;
  for (const KeptFd& each : all) {
    if (wanted.count(each.name) > 0) again.push_back(each);
  }
  Store(again);
}

void Safekeeping::Drop(const std::vector<std::string>& names) {
  if (!names.empty()) link_.Send(link::Drop{names});
}

}  // namespace slc
