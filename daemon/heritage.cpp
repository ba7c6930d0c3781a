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
                             {"launches", instance.launches},
                             {"hellos", instance.hellos}});
  }
  json store = json::array();
  for (const UntoldFact& fact : facts.store) {
    store.push_back(json{{"name", fact.name}, {"keep", fact.keep}});
  }
  return DumpJson(json{{"epoch", facts.epoch},
                       {"version", facts.version},
                       {"request", facts.request},
                       {"uid", facts.peer.uid},
                       {"pid", facts.peer.pid},
                       {"began", facts.began},
                       {"instances", std::move(instances)},
                       {"store", std::move(store)}});
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
  fields.Read("uid", facts.peer.uid);
  fields.Read("pid", facts.peer.pid);
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
    entry.Read("hellos", instance.hellos);
    facts.instances[id] = instance;
    return entry.status();
  });
  fields.ReadArray("store", [&](const json& element) {
    UntoldFact fact;
    JsonFields entry(element, "store");
    entry.Require("name");
    entry.Read("name", fact.name);
    entry.Read("keep", fact.keep);
    facts.store.push_back(std::move(fact));
    return entry.status();
  });
  if (Status good = fields.status(); !good) return good.error();
  return facts;
}

std::string HeritageLink(ServiceId id) { return "link/" + std::to_string(id); }
std::string HeritageKept(ServiceId id) { return "kept/" + std::to_string(id) + "/"; }
std::string HeritageConfig(ServiceId id) { return "config/" + std::to_string(id) + "/"; }
std::string HeritageStore(std::size_t place) { return "store/" + std::to_string(place); }

}  // namespace slc
