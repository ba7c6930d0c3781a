#include "daemon/master/cpu_groups.h"

#include <algorithm>

#include "common/base/cgroup.h"
#include "common/model/service.h"

namespace slc {

Result<UniqueFd> CpuGroups::For(const GenerationConfig& config) {
  const std::uint32_t millis = config.limits.cpu_millis;
  if (millis == 0) return UniqueFd();
  Know(config);
  const std::string what = "--cpus " + FormatCpus(millis);
  const auto site = FindCpuSite();
  if (!site) return site.error().During(what);
  auto group = OpenCpuGroup(*site, CpuGroupName(cookie_, config.generation), millis);
  if (!group) return group.error().During(what);
  return group;
}

void CpuGroups::KeepOnly(const std::vector<Generation>& live) {
  const auto is_live = [&](Generation generation) {
    return std::find(live.begin(), live.end(), generation) != live.end();
  };
  if (std::all_of(known_.begin(), known_.end(), is_live)) return;
  std::set<std::string> kept;
  for (const Generation generation : live) kept.insert(CpuGroupName(cookie_, generation));
  RemoveCpuGroupsOf(cookie_, kept);
  std::erase_if(known_, [&](Generation generation) { return !is_live(generation); });
}

}  // namespace slc
