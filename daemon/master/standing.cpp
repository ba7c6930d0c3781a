#include "daemon/master/standing.h"

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

json ToJson(const ProcessIdentity& process) {
  return json{{"pid", process.pid}, {"start", process.start_time}};
}

Status FromJson(const json& value, ProcessIdentity& process) {
  JsonFields fields(value, "process");
  fields.Require("pid");
  fields.Read("pid", process.pid);
  fields.Read("start", process.start_time);
  return fields.status();
}

}  // namespace

std::string EncodeStanding(const MasterStanding& standing) {
  json children = json::array();
  for (const ProcessIdentity& child : standing.daemon.children) children.push_back(ToJson(child));
  return DumpJson(json{{"setup", link::Encode(standing.setup)},
                       {"version", standing.version},
                       {"epoch", standing.daemon.epoch},
                       {"daemon", ToJson(standing.daemon.process)},
                       {"revive", standing.daemon.revive},
                       {"children", std::move(children)}});
}

Result<MasterStanding> DecodeStanding(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error();
  MasterStanding standing;
  std::string setup;
  JsonFields fields(*parsed, "standing");
  fields.Require("setup");
  fields.Require("epoch");
  fields.Read("setup", setup);
  fields.Read("version", standing.version);
  fields.Read("epoch", standing.daemon.epoch);
  fields.ReadObject("daemon",
                    [&](const json& value) { return FromJson(value, standing.daemon.process); });
  fields.Read("revive", standing.daemon.revive);
  fields.ReadArray("children", [&](const json& value) {
    return FromJson(value, standing.daemon.children.emplace_back());
  });
  if (Status good = fields.status(); !good) return good.error();
  auto packet = link::Decode(setup);
  if (!packet) return packet.error();
  const auto* found = std::get_if<link::Setup>(&*packet);
  if (found == nullptr) return Error{ErrorCode::kInvalid, "the standing holds no setup"};
  standing.setup = *found;
  return standing;
}

}  // namespace slc
