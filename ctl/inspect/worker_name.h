// Which process WRK names, as StrongLoop's own slc reads it: P, S.P or S.E.P. P is a pid or a WID,
// S the name or id of a service, E the number of the machine, always 1. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/view.h"

namespace slc::ctl {

struct NamedWorker {
  ServiceId service = 0;
  std::string service_name;
  WorkerId worker = 0;  // 0: the master
  int pid = 0;
};

// A pid goes before a WID. A WID without a service is refused if several services have it: the
// original took the first.
Result<NamedWorker> FindWorker(const std::vector<ServiceView>& services, const std::string& typed);

}  // namespace slc::ctl
