#include "common/base/named_fds.h"

#include "common/base/text.h"

namespace slc {

UniqueFd NamedFds::Take(const std::string& name) {
  const auto found = fds_.find(name);
  if (found == fds_.end()) return {};
  UniqueFd fd = std::move(found->second);
  fds_.erase(found);
  return fd;
}

std::map<std::string, UniqueFd> NamedFds::TakeBelow(const std::string& prefix) {
  std::map<std::string, UniqueFd> taken;
  auto entry = fds_.lower_bound(prefix);
  while (entry != fds_.end() && StartsWith(entry->first, prefix)) {
    taken[entry->first.substr(prefix.size())] = std::move(entry->second);
    entry = fds_.erase(entry);
  }
  return taken;
}

int NamedFds::Find(const std::string& name) const {
  const auto found = fds_.find(name);
  return found == fds_.end() ? -1 : found->second.get();
}

}  // namespace slc
