// SpawnMaster: starts the process of a master, with a link to it.
#pragma once

#include <string>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "daemon/daemon_context.h"

namespace slc {

struct SpawnedMaster {
  ProcessIdentity process;
  UniqueFd pidfd;
  UniqueFd link;  // our end
};

// Of the service called `service`, in the run directory `directory`. `program`: which slc-master.
Result<SpawnedMaster> SpawnMaster(const DaemonContext& context, const std::string& service,
                                  int directory, const std::string& program);

}  // namespace slc
