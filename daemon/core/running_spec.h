// What a generation that runs tells of the options it was made from. For a service whose record is
// lost: what its workers have is more than nothing. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/model/generation.h"
#include "common/model/service.h"

namespace slc {

// `now` with the options that `runs` shows. It does not show the options for slcd and not for
// workers (--restart-at, --watch), nor which variables came from --env; `now` keeps its own.
ServiceSpec SpecOfRunning(const GenerationConfig& runs, ServiceId id, const ServiceSpec& now);

// Names of variables that workers of `runs` have, and that workers of `now` get neither from it nor
// from slcd. The app's .env may have them.
std::vector<std::string> VariablesMissing(const GenerationConfig& runs, const ServiceSpec& now);

}  // namespace slc
