// Quarantined: a service whose file holds no wish any more. It is not started; a living master of
// it is left as it is, until an operator stops the service, removes it, or starts its app again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/model/service.h"

namespace slc {

struct Quarantined {
  ServiceId id = 0;
  std::string file;  // of services/, where the damaged one was set aside
  std::string reason;
  // What the damaged file still shows, or its living master tells; empty if neither does.
  std::string name;
  std::string directory;
  std::vector<std::string> command;  // the script is among these
  // What its master was told last; nothing if there is none, or it has not answered yet.
  std::optional<FleetWish> obeyed;
  std::optional<GenerationConfig> runs;  // what that generation was started with
  bool removing = false;                 // to be forgotten as soon as it has stopped
  std::string removal_request;           // id of the client request that asked for that
};

// For people: "services/1.json is unreadable (this is not JSON)".
std::string DescribeDamage(const Quarantined& bad);

// The app that `spec` is about is the one of this service, by its folder and script.
bool IsAppOf(const Quarantined& bad, const ServiceSpec& spec);

}  // namespace slc
