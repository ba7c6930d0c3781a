// Views: what a client is shown of a service, made from its wish and the facts of its master. Pure.
#pragma once

#include <optional>
#include <string>

#include "common/model/instance.h"
#include "common/model/service.h"
#include "common/model/view.h"
#include "daemon/core/quarantine.h"

namespace slc {

struct ViewInput {
  const InstanceState* state = nullptr;  // nullptr: no master
  bool adopting = false;
  bool launching = false;  // a master is being started
  Millis silent_for = 0;
  std::string log_directory;
  unsigned cpus = 1;  // if the size goes by them
  Millis now = 0;     // BOOTTIME
};

ServiceView MakeView(const Wish& wish, const ViewInput& input);
// `services`: path of the folder in which the damaged file was set aside.
ServiceView MakeView(const Quarantined& bad, const std::string& services, const ViewInput& input);

}  // namespace slc
