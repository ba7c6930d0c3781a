#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/object_writer.h"

namespace slc {

using nlohmann::json;

namespace {

// Puts the members of a view into an object.
template <typename Object>
void Describe(const SlotView& slot, Object& object);
template <typename Object>
void Describe(const ProcessView& view, Object& object);

// What is shown to people has every member.
class WholeObject {
 public:
  template <typename T>
  void Put(const char* key, const T& value) {
    object_[key] = value;
  }
  template <typename T>
  void Put(const char* key, const std::optional<T>& value) {
    object_[key] = value ? json(*value) : json();
  }
  template <typename T>
  void PutAll(const char* key, const std::vector<T>& values) {
    json list = json::array();
    for (const T& value : values) {
      WholeObject one;
      Describe(value, one);
      list.push_back(std::move(one.object_));
    }
    object_[key] = std::move(list);
  }
  // A moment as people write it, beside its number.
  void PutTime(const char* key, Millis wall) {
    object_[key] = wall > 0 ? json(FormatIso(wall)) : json();
  }

  json Take() { return std::move(object_); }

 private:
  json object_ = json::object();
};

// Between programs those members are left out that say nothing (empty, 0, false): who reads this
// into a fresh value gets the same. With hundreds of services that is most of them, and to build
// the text at once costs a third of what it costs to build values first.
class SparseObject {
 public:
  explicit SparseObject(std::string& out) : writer_(out) {}

  template <std::integral T>
  void Put(const char* key, T value) {
    if (value != 0) writer_.Number(key, value);
  }
  void Put(const char* key, bool value) {
    if (value) writer_.Flag(key, value);
  }
  void Put(const char* key, const std::string& value) {
    if (!value.empty()) writer_.Text(key, value);
  }
  void Put(const char* key, const std::optional<int>& value) {
    if (value) writer_.Number(key, *value);
  }
  void Put(const char* key, const std::vector<std::string>& values) {
    if (!values.empty()) writer_.Texts(key, values);
  }
  void Put(const char* key, const Environment& values) {
    if (!values.empty()) writer_.Texts(key, values);
  }
  template <typename T>
  void PutAll(const char* key, const std::vector<T>& values) {
    if (values.empty()) return;
    std::string& out = writer_.Key(key);
    const char* separator = "[";
    for (const T& value : values) {
      out += std::exchange(separator, ",");
      SparseObject one(out);
      Describe(value, one);
    }
    out += ']';
  }
  void PutTime(const char*, Millis) {}

 private:
  ObjectWriter writer_;
};

template <typename Object>
void Describe(const SlotView& slot, Object& object) {
  object.Put("slot", slot.slot);
  object.Put("state", slot.state);
  object.Put("retry_in_ms", slot.retry_in);
  object.Put("restarts", slot.restarts);
  object.Put("reason", slot.reason);
}

template <typename Object>
void Describe(const ProcessView& view, Object& object) {
  object.Put("pid", view.pid);
  object.Put("worker", view.worker);
  object.Put("slot", view.slot);
  object.Put("spare", view.spare);
  object.Put("generation", view.generation);
  object.Put("state", view.state);
  object.Put("listening", view.listening);
  object.PutTime("started", view.started_wall);
  object.Put("started_ms", view.started_wall);
  object.Put("uptime_ms", view.uptime);
  object.Put("restarts", view.restarts);
  object.Put("stuck_ms", view.stuck);
  object.Put("shows", view.shows);
  object.Put("replaced", view.replaced);
  object.Put("reloading", view.reloading);
  object.Put("status_text", view.status_text);
  object.PutTime("profiling_since", view.inspection.profiling_since);
  object.Put("profiling_since_ms", view.inspection.profiling_since);
  object.PutTime("tracking_objects_since", view.inspection.tracking_since);
  object.Put("tracking_objects_since_ms", view.inspection.tracking_since);
  object.Put("debugger_port", view.inspection.debugger_port);
  object.Put("debugger_host", view.inspection.debugger_host);
  object.Put("snapshotting", view.snapshotting);
  object.Put("reason", view.reason);
}

template <typename Object>
void Describe(const ServiceView& view, Object& object) {
  object.Put("id", view.id);
  object.Put("name", view.name);
  object.Put("state", view.state);
  object.Put("reason", view.reason);
  object.Put("damage", view.damage);
  object.Put("directory", view.directory);
  object.Put("script", view.script);
  object.Put("wanted", view.wanted);
  object.Put("size", view.size);
  object.Put("cluster_size", view.cluster_size);
  object.Put("generation", view.generation);
  object.Put("port", view.port);
  object.Put("environment", view.environment);
  object.Put("options", view.options);
  object.Put("agent_version", view.agent_version);
  object.Put("log_directory", view.log_directory);
  object.Put("run_as", view.run_as);
  object.Put("log_lines_dropped", view.log_lines_dropped);
  object.Put("log_dropped_ago_ms", view.log_dropped_ago);
  object.Put("log_trouble", view.log_trouble);
  object.Put("restart_at", view.restart_at);
  object.Put("next_restart", view.next_restart_text);
  object.Put("next_restart_ms", view.next_restart);
  object.Put("schedule_trouble", view.schedule_trouble);
  object.Put("watch", view.watch);
  object.Put("watch_trouble", view.watch_trouble);
  object.Put("spare_trouble", view.spare_trouble);
  object.Put("facts_age_ms", view.facts_age);
  object.PutAll("processes", view.processes);
  object.PutAll("idle_slots", view.idle_slots);
}

}  // namespace

json ToJson(const ProcessView& view) {
  WholeObject object;
  Describe(view, object);
  return object.Take();
}

json ToJson(const ServiceView& view) {
  WholeObject object;
  Describe(view, object);
  return object.Take();
}

void AppendSparse(std::string& out, const ServiceView& view) {
  SparseObject object(out);
  Describe(view, object);
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
  fields.Read("shows", view.shows);
  fields.Read("replaced", view.replaced);
  fields.Read("reloading", view.reloading);
  fields.Read("status_text", view.status_text);
  fields.Read("profiling_since_ms", view.inspection.profiling_since);
  fields.Read("tracking_objects_since_ms", view.inspection.tracking_since);
  fields.Read("debugger_port", view.inspection.debugger_port);
  fields.Read("debugger_host", view.inspection.debugger_host);
  fields.Read("snapshotting", view.snapshotting);
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
  fields.Read("options", view.options);
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
