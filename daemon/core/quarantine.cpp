#include "daemon/core/quarantine.h"

#include <algorithm>

namespace slc {

std::string DescribeDamage(const Quarantined& bad) {
  return "services/" + std::to_string(bad.id) + ".json is unreadable (" + bad.reason + ")";
}

bool IsAppOf(const Quarantined& bad, const ServiceSpec& spec) {
  if (bad.directory.empty() || bad.directory != spec.directory) return false;
  return std::any_of(bad.command.begin(), bad.command.end(), [&](const std::string& word) {
    return word == spec.script || word == spec.directory + "/" + spec.script;
  });
}

}  // namespace slc
