// Usage sample: CPU and memory of the processes of services, read from the kernel.
#pragma once

#include <vector>

#include "common/model/view.h"
#include "ctl/status_tables.h"

namespace slc::ctl {

// Takes 100 ms, the time over which CPU is measured. Processes that ended meanwhile are left out.
UsageByPid SampleUsage(const std::vector<ServiceView>& services);

}  // namespace slc::ctl
