#include "daemon/master/predecessor.h"

#include "common/base/log.h"
#include "common/model/json.h"
#include "common/wire/link.h"
#include "common/wire/snapshot_format.h"

namespace slc {

void Predecessor::Collect(const std::vector<std::string>& names, std::vector<UniqueFd> fds) {
  for (std::size_t i = 0; i < names.size() && i < fds.size(); ++i) {
    fds_.Add(names[i], std::move(fds[i]));
  }
}

std::optional<InstanceState> Predecessor::ReadState() const {
  const int memfd = fds_.Find(link::kStateName);
  if (memfd < 0) return std::nullopt;
  auto content = ReadSnapshot(memfd);
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
  for (auto& [name, fd] : fds_.TakeBelow("")) names.push_back(name);
  return names;
}

std::string Predecessor::TakeText(const std::string& name) {
  const UniqueFd memfd = Take(name);
  auto text = memfd ? ReadMemfd(memfd.get()) : Result<std::string>(std::string());
  return text ? *text : std::string();
}

std::vector<UniqueFd> Predecessor::TakeConfigs() {
  std::vector<UniqueFd> configs;
  for (auto& [generation, memfd] : TakeBelow("config/")) configs.push_back(std::move(memfd));
  return configs;
}

}  // namespace slc
