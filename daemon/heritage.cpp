#include "daemon/heritage.h"

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"

namespace slc {

using nlohmann::json;

std::string EncodeDaemonFacts(const DaemonFacts& facts) {
  json instances = json::array();
  for (const auto& [id, instance] : facts.instances) {
    instances.push_back(json{{"id", id},
                             {"pid", instance.master.pid},
                             {"start", instance.master.start_time},
                             {"launches", instance.launches}});
  }
  return DumpJson(json{{"epoch", facts.epoch},
                       {"version", facts.version},
                       {"request", facts.request},
                       {"began", facts.began},
                       {"instances", std::move(instances)}});
}

Result<DaemonFacts> DecodeDaemonFacts(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error();
  DaemonFacts facts;
  JsonFields fields(*parsed, "heritage");
  fields.Require("epoch");
  fields.Read("epoch", facts.epoch);
  fields.Read("version", facts.version);
  fields.Read("request", facts.request);
  fields.Read("began", facts.began);
  fields.ReadArray("instances", [&](const json& element) {
    ServiceId id = 0;
    InstanceFacts instance;
    JsonFields entry(element, "instance");
    entry.Require("id");
    entry.Read("id", id);
    entry.Read("pid", instance.master.pid);
    entry.Read("start", instance.master.start_time);
    entry.Read("launches", instance.launches);
    facts.instances[id] = instance;
    return entry.status();
  });
  if (Status good = fields.status(); !good) return good.error();
  return facts;
}

std::string HeritageLink(ServiceId id) { return "link/" + std::to_string(id); }
std::string HeritageKept(ServiceId id) { return "kept/" + std::to_string(id) + "/"; }
std::string HeritageConfig(ServiceId id) { return "config/" + std::to_string(id) + "/"; }

}  // namespace slc
