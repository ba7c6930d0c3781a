#include "daemon/core/running_spec.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

std::optional<std::string> VariableOf(const GenerationConfig& runs, std::string_view name) {
  for (const std::string& variable : runs.environment) {
    if (variable.compare(0, name.size(), name) == 0 && variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

// What stood behind the script; nothing if another script runs.
std::optional<std::vector<std::string>> ArgumentsOf(const GenerationConfig& runs,
                                                    const ServiceSpec& now) {
  const std::string script =
      StartsWith(now.script, "/") ? now.script : now.directory + "/" + now.script;
  const auto at = std::find(runs.arguments.begin(), runs.arguments.end(), script);
  if (at == runs.arguments.end()) return std::nullopt;
  return std::vector<std::string>(at + 1, runs.arguments.end());
}

}  // namespace

ServiceSpec SpecOfRunning(const GenerationConfig& runs, ServiceId id, const ServiceSpec& now) {
  ServiceSpec spec = now;
  const auto port = ParseInteger(VariableOf(runs, "PORT").value_or(""), 0, 65535);
  if (port && *port != kBasePort + id) spec.port = static_cast<std::uint16_t>(*port);
  const auto arguments = ArgumentsOf(runs, now);
  if (arguments && *arguments != now.arguments) {
    spec.arguments = *arguments;
    spec.own_arguments = true;
  }
  spec.listen = runs.listen;
  spec.balance = runs.balance;
  spec.readiness = runs.readiness;
  spec.ready_timeout = runs.policy.ready_timeout;
  spec.drain_timeout = runs.policy.drain_timeout;
  spec.drain_linger = runs.drain_linger;
  spec.stop_signal = SignalName(runs.stop_signal);
  spec.stop_timeout = runs.policy.stop_timeout;
  spec.restart = runs.policy.restart;
  spec.min_uptime = runs.policy.min_uptime;
  spec.max_restarts = runs.policy.max_restarts;
  spec.limits = runs.limits;
  spec.spare = runs.policy.spare;
  spec.compile_cache = runs.compile_cache;
  if (runs.node) spec.agent = runs.agent_position > 0;
  // Never as slcd's own user, which may be root, what had run as another one.
  if (runs.has_run_as) spec.run_as = std::to_string(runs.uid) + ":" + std::to_string(runs.gid);
  spec.log_format = runs.log_format;
  spec.log_file_bytes = runs.log_file_bytes;
  spec.log_files = runs.log_files;
  return spec;
}

std::vector<std::string> VariablesMissing(const GenerationConfig& runs, const ServiceSpec& now) {
  std::set<std::string> known = {"PATH", "PWD", "PORT", "HOME", "USER", "LOGNAME"};
  for (const Environment* each :
       {&now.caller_environment, &now.script_environment, &now.environment}) {
    for (const auto& [name, value] : *each) known.insert(name);
  }
  std::vector<std::string> missing;
  for (const std::string& variable : runs.environment) {
    std::string name = variable.substr(0, variable.find('='));
    if (known.count(name) == 0) missing.push_back(std::move(name));
  }
  return missing;
}

}  // namespace slc
