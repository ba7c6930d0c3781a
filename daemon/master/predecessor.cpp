#include "daemon/master/predecessor.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/wire/link.h"
#include "common/wire/snapshot_format.h"

namespace slc {

void Predecessor::Collect(const std::vector<std::string>& names, std::vector<UniqueFd> fds) {
  for (std::size_t i = 0; i < names.size() && i < fds.size(); ++i) {
    fds_[names[i]] = std::move(fds[i]);
  }
}

std::optional<InstanceState> Predecessor::ReadState() const {
  const auto found = fds_.find(link::kStateName);
  if (found == fds_.end()) return std::nullopt;
  auto content = ReadSnapshot(found->second.get());
  if (!content) return std::nullopt;
  auto state = DecodeInstanceState(content->state);
  if (!state) {
    log::Failure("the predecessor's state is unreadable: " + state.error().message);
    return std::nullopt;
  }
  return std::move(*state);
}

std::vector<std::string> Predecessor::Forget() {
  std::vector<std::string> names;
  names.reserve(fds_.size());
  for (const auto& [name, fd] : fds_) names.push_back(name);
  fds_.clear();
  return names;
}

UniqueFd Predecessor::Take(const std::string& name) {
  const auto found = fds_.find(name);
  if (found == fds_.end()) return {};
  UniqueFd fd = std::move(found->second);
  fds_.erase(found);
  return fd;
}

std::string Predecessor::TakeText(const std::string& name) {
  const UniqueFd memfd = Take(name);
  auto text = memfd ? ReadMemfd(memfd.get()) : Result<std::string>(std::string());
  return text ? *text : std::string();
}

std::map<std::string, UniqueFd> Predecessor::TakeBelow(const std::string& prefix) {
  std::map<std::string, UniqueFd> taken;
  auto entry = fds_.lower_bound(prefix);
  while (entry != fds_.end() && StartsWith(entry->first, prefix)) {
    taken[entry->first.substr(prefix.size())] = std::move(entry->second);
    entry = fds_.erase(entry);
  }
  return taken;
}

std::vector<UniqueFd> Predecessor::TakeConfigs() {
  std::vector<UniqueFd> configs;
  for (auto& [generation, memfd] : TakeBelow("config/")) configs.push_back(std::move(memfd));
  return configs;
}

}  // namespace slc
