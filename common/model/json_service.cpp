#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {

using nlohmann::json;

namespace {

void ReadBalance(JsonFields& fields, Balance& balance) {
  fields.ReadName("balance", [&](const std::string& name) {
    const auto found = BalanceFromName(name);
    if (found) balance = *found;
    return found.has_value();
  });
}

json ToJson(const WorkerLimits& limits) {
  json value{
      {"max_memory_bytes", limits.max_memory}, {"hang_timeout_ms", limits.hang_timeout},
      {"open_files", limits.open_files},       {"cpu_millis", limits.cpu_millis},
      {"log_rate_bytes", limits.log_rate},
  };
  if (limits.nice) value["nice"] = *limits.nice;
  return value;
}

json ToJson(const ReleasePolicy& policy) {
  return json{{"keep", policy.keep},
              {"canary_time_ms", policy.canary_time},
              {"health", policy.health},
              {"npm", policy.npm}};
}

Status FromJson(const json& value, ReleasePolicy& policy) {
  JsonFields fields(value, "releases");
  fields.Read("keep", policy.keep);
  fields.Read("canary_time_ms", policy.canary_time);
  fields.Read("health", policy.health);
  fields.Read("npm", policy.npm);
  return fields.status();
}

Status FromJson(const json& value, WorkerLimits& limits) {
  JsonFields fields(value, "limits");
  fields.Read("max_memory_bytes", limits.max_memory);
  fields.Read("hang_timeout_ms", limits.hang_timeout);
  fields.Read("open_files", limits.open_files);
  fields.Read("nice", limits.nice);
  fields.Read("cpu_millis", limits.cpu_millis);
  fields.Read("log_rate_bytes", limits.log_rate);
  return fields.status();
}

}  // namespace

json ToJson(const ServiceSpec& spec) {
  json value{
      {"name", spec.name},
      {"directory", spec.directory},
      {"script", spec.script},
      {"script_reason", spec.script_reason},
      {"arguments", spec.arguments},
      {"interpreter", spec.interpreter},
      {"node_arguments", spec.node_arguments},
      {"own_arguments", spec.own_arguments},
      {"script_node_arguments", spec.script_node_arguments},
      {"file_mask", spec.file_mask},
      {"node", spec.node},
      {"cwd", spec.cwd},
      {"caller_environment", spec.caller_environment},
      {"script_environment", spec.script_environment},
      {"environment", spec.environment},
      {"listen", spec.listen},
      {"balance", Name(spec.balance)},
      {"ready", Name(spec.readiness)},
      {"ready_timeout_ms", spec.ready_timeout},
      {"drain_timeout_ms", spec.drain_timeout},
      {"drain_linger_ms", spec.drain_linger},
      {"stop_signal", spec.stop_signal},
      {"stop_timeout_ms", spec.stop_timeout},
      {"restart", Name(spec.restart)},
      {"min_uptime_ms", spec.min_uptime},
      {"limits", ToJson(spec.limits)},
      {"spare", spec.spare},
      {"compile_cache", spec.compile_cache},
      {"restart_at", spec.restart_at},
      {"watch", spec.watch},
      {"watch_only", spec.watch_only},
      {"watch_restart", spec.watch_restart},
      {"releases", ToJson(spec.releases)},
      {"agent", spec.agent},
      {"run_as", spec.run_as},
      {"log_format", Name(spec.log_format)},
      {"log_file_bytes", spec.log_file_bytes},
      {"log_files", spec.log_files},
  };
  if (spec.port) value["port"] = *spec.port;
  if (spec.max_restarts) value["max_restarts"] = *spec.max_restarts;
  return value;
}

Status FromJson(const json& value, ServiceSpec& spec) {
  JsonFields fields(value, "spec");
  fields.Require("name");
  fields.Read("name", spec.name);
  fields.Read("directory", spec.directory);
  fields.Read("script", spec.script);
  fields.Read("script_reason", spec.script_reason);
  fields.Read("arguments", spec.arguments);
  fields.Read("interpreter", spec.interpreter);
  fields.Read("node_arguments", spec.node_arguments);
  fields.Read("own_arguments", spec.own_arguments);
  fields.Read("script_node_arguments", spec.script_node_arguments);
  fields.Read("file_mask", spec.file_mask);
  fields.Read("node", spec.node);
  fields.Read("cwd", spec.cwd);
  fields.Read("caller_environment", spec.caller_environment);
  fields.Read("script_environment", spec.script_environment);
  fields.Read("environment", spec.environment);
  fields.Read("port", spec.port);
  fields.Read("listen", spec.listen);
  ReadBalance(fields, spec.balance);
  fields.ReadName("ready", [&](const std::string& name) {
    const auto found = ReadinessFromName(name);
    if (found) spec.readiness = *found;
    return found.has_value();
  });
  fields.Read("ready_timeout_ms", spec.ready_timeout);
  fields.Read("drain_timeout_ms", spec.drain_timeout);
  fields.Read("drain_linger_ms", spec.drain_linger);
  fields.Read("stop_signal", spec.stop_signal);
  fields.Read("stop_timeout_ms", spec.stop_timeout);
  fields.ReadName("restart", [&](const std::string& name) {
    const auto found = RestartPolicyFromName(name);
    if (found) spec.restart = *found;
    return found.has_value();
  });
  fields.Read("min_uptime_ms", spec.min_uptime);
  fields.Read("max_restarts", spec.max_restarts);
  fields.ReadObject("limits", [&](const json& limits) { return FromJson(limits, spec.limits); });
  fields.Read("spare", spec.spare);
  fields.Read("compile_cache", spec.compile_cache);
  fields.Read("restart_at", spec.restart_at);
  fields.Read("watch", spec.watch);
  fields.Read("watch_only", spec.watch_only);
  fields.Read("watch_restart", spec.watch_restart);
  fields.ReadObject("releases",
                    [&](const json& policy) { return FromJson(policy, spec.releases); });
  fields.Read("agent", spec.agent);
  fields.Read("run_as", spec.run_as);
  fields.ReadName("log_format", [&](const std::string& name) {
    const auto found = LogFormatFromName(name);
    if (found) spec.log_format = *found;
    return found.has_value();
  });
  fields.Read("log_file_bytes", spec.log_file_bytes);
  fields.Read("log_files", spec.log_files);
  return fields.status();
}

namespace {

const char* ModeName(RollMode mode) { return mode == RollMode::kRolling ? "rolling" : "restart"; }

void ReadMode(JsonFields& fields, RollMode& mode) {
  fields.ReadName("mode", [&](const std::string& name) {
    mode = name == "rolling" ? RollMode::kRolling : RollMode::kRestart;
    return name == "rolling" || name == "restart";
  });
}

}  // namespace

json ToJson(const Wish& wish) {
  json value{
      {"id", wish.id},
      {"spec", ToJson(wish.spec)},
      {"size", FormatSize(wish.size)},
      {"run", wish.run},
      {"soft_stop", wish.soft_stop},
      {"generation", wish.generation},
      {"mode", ModeName(wish.mode)},
      {"parallel", wish.parallel},
      {"order", wish.order},
      {"removing", wish.removing},
      {"last_request", wish.last_request},
  };
  if (wish.trial) value["trial"] = true;
  if (wish.damage) {
    value["damage"] = {{"reason", wish.damage->reason}, {"found_at", wish.damage->found_at}};
  }
  return value;
}

Status FromJson(const json& value, Wish& wish) {
  JsonFields fields(value, "wish");
  fields.Require("id");
  fields.Require("spec");
  fields.Read("id", wish.id);
  fields.ReadObject("spec", [&](const json& spec) { return FromJson(spec, wish.spec); });
  fields.ReadName("size", [&](const std::string& text) {
    const auto size = ParseSize(text);
    if (size) wish.size = *size;
    return size.ok();
  });
  fields.Read("run", wish.run);
  fields.Read("soft_stop", wish.soft_stop);
  fields.Read("generation", wish.generation);
  ReadMode(fields, wish.mode);
  fields.Read("parallel", wish.parallel);
  fields.Read("order", wish.order);
  fields.Read("removing", wish.removing);
  fields.Read("last_request", wish.last_request);
  fields.Read("trial", wish.trial);
  fields.ReadObject("damage", [&](const json& damage) {
    JsonFields of(damage, "wish.damage");
    wish.damage.emplace();
    of.Read("reason", wish.damage->reason);
    of.Read("found_at", wish.damage->found_at);
    return of.status();
  });
  return fields.status();
}

json ToJson(const GenerationConfig& config) {
  json value{
      {"generation", config.generation},
      {"service", config.service},
      {"program", config.program},
      {"arguments", config.arguments},
      {"agent_position", config.agent_position},
      {"environment", config.environment},
      {"working_directory", config.working_directory},
      {"node", config.node},
      {"inspect_port", config.inspect_port},
      {"has_run_as", config.has_run_as},
      {"uid", config.uid},
      {"gid", config.gid},
      {"groups", config.groups},
      {"listen", config.listen},
      {"balance", Name(config.balance)},
      {"ready", Name(config.readiness)},
      {"ready_timeout_ms", config.policy.ready_timeout},
      {"drain_timeout_ms", config.policy.drain_timeout},
      {"stop_timeout_ms", config.policy.stop_timeout},
      {"min_uptime_ms", config.policy.min_uptime},
      {"restart", Name(config.policy.restart)},
      {"drain_linger_ms", config.drain_linger},
      {"stop_signal", config.stop_signal},
      {"file_mask", config.file_mask},
      {"log_format", Name(config.log_format)},
      {"log_file_bytes", config.log_file_bytes},
      {"log_files", config.log_files},
      {"code_version", config.code.version},
      {"code_commit", config.code.commit},
      {"code_script_changed", config.code.script_changed},
      {"limits", ToJson(config.limits)},
      {"spare", config.policy.spare},
      {"compile_cache", config.compile_cache},
  };
  if (config.policy.max_restarts) value["max_restarts"] = *config.policy.max_restarts;
  return value;
}

Status FromJson(const json& value, GenerationConfig& config) {
  JsonFields fields(value, "generation");
  fields.Require("generation");
  fields.Require("program");
  fields.Read("generation", config.generation);
  fields.Read("service", config.service);
  fields.Read("program", config.program);
  fields.Read("arguments", config.arguments);
  fields.ReadIndex("agent_position", config.agent_position);
  fields.Read("environment", config.environment);
  fields.Read("working_directory", config.working_directory);
  fields.Read("node", config.node);
  fields.Read("inspect_port", config.inspect_port);
  fields.Read("has_run_as", config.has_run_as);
  fields.Read("uid", config.uid);
  fields.Read("gid", config.gid);
  fields.Read("groups", config.groups);
  fields.Read("listen", config.listen);
  ReadBalance(fields, config.balance);
  fields.ReadName("ready", [&](const std::string& name) {
    const auto found = ReadinessFromName(name);
    if (found) config.readiness = *found;
    return found.has_value();
  });
  fields.Read("ready_timeout_ms", config.policy.ready_timeout);
  fields.Read("drain_timeout_ms", config.policy.drain_timeout);
  fields.Read("stop_timeout_ms", config.policy.stop_timeout);
  fields.Read("min_uptime_ms", config.policy.min_uptime);
  fields.Read("max_restarts", config.policy.max_restarts);
  fields.ReadObject("limits", [&](const json& limits) { return FromJson(limits, config.limits); });
  fields.Read("spare", config.policy.spare);
  fields.Read("compile_cache", config.compile_cache);
  fields.ReadName("restart", [&](const std::string& name) {
    const auto found = RestartPolicyFromName(name);
    if (found) config.policy.restart = *found;
    return found.has_value();
  });
  fields.Read("drain_linger_ms", config.drain_linger);
  fields.Read("stop_signal", config.stop_signal);
  fields.Read("file_mask", config.file_mask);
  fields.ReadName("log_format", [&](const std::string& name) {
    const auto found = LogFormatFromName(name);
    if (found) config.log_format = *found;
    return found.has_value();
  });
  fields.Read("log_file_bytes", config.log_file_bytes);
  fields.Read("code_version", config.code.version);
  fields.Read("code_commit", config.code.commit);
  fields.Read("code_script_changed", config.code.script_changed);
  fields.Read("log_files", config.log_files);
  if (config.agent_position > config.arguments.size()) {
    fields.Fail("agent_position", "a place within the arguments");
  }
  return fields.status();
}

json ToJson(const FleetWish& wish) {
  return json{
      {"run", wish.run},
      {"soft_stop", wish.soft_stop},
      {"size", wish.size},
      {"generation", wish.generation},
      {"mode", ModeName(wish.mode)},
      {"parallel", wish.parallel},
      {"order", wish.order},
      {"trial", wish.trial},
      {"same_as", wish.same_as},
  };
}

Status FromJson(const json& value, FleetWish& wish) {
  JsonFields fields(value, "fleet_wish");
  fields.Read("run", wish.run);
  fields.Read("soft_stop", wish.soft_stop);
  fields.Read("size", wish.size);
  fields.Read("generation", wish.generation);
  ReadMode(fields, wish.mode);
  fields.Read("parallel", wish.parallel);
  fields.Read("order", wish.order);
  fields.Read("trial", wish.trial);
  fields.Read("same_as", wish.same_as);
  return fields.status();
}

}  // namespace slc
