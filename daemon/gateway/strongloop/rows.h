// The rows of StrongLoop's models, made of what slcd shows: a ServiceServer row ("Service"), its
// one ServiceInstance, a ServiceProcess for each process, and a ProfileData for each profile.
// Shapes are those of strong-mesh-models 8.1.1; which of their members its clients cannot do
// without stands in the tests.
//
// Ids: a service's is slcd's, its instance has the same; that of a process is made of both numbers
// it has here and never used twice. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/ids.h"
#include "common/model/profile.h"
#include "common/model/view.h"

namespace slc::gateway {

inline constexpr int kExecutor = 1;  // one machine

// What all rows have in common.
struct MeshFacts {
  std::string version;  // of slc
  std::string hostname;
  std::string os_release;  // "6.1.0-18-amd64"
  std::string arch;        // as Node calls it: "x64", "arm64"
  int daemon_pid = 0;
  Millis started_wall = 0;  // of slcd
  int port = 0;             // of the API; 0 on a unix socket
};

std::int64_t ProcessRowId(ServiceId service, WorkerId worker);
// Nothing if it was not made by that.
std::optional<std::pair<ServiceId, WorkerId>> ProcessOfRowId(std::int64_t id);

nlohmann::json ServiceRow(const ServiceView& view);
nlohmann::json InstanceRow(const ServiceView& view, const MeshFacts& facts);
std::vector<nlohmann::json> ProcessRows(const ServiceView& view, const MeshFacts& facts);
nlohmann::json ExecutorRow(const MeshFacts& facts);
nlohmann::json ProfileRow(const Profile& profile);
// Where it is downloaded.
std::string ProfileUrl(const Profile& profile);

// "0.0.0.0:3001", "[::1]:80", "/run/app.sock" as a listening socket of a row. The wildcard has no
// address, as with the original.
nlohmann::json ListeningSocket(const std::string& address);

}  // namespace slc::gateway
