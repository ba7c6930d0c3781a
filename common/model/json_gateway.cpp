#include <nlohmann/json.hpp>

#include "common/base/time.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

json ToJson(const GatewayCredential& credential, Secrets secrets) {
  json scopes = json::array();
  for (const Scope scope : credential.scopes) scopes.push_back(ScopeName(scope));
  json value{{"name", credential.name},
             {"basic", credential.basic},
             {"scopes", std::move(scopes)},
             {"created_ms", credential.created_wall}};
  if (secrets == Secrets::kShown) value["hash"] = credential.hash;
  return value;
}

}  // namespace

json ToJson(const GatewayWish& wish, Secrets secrets) {
  json credentials = json::array();
  for (const GatewayCredential& each : wish.credentials) {
    credentials.push_back(ToJson(each, secrets));
  }
  return json{{"run", wish.run},
              {"listen", wish.listen},
              {"tls_cert", wish.certificate},
              {"tls_key", wish.key},
              {"client_ca", wish.client_ca},
              {"hosts", wish.hosts},
              {"credentials", std::move(credentials)}};
}

json CredentialToJson(const GatewayCredential& credential) {
  return ToJson(credential, Secrets::kShown);
}

Status FromJson(const json& value, GatewayCredential& credential) {
  JsonFields fields(value, "credential");
  fields.Require("name");
  fields.Read("name", credential.name);
  fields.Read("basic", credential.basic);
  fields.Read("hash", credential.hash);
  fields.Read("created_ms", credential.created_wall);
  std::vector<std::string> scopes;
  fields.Read("scopes", scopes);
  for (const std::string& name : scopes) {
    const auto scope = ParseScope(name);
    if (!scope) return scope.error();
    credential.scopes.push_back(*scope);
  }
  if (Status good = fields.status(); !good) return good;
  return CheckCredentialName(credential.name);
}

Status FromJson(const json& value, GatewayWish& wish) {
  JsonFields fields(value, "gateway");
  fields.Read("run", wish.run);
  fields.Read("listen", wish.listen);
  fields.Read("tls_cert", wish.certificate);
  fields.Read("tls_key", wish.key);
  fields.Read("client_ca", wish.client_ca);
  fields.Read("hosts", wish.hosts);
  fields.ReadArray("credentials", [&](const json& element) {
    wish.credentials.emplace_back();
    return FromJson(element, wish.credentials.back());
  });
  return fields.status();
}

json ToJson(const GatewayView& view) {
  json value = ToJson(view.wish, Secrets::kHidden);
  value["state"] = view.state;
  value["pid"] = view.pid;
  value["started"] = view.started_wall > 0 ? FormatIso(view.started_wall) : std::string();
  value["started_ms"] = view.started_wall;
  value["trouble"] = view.trouble;
  return value;
}

Status FromJson(const json& value, GatewayView& view) {
  if (Status good = FromJson(value, view.wish); !good) return good;
  JsonFields fields(value, "gateway");
  fields.Read("state", view.state);
  fields.Read("pid", view.pid);
  fields.Read("started_ms", view.started_wall);
  fields.Read("trouble", view.trouble);
  return fields.status();
}

}  // namespace slc
