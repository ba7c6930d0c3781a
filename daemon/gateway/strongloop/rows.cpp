#include "daemon/gateway/strongloop/rows.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/time.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// A service was given something to run.
bool HasApp(const ServiceView& view) { return !view.directory.empty(); }

const ProcessView* MasterOf(const ServiceView& view) {
  for (const ProcessView& process : view.processes) {
    if (process.worker == 0) return &process;
  }
  return nullptr;
}

json DeploymentOf(const ServiceView& view) {
  return json{{"hash", std::to_string(view.generation)}, {"dir", view.directory}};
}

json Time(Millis wall) { return wall > 0 ? json(FormatIso(wall)) : json(); }

}  // namespace

std::int64_t ProcessRowId(ServiceId service, WorkerId worker) {
  // Exact as a number of JavaScript for two million services.
  return static_cast<std::int64_t>(service) << 32 | static_cast<std::int64_t>(worker);
}

std::optional<std::pair<ServiceId, WorkerId>> ProcessOfRowId(std::int64_t id) {
  if (id < std::int64_t{1} << 32) return std::nullopt;
  return std::pair(static_cast<ServiceId>(id >> 32),
                   static_cast<WorkerId>(id & std::numeric_limits<std::uint32_t>::max()));
}

json ServiceRow(const ServiceView& view) {
  json row{{"id", view.id},
           {"name", view.name},
           {"env", json::object()},
           {"_groups", json::array({json{{"id", 1}, {"name", "default"}, {"scale", 1}}})}};
  for (const auto& [name, value] : view.environment) row["env"][name] = value;
  if (HasApp(view)) row["deploymentInfo"] = DeploymentOf(view);
  return row;
}

json InstanceRow(const ServiceView& view, const MeshFacts& facts) {
  json row{{"id", view.id},
           {"executorId", kExecutor},
           {"serverServiceId", view.id},
           {"groupId", 1},
           {"started", view.wanted && HasApp(view)},
           {"setSize", HasApp(view) ? view.cluster_size : 0},
           {"cpus", view.size == "cpu" ? "CPU" : view.size},
           {"tracingEnabled", false}};
  if (!HasApp(view)) return row;
  std::uint32_t restarts = 0;
  for (const ProcessView& process : view.processes) restarts += process.restarts;
  const ProcessView* master = MasterOf(view);
  row["currentDeploymentId"] = std::to_string(view.generation);
  row["startTime"] = Time(master != nullptr ? master->started_wall : 0);
  row["restartCount"] = restarts;
  row["PMPort"] = facts.port;
  row["applicationName"] = view.name;
  row["agentVersion"] = view.agent_version.empty() ? json() : json(view.agent_version);
  row["debuggerVersion"] = "n/a";
  row["containerVersionInfo"] =
      json{{"os", {{"platform", "linux"}, {"arch", facts.arch}, {"release", facts.os_release}}},
           {"container", {{"type", "slc"}, {"version", facts.version}}},
           {"commit", DeploymentOf(view)},
           {"driverMeta", json::object()}};
  return row;
}

std::vector<json> ProcessRows(const ServiceView& view, const MeshFacts& facts) {
  const ProcessView* master = MasterOf(view);
  std::vector<json> rows;
  for (const ProcessView& process : view.processes) {
    // Known by its slot, but not born yet.
    if (process.pid <= 0) continue;
    json sockets = json::array();
    for (const std::string& address : process.listening)
      sockets.push_back(ListeningSocket(address));
    const int parent = process.worker == 0 ? facts.daemon_pid : master != nullptr ? master->pid : 0;
    const int port = process.inspection.debugger_port;
    rows.push_back(
        json{{"id", ProcessRowId(view.id, process.worker)},
             {"serviceInstanceId", view.id},
             {"parentPid", parent},
             {"pid", process.pid},
             {"workerId", process.worker},
             {"listeningSockets", std::move(sockets)},
             {"isTrackingObjects", process.inspection.tracking_since > 0},
             {"isProfiling", process.inspection.profiling_since > 0},
             {"isTracing", false},
             {"isSnapshotting", process.snapshotting},
             {"debugger", {{"running", port > 0}, {"port", port > 0 ? json(port) : json()}}},
             {"watchdogTimeout", 0},
             {"watchdogStallout", 0},
             {"startTime", Time(process.started_wall)},
             {"stopTime", nullptr},
             {"stopReason", ""}});
  }
  return rows;
}

json ExecutorRow(const MeshFacts& facts) {
  return json{{"id", kExecutor},
              {"address", "localhost"},
              {"hostname", facts.hostname},
              {"metadata", json::object()},
              {"remainingCapacity", -1}};
}

json ProfileRow(const Profile& profile) {
  json row{{"id", profile.id},
           {"serverServiceId", profile.service},
           {"instanceId", profile.service},
           {"serviceProcessId", ProcessRowId(profile.service, profile.worker)},
           {"type", Name(profile.type)},
           {"targetId", profile.pid},
           {"startTime", Time(profile.started)},
           {"completed", profile.whole()}};
  if (profile.whole()) row["fileName"] = "profile." + FileNameOf(profile);
  if (!profile.errored.empty()) row["errored"] = profile.errored;
  return row;
}

std::string ProfileUrl(const Profile& profile) {
  return "/api/Services/" + std::to_string(profile.service) + "/ProfileDatas/" +
         std::to_string(profile.id) + "/download";
}

json ListeningSocket(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::nullopt
                        : ParseInteger(std::string_view(address).substr(colon + 1), 0, 65535);
  if (!port || StartsWith(address, "/")) {
    return json{{"addressType", -1}, {"address", address}, {"port", -1}};
  }
  const std::string host = address.substr(0, colon);
  if (StartsWith(host, "[") && EndsWith(host, "]")) {
    return json{{"addressType", 6}, {"address", host.substr(1, host.size() - 2)}, {"port", *port}};
  }
  return json{
      {"addressType", 4}, {"address", host == "0.0.0.0" ? json() : json(host)}, {"port", *port}};
}

}  // namespace slc::gateway
