// Start request: from the options of `slc start` and the app's folder to what slcd is asked for.
#pragma once

#include <string>

#include "common/base/environment.h"
#include "common/base/result.h"
#include "common/wire/messages.h"
#include "ctl/options.h"

namespace slc::ctl {

// Reads the disk. `here`: the current folder; `own`: the caller's environment; `foreground`: for
// `slc run`, whose app gets the whole of it.
Result<StartService> MakeStartRequest(const StartOptions& options, const std::string& here,
                                      const Environment& own, bool foreground);

// What an app may see of the environment of the one who typed `slc start`: enough to find programs
// and to know the language. Never all of it: services must not depend on who started them.
Environment CallerEnvironment(const Environment& own);
// All but what is ours: a container's environment is its configuration.
Environment ForegroundEnvironment(const Environment& own);

}  // namespace slc::ctl
