// Mesh: what a deployment asks of StrongLoop's REST API (the gateway's, or the original's).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "ctl/remote/remote.h"

namespace slc::ctl {

struct MeshService {
  std::uint64_t id = 0;
  std::string name;
};

// That a process manager with API version 6 is there.
Status CheckApi(Remote& remote);
// The service of that name or id; one of that name is made if there is none.
Result<MeshService> FindOrCreate(Remote& remote, const std::string& service, bool& created);
// "3" or "cpu"; it is recorded, whether the service runs or not.
Status SetSize(Remote& remote, const MeshService& service, const std::string& size);

}  // namespace slc::ctl
