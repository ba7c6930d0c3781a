#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {

using nlohmann::json;

json ToJson(const ProcessView& view) {
  return json{
      {"pid", view.pid},
      {"worker", view.worker},
      {"slot", view.slot},
      {"generation", view.generation},
      {"state", view.state},
      {"listening", view.listening},
      {"started", view.started_wall > 0 ? json(FormatIso(view.started_wall)) : json()},
      {"started_ms", view.started_wall},
      {"uptime_ms", view.uptime},
      {"restarts", view.restarts},
      {"stuck_ms", view.stuck},
      {"reason", view.reason},
  };
}

namespace {

Status FromJson(const json& value, ProcessView& view) {
  JsonFields fields(value, "process");
  fields.Read("pid", view.pid);
  fields.Read("worker", view.worker);
  fields.Read("slot", view.slot);
  fields.Read("generation", view.generation);
  fields.Read("state", view.state);
  fields.Read("listening", view.listening);
  fields.Read("started_ms", view.started_wall);
  fields.Read("uptime_ms", view.uptime);
  fields.Read("restarts", view.restarts);
  fields.Read("stuck_ms", view.stuck);
  fields.Read("reason", view.reason);
  return fields.status();
}

Status FromJson(const json& value, SlotView& view) {
  JsonFields fields(value, "slot");
  fields.Read("slot", view.slot);
  fields.Read("state", view.state);
  fields.Read("retry_in_ms", view.retry_in);
  fields.Read("restarts", view.restarts);
  fields.Read("reason", view.reason);
  return fields.status();
}

}  // namespace

json ToJson(const ServiceView& view) {
  json processes = json::array();
  for (const ProcessView& process : view.processes) processes.push_back(ToJson(process));
  json idle = json::array();
  for (const SlotView& slot : view.idle_slots) {
    idle.push_back(json{{"slot", slot.slot},
                        {"state", slot.state},
                        {"retry_in_ms", slot.retry_in},
                        {"restarts", slot.restarts},
                        {"reason", slot.reason}});
  }
  return json{
      {"id", view.id},
      {"name", view.name},
      {"state", view.state},
      {"reason", view.reason},
      {"damage", view.damage},
      {"directory", view.directory},
      {"script", view.script},
      {"wanted", view.wanted},
      {"size", view.size},
      {"cluster_size", view.cluster_size},
      {"generation", view.generation},
      {"port", view.port ? json(*view.port) : json()},
      {"environment", view.environment},
      {"agent_version", view.agent_version},
      {"log_directory", view.log_directory},
      {"run_as", view.run_as},
      {"log_lines_dropped", view.log_lines_dropped},
      {"log_dropped_ago_ms", view.log_dropped_ago},
      {"log_trouble", view.log_trouble},
      {"facts_age_ms", view.facts_age},
      {"processes", std::move(processes)},
      {"idle_slots", std::move(idle)},
  };
}

Status FromJson(const json& value, ServiceView& view) {
  JsonFields fields(value, "service");
  fields.Read("id", view.id);
  fields.Read("name", view.name);
  fields.Read("state", view.state);
  fields.Read("reason", view.reason);
  fields.Read("damage", view.damage);
  fields.Read("directory", view.directory);
  fields.Read("script", view.script);
  fields.Read("wanted", view.wanted);
  fields.Read("size", view.size);
  fields.Read("cluster_size", view.cluster_size);
  fields.Read("generation", view.generation);
  fields.Read("port", view.port);
  fields.Read("environment", view.environment);
  fields.Read("agent_version", view.agent_version);
  fields.Read("log_directory", view.log_directory);
  fields.Read("run_as", view.run_as);
  fields.Read("log_lines_dropped", view.log_lines_dropped);
  fields.Read("log_dropped_ago_ms", view.log_dropped_ago);
  fields.Read("log_trouble", view.log_trouble);
  fields.Read("facts_age_ms", view.facts_age);
  fields.ReadArray("processes", [&](const json& element) {
    view.processes.emplace_back();
    return FromJson(element, view.processes.back());
  });
  fields.ReadArray("idle_slots", [&](const json& element) {
    view.idle_slots.emplace_back();
    return FromJson(element, view.idle_slots.back());
  });
  return fields.status();
}

json ToJson(const UpgradeReport& report) {
  json value = json::array();
  for (const ProcessUpgrade& process : report) {
    value.push_back(json{{"program", process.program},
                         {"service", process.service},
                         {"pid", process.pid},
                         {"from", process.from},
                         {"to", process.to},
                         {"already", process.already},
                         {"took_ms", process.took},
                         {"reason", process.reason}});
  }
  return value;
}

Status FromJson(const json& value, ProcessUpgrade& process) {
  JsonFields fields(value, "process");
  fields.Read("program", process.program);
  fields.Read("service", process.service);
  fields.Read("pid", process.pid);
  fields.Read("from", process.from);
  fields.Read("to", process.to);
  fields.Read("already", process.already);
  fields.Read("took_ms", process.took);
  fields.Read("reason", process.reason);
  return fields.status();
}

json ToJson(const DaemonInfo& info) {
  json masters = json::array();
  for (const MasterInfo& master : info.masters) {
    masters.push_back(json{{"service", master.service},
                           {"pid", master.pid},
                           {"version", master.version},
                           {"protocol", master.protocol}});
  }
  return json{
      {"version", info.version},
      {"pid", info.pid},
      {"protocol", info.protocol},
      {"epoch", info.epoch},
      {"home", info.home},
      {"socket", info.socket},
      {"started", FormatIso(info.started_wall)},
      {"started_ms", info.started_wall},
      {"uptime_ms", info.uptime},
      {"cpus", info.cpus},
      {"services", info.services},
      {"masters", std::move(masters)},
      {"storage", info.storage},
      {"trouble", info.trouble},
  };
}

namespace {

Status FromJson(const json& value, MasterInfo& master) {
  JsonFields fields(value, "master");
  fields.Read("service", master.service);
  fields.Read("pid", master.pid);
  fields.Read("version", master.version);
  fields.Read("protocol", master.protocol);
  return fields.status();
}

}  // namespace

Status FromJson(const json& value, DaemonInfo& info) {
  JsonFields fields(value, "info");
  fields.Read("version", info.version);
  fields.Read("pid", info.pid);
  fields.Read("protocol", info.protocol);
  fields.Read("epoch", info.epoch);
  fields.Read("home", info.home);
  fields.Read("socket", info.socket);
  fields.Read("started_ms", info.started_wall);
  fields.Read("uptime_ms", info.uptime);
  fields.Read("cpus", info.cpus);
  fields.Read("services", info.services);
  fields.Read("storage", info.storage);
  fields.Read("trouble", info.trouble);
  fields.ReadArray("masters", [&](const json& element) {
    info.masters.emplace_back();
    return FromJson(element, info.masters.back());
  });
  return fields.status();
}

}  // namespace slc
