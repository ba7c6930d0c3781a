#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
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
    bool of_worker = false;
  };
  const json environment = request.contains("env") ? request["env"] : json::object();
  const json watchdog{{"watchdogTimeout", TextOf(request, "timeout")},
                      {"watchdogStallout", TextOf(request, "stallout")}};
  constexpr Scope kMost = kScopeOf<InspectWorker>;
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
      {"current start-cpu-profiling", Scope::kOperate, &MeshApi::StartCpuProfiling, watchdog, true},
      {"current stop-cpu-profiling", Scope::kOperate, &MeshApi::StopCpuProfiling, {}, true},
      {"current heap-snapshot", kMost, &MeshApi::HeapSnapshot, {}, true},
      {"current start-tracking-objects", Scope::kOperate, &MeshApi::StartObjectTracking, {}, true},
      {"current stop-tracking-objects", Scope::kOperate, &MeshApi::StopObjectTracking, {}, true},
      {"current dbg-start", kMost, &MeshApi::StartDebugger, {}, true},
      {"current dbg-stop", kMost, &MeshApi::StopDebugger, {}, true},
      {"current dbg-status", Scope::kRead, &MeshApi::GetDebugger, {}, true},
      {"current query-capabilities", Scope::kRead, &MeshApi::QueryCapabilities, {}, true},
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
  if (action->of_worker) return DoOfWorker(deed, TextOf(request, "target"), action->handler);
  (this->*action->handler)(deed);
}

void MeshApi::DoOfWorker(const Call& deed, const std::string& target, Handler handler) {
  WithService(deed, [this, deed, target, handler](const ServiceView& view) {
    const auto number = Number(target);
    for (const ProcessView& process : view.processes) {
      const bool meant = number && (process.pid == *number ||
                                    static_cast<std::int64_t>(process.worker) == *number);
      if (!meant || process.pid <= 0) continue;
      Call call = deed;
      call.model = Model::kProcesses;
      call.parameters["id"] = std::to_string(ProcessRowId(view.id, process.worker));
      return (this->*handler)(call);
    }
    deed.respond(Failure(500, "there is no process " + Printable(target)));
  });
}

// What a command has answered, in the form of an action.
http::Response MeshApi::OfAction(const std::string& id, json request,
                                 const http::Response& response) {
  json result = json::parse(response.body);
  if (result.is_object() && result.contains("error") && !result["error"].is_null()) {
    return response;
  }
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
