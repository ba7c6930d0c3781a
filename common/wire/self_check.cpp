#include "common/wire/self_check.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

json ToJson(const ProtocolRange& range) {
  return json{{"newest", range.newest}, {"oldest", range.oldest}};
}

Status FromJson(const json& value, ProtocolRange& range) {
  JsonFields fields(value, "range");
  fields.Require("newest");
  fields.Require("oldest");
  fields.Read("newest", range.newest);
  fields.Read("oldest", range.oldest);
  return fields.status();
}

std::string TextOf(const ProtocolRange& range) {
  if (range.oldest == range.newest) return std::to_string(range.newest);
  return std::to_string(range.oldest) + " to " + std::to_string(range.newest);
}

Status Refuse(const SelfCheck& next, const std::string& what, const std::string& theirs,
              const std::string& ours) {
  return Error{ErrorCode::kProtocol,
               next.program + " " + next.version + " speaks " + what + " " + theirs +
                   ", what runs speaks " + ours +
                   "; install the versions in between one after another, or stop the services and "
                   "slcd (slc ctl shutdown) and start them again"};
}

}  // namespace

SelfCheck DescribeSelf(const std::string& program) {
  const Version& own = OwnVersion();
  return SelfCheck{program, own.text, own.control, own.link, kInheritanceForm};
}

std::string EncodeSelfCheck(const SelfCheck& check) {
  return DumpJson(json{{"program", check.program},
                       {"version", check.version},
                       {"control", ToJson(check.control)},
                       {"link", ToJson(check.link)},
                       {"inheritance", check.inheritance}});
}

Result<SelfCheck> DecodeSelfCheck(const std::string& program, const std::string& text) {
  auto parsed = ParseJson(std::string(Trim(text)));
  if (!parsed) return parsed.error();
  SelfCheck check;
  JsonFields fields(*parsed, "self-check");
  for (const char* name : {"program", "version", "control", "link", "inheritance"}) {
    fields.Require(name);
  }
  fields.Read("program", check.program);
  fields.Read("version", check.version);
  fields.ReadObject("control", [&](const json& value) { return FromJson(value, check.control); });
  fields.ReadObject("link", [&](const json& value) { return FromJson(value, check.link); });
  fields.Read("inheritance", check.inheritance);
  if (Status good = fields.status(); !good) return good.error();
  if (check.program != program) {
    return Error{ErrorCode::kInvalid, "it says that it is '" + check.program + "'"};
  }
  return check;
}

Status CanFollow(const SelfCheck& running, const SelfCheck& next) {
  if (!running.link.Meets(next.link)) {
    return Refuse(next, "link protocol", TextOf(next.link), TextOf(running.link));
  }
  if (running.inheritance != next.inheritance) {
    return Refuse(next, "inheritance form", std::to_string(next.inheritance),
                  std::to_string(running.inheritance));
  }
  return Ok();
}

}  // namespace slc
