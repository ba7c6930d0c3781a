#include "daemon/gateway/v1/parameters.h"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "common/model/service.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

struct Described {
  const char* name;
  const char* type;  // a type of JSON Schema
  const char* text;
};

constexpr Described kParameters[] = {
    {"service", "string", "Its name or id."},
    {"worker", "integer", "Its WID."},
    {"profile", "integer", "Its id."},
    {"interval", "integer", "50 to 100000; 1000 if it is not given."},
    {"lines", "integer", "The last so many; 0: only what comes."},
    {"since", "string", "Not older than 10m, 2h, 2026-11-22T17:16 (UTC)."},
    {"grep", "string", "Only lines that match this regular expression."},
    {"err", "boolean", "Only what was written to standard error."},
    {"follow", "boolean", "Goes on with what comes, without end."},
    {"name", "string", "1 to 64 of A-Z a-z 0-9 . _ -"},
    {"size", "string", "Number of workers, 0 to 1024, or cpu."},
    {"soft", "boolean", "Lets requests that are under way end first."},
    {"parallel", "integer", "So many workers at a time."},
    {"set", "object", "Variables and their values."},
    {"unset", "array", "Names of variables."},
    {"restart", "boolean", "false: they count from the next restart on."},
};

bool Has(const std::vector<const char*>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const char* one) { return name == one; });
}

}  // namespace

json DescribeParameter(const std::string& name) {
  const auto found = std::find_if(std::begin(kParameters), std::end(kParameters),
                                  [&](const Described& one) { return name == one.name; });
  json schema{{"type", found->type}, {"description", found->text}};
  if (schema["type"] == "array") schema["items"] = {{"type", "string"}};
  if (schema["type"] == "object") schema["additionalProperties"] = {{"type", "string"}};
  return json{{"description", found->text}, {"schema", std::move(schema)}};
}

std::optional<std::string> UnknownParameter(const http::Target& target,
                                            const std::vector<const char*>& query, const json& body,
                                            const std::vector<const char*>& members) {
  for (const auto& [name, value] : target.query) {
    if (!Has(query, name)) return name;
  }
  for (const auto& [name, value] : body.items()) {
    if (!Has(members, name)) return name;
  }
  return std::nullopt;
}

Result<std::optional<std::uint32_t>> SizeOf(const json& body) {
  const auto found = body.find("size");
  if (found == body.end()) return std::optional<std::uint32_t>();
  const auto size = ParseSize(found->is_string() ? found->get<std::string>() : DumpJson(*found));
  if (!size) return size.error();
  return std::optional<std::uint32_t>(*size);
}

}  // namespace slc::gateway
