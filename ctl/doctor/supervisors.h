// Supervisors: the slcd and masters that live for a home, found in /proc. Their socket, lock and
// run folder may be gone, and then nobody else tells of them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/home.h"
#include "common/base/ids.h"

namespace slc::ctl {

struct Supervisor {
  pid_t pid = 0;
  bool master = false;    // else slcd
  ServiceId service = 0;  // of a master; 0: it does not show
};

// Known by what they hold open below the home, which shows of our own processes only, to root of
// all. Looks at every process of the machine.
std::vector<Supervisor> FindSupervisors(const HomePaths& paths);

}  // namespace slc::ctl
