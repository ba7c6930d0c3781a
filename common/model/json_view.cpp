#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {

using nlohmann::json;

namespace {

json ToJson(const SlotView& slot, ViewForm form);

// Puts members into an object; in the sparse form only those that say something, so that who reads
// it into a fresh value gets the same.
class Members {
 public:
  Members(json& object, ViewForm form) : object_(object), sparse_(form == ViewForm::kSparse) {}

  template <typename T>
  void Put(const char* key, const T& value) {
    if (!sparse_ || value != T{}) object_[key] = value;
  }
  template <typename T>
  void PutAll(const char* key, const std::vector<T>& values, ViewForm form) {
    if (sparse_ && values.empty()) return;
    json list = json::array();
    for (const T& value : values) list.push_back(ToJson(value, form));
    object_[key] = std::move(list);
  }

 private:
  json& object_;
  bool sparse_;
};

json ToJson(const SlotView& slot, ViewForm form) {
  json value = json::object();
  Members members(value, form);
  members.Put("slot", slot.slot);
  members.Put("state", slot.state);
  members.Put("retry_in_ms", slot.retry_in);
  members.Put("restarts", slot.restarts);
  members.Put("reason", slot.reason);
  return value;
}

}  // namespace

json ToJson(const ProcessView& view, ViewForm form) {
  json value = json::object();
  Members members(value, form);
  members.Put("pid", view.pid);
  members.Put("worker", view.worker);
  members.Put("slot", view.slot);
  members.Put("spare", view.spare);
  members.Put("generation", view.generation);
  members.Put("state", view.state);
  members.Put("listening", view.listening);
  if (form == ViewForm::kWhole) {
    value["started"] = view.started_wall > 0 ? json(FormatIso(view.started_wall)) : json();
  }
  members.Put("started_ms", view.started_wall);
  members.Put("uptime_ms", view.uptime);
  members.Put("restarts", view.restarts);
  members.Put("stuck_ms", view.stuck);
  members.Put("replaced", view.replaced);
  members.Put("reloading", view.reloading);
  members.Put("status_text", view.status_text);
  members.Put("reason", view.reason);
  return value;
}

namespace {

Status FromJson(const json& value, ProcessView& view) {
  JsonFields fields(value, "process");
  fields.Read("pid", view.pid);
  fields.Read("worker", view.worker);
  fields.Read("slot", view.slot);
  fields.Read("spare", view.spare);
  fields.Read("generation", view.generation);
  fields.Read("state", view.state);
  fields.Read("listening", view.listening);
  fields.Read("started_ms", view.started_wall);
  fields.Read("uptime_ms", view.uptime);
  fields.Read("restarts", view.restarts);
  fields.Read("stuck_ms", view.stuck);
  fields.Read("replaced", view.replaced);
  fields.Read("reloading", view.reloading);
  fields.Read("status_text", view.status_text);
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

json ToJson(const ServiceView& view, ViewForm form) {
  json value = json::object();
  Members members(value, form);
  members.Put("id", view.id);
  members.Put("name", view.name);
  members.Put("state", view.state);
  members.Put("reason", view.reason);
  members.Put("damage", view.damage);
  members.Put("directory", view.directory);
  members.Put("script", view.script);
  members.Put("wanted", view.wanted);
  members.Put("size", view.size);
  members.Put("cluster_size", view.cluster_size);
  members.Put("generation", view.generation);
  if (view.port || form == ViewForm::kWhole) value["port"] = view.port ? json(*view.port) : json();
  members.Put("environment", view.environment);
  members.Put("agent_version", view.agent_version);
  members.Put("log_directory", view.log_directory);
  members.Put("run_as", view.run_as);
  members.Put("log_lines_dropped", view.log_lines_dropped);
  members.Put("log_dropped_ago_ms", view.log_dropped_ago);
  members.Put("log_trouble", view.log_trouble);
  members.Put("restart_at", view.restart_at);
  members.Put("next_restart", view.next_restart_text);
  members.Put("next_restart_ms", view.next_restart);
  members.Put("schedule_trouble", view.schedule_trouble);
  members.Put("watch", view.watch);
  members.Put("watch_trouble", view.watch_trouble);
  members.Put("spare_trouble", view.spare_trouble);
  members.Put("facts_age_ms", view.facts_age);
  members.PutAll("processes", view.processes, form);
  members.PutAll("idle_slots", view.idle_slots, form);
  return value;
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
  fields.Read("restart_at", view.restart_at);
  fields.Read("next_restart", view.next_restart_text);
  fields.Read("next_restart_ms", view.next_restart);
  fields.Read("schedule_trouble", view.schedule_trouble);
  fields.Read("watch", view.watch);
  fields.Read("watch_trouble", view.watch_trouble);
  fields.Read("spare_trouble", view.spare_trouble);
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
