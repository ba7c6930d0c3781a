#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/time.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

}  // namespace

// As Arc asks: {"request":{"cmd":"start"}}

void MeshApi::DoAction(const Call& call) {
  const auto found = call.body().find("request");
  const json request = found != call.body().end() && found->is_object() ? *found : json::object();
  std::string name = TextOf(request, "cmd");
  if (name == "current") name += " " + TextOf(request, "sub");
  struct Action {
    const char* name;
    Scope scope;
    Handler handler;
    json body;
  };
  const json environment = request.contains("env") ? request["env"] : json::object();
  const Action actions[] = {
      {"start", kScopeOf<RunService>, &MeshApi::StartOne, {}},
      {"stop", kScopeOf<StopService>, &MeshApi::StopOne, {}},
      {"soft-stop", kScopeOf<StopService>, &MeshApi::StopOne, {{"soft", true}}},
      {"restart", kScopeOf<RestartService>, &MeshApi::RestartOne, {}},
      {"soft-restart", kScopeOf<RestartService>, &MeshApi::RestartOne, {{"soft", true}}},
      {"env-set", kScopeOf<SetEnvironment>, &MeshApi::PutEnvironment, environment},
      {"env-get", kScopeOf<GetStatus>, &MeshApi::GetEnvironment, {}},
      {"log-dump", kScopeOf<DumpLogs>, &MeshApi::DumpLog, {}},
      {"current npm-ls", kScopeOf<ListPackages>, &MeshApi::ListModules, {}},
      {"current set-size", kScopeOf<SetSize>, &MeshApi::SetClusterSize, request},
      {"current restart", kScopeOf<RestartService>, &MeshApi::RestartOne, {{"rolling", true}}},
      {"current stop", kScopeOf<StopService>, &MeshApi::StopOne, {{"soft", true}}},
  };
  const auto* const action = std::find_if(std::begin(actions), std::end(actions),
                                          [&](const Action& one) { return one.name == name; });
  if (action == std::end(actions)) return call.respond(Failure(500, "unsupported"));
  if (!Grants(call.scopes, action->scope))
    return call.respond(Forbidden(call.principal, action->scope));
  Call deed = call;
  deed.sent =
      std::make_shared<const json>(action->body.is_object() ? action->body : json::object());
  deed.respond = [this, call, request](const http::Response& response) {
    call.respond(OfAction(call.id(), request, response));
  };
  (this->*action->handler)(deed);
}

// What a command has answered, in the form of an action.
http::Response MeshApi::OfAction(const std::string& id, json request,
                                 const http::Response& response) {
  json result = json::parse(response.body);
  if (result.is_object() && result.contains("error")) return response;
  if (result.is_array() && !result.empty()) {
    if (result[0].contains("error")) return Failure(500, TextOf(result[0], "error"));
    result = json(result[0]["response"]);
  }
  const std::int64_t instance = Number(id).value_or(0);
  request["serviceId"] = instance;
  request["instanceId"] = instance;
  return Answer(json{{"id", ++actions_},
                     {"serviceInstanceId", instance},
                     {"request", std::move(request)},
                     {"timestamp", FormatIso(WallNow())},
                     {"result", std::move(result)}});
}

}  // namespace slc::gateway
