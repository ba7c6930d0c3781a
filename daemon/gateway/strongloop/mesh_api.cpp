#include "daemon/gateway/strongloop/mesh_api.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/json_fields.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/strongloop/filter.h"
#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

}  // namespace

MeshApi::MeshApi(Backend& backend, MeshFacts facts) : backend_(backend), facts_(std::move(facts)) {
  Add(Scope::kRead, "GET", "/", &MeshApi::GetRoot);
  Add(kScopeOf<GetInfo>, "GET", "/api/Api", &MeshApi::GetApi);
  Add(kScopeOf<Shutdown>, "POST", "/api/Api/shutdown", &MeshApi::ShutDown);

  const std::string services = "/api/Services";
  AddModel(services, Model::kServices);
  Add(kScopeOf<CreateService>, "POST", services, &MeshApi::CreateOneService);
  Add(kScopeOf<RemoveService>, "DELETE", services + "/{id}", &MeshApi::DeleteService);
  Add(Scope::kRead, "GET", services + "/{id}/groups", &MeshApi::GroupsOfService);
  Add(Scope::kRead, "GET", services + "/{id}/instances", &MeshApi::InstancesOfService);
  Add(kScopeOf<RunService>, "POST", services + "/{id}/start", &MeshApi::StartOne);
  Add(kScopeOf<StopService>, "POST", services + "/{id}/stop", &MeshApi::StopOne);
  Add(kScopeOf<RestartService>, "POST", services + "/{id}/restart", &MeshApi::RestartOne);
  Add(kScopeOf<SetSize>, "POST", services + "/{id}/setClusterSize", &MeshApi::SetClusterSize);
  Add(kScopeOf<DumpLogs>, "POST", services + "/{id}/logs", &MeshApi::DumpLog);
  Add(kScopeOf<SetEnvironment>, "PUT", services + "/{id}/env", &MeshApi::PutEnvironment);
  Add(kScopeOf<SetEnvironment>, "PUT", services + "/{id}/env/{name}", &MeshApi::PutVariable);
  Add(kScopeOf<SetEnvironment>, "DELETE", services + "/{id}/env/{name}", &MeshApi::DeleteVariable);

  AddModel("/api/Executors", Model::kExecutors);

  const std::string instances = "/api/ServiceInstances";
  AddModel(instances, Model::kInstances);
  const auto instance = [&](Scope scope, const char* method, const char* rest, Handler handler) {
    Add(scope, method, instances + "/{id}" + rest, handler, Model::kInstances);
  };
  instance(Scope::kOperate, "PUT", "", &MeshApi::ChangeInstance);
  instance(Scope::kRead, "GET", "/processes", &MeshApi::ProcessesOfInstance);
  instance(kScopeOf<ListPackages>, "POST", "/npmModuleList", &MeshApi::ListModules);
  instance(Scope::kRead, "POST", "/actions", &MeshApi::DoAction);
  instance(Scope::kOperate, "POST", "/tracingStart", &MeshApi::RefuseTracing);
  instance(Scope::kOperate, "POST", "/tracingStop", &MeshApi::RefuseTracing);

  const std::string processes = "/api/ServiceProcesses";
  AddModel(processes, Model::kProcesses);
  // Heap snapshots and the debugger are the same kind of request, but take more.
  constexpr Scope kMost = kScopeOf<InspectWorker>;
  const auto process = [&](Scope scope, const char* method, const char* rest, Handler handler) {
    Add(scope, method, processes + "/{id}" + rest, handler, Model::kProcesses);
  };
  process(kMost, "POST", "/applyPatch", &MeshApi::RefusePatch);
  process(Scope::kOperate, "POST", "/startCpuProfiling", &MeshApi::StartCpuProfiling);
  process(Scope::kOperate, "POST", "/stopCpuProfiling", &MeshApi::StopCpuProfiling);
  process(kMost, "POST", "/heapSnapshot", &MeshApi::HeapSnapshot);
  process(Scope::kOperate, "POST", "/startObjectTracking", &MeshApi::StartObjectTracking);
  process(Scope::kOperate, "POST", "/stopObjectTracking", &MeshApi::StopObjectTracking);
  process(kMost, "POST", "/debugger/start", &MeshApi::StartDebugger);
  process(kMost, "POST", "/debugger/stop", &MeshApi::StopDebugger);
  process(Scope::kRead, "GET", "/debugger/status", &MeshApi::GetDebugger);
  process(Scope::kRead, "GET", "/queryCapabilities", &MeshApi::QueryCapabilities);
  process(Scope::kRead, "GET", "/queryCapabilities/{feature}", &MeshApi::QueryCapabilities);

  AddModel("/api/ProfileDatas", Model::kProfiles);
  Add(kScopeOf<RemoveProfile>, "DELETE", "/api/ProfileDatas/{id}", &MeshApi::DeleteProfile,
      Model::kProfiles);
  const std::string profiles = services + "/{id}/profileDatas";
  Add(kScopeOf<ListProfiles>, "GET", profiles, &MeshApi::ProfilesOfService);
  Add(kScopeOf<RemoveProfile>, "DELETE", profiles, &MeshApi::DeleteProfilesOfService);
  Add(kScopeOf<ListProfiles>, "GET", profiles + "/count", &MeshApi::CountProfilesOfService);
  Add(kScopeOf<ListProfiles>, "GET", profiles + "/{profile}", &MeshApi::GetProfile);
  Add(kScopeOf<RemoveProfile>, "DELETE", profiles + "/{profile}", &MeshApi::DeleteProfile);
  // slcd tells if it takes more.
  Add(Scope::kOperate, "GET", profiles + "/{profile}/download", &MeshApi::DownloadProfile);
}

void MeshApi::AddModel(const std::string& path, Model model) {
  Add(Scope::kRead, "GET", path, &MeshApi::Find, model);
  Add(Scope::kRead, "GET", path + "/findOne", &MeshApi::FindOne, model);
  Add(Scope::kRead, "GET", path + "/count", &MeshApi::Count, model);
  Add(Scope::kRead, "GET", path + "/{id}", &MeshApi::GetById, model);
  Add(Scope::kRead, "GET", path + "/{id}/exists", &MeshApi::Exists, model);
}

void MeshApi::Add(Scope scope, const char* method, const std::string& pattern, Handler handler,
                  Model model) {
  router_.Add(method, pattern, Route{handler, scope, model});
}

const char* MeshApi::NameOf(Model model) {
  switch (model) {
    case Model::kServices:
      return "ServerService";
    case Model::kInstances:
      return "ServiceInstance";
    case Model::kProcesses:
      return "ServiceProcess";
    case Model::kProfiles:
      return "ProfileData";
    default:
      return "Executor";
  }
}

std::vector<std::string> MeshApi::Routes() const {
  std::vector<std::string> routes;
  for (const auto& route : router_.routes()) routes.push_back(route.method + " " + route.pattern);
  std::sort(routes.begin(), routes.end());
  return routes;
}

bool MeshApi::Handle(const Principal& who, const std::string& method, const http::Target& target,
                     const std::string& body, Respond respond, Send send) {
  const bool root = target.segments.empty();
  if (!root && !SameLetters(target.segments.front(), "api")) return false;
  auto match = router_.Find(method, target.segments);
  if (match.route == nullptr) {
    std::string path;
    for (std::size_t i = 1; i < target.segments.size(); ++i) path += "/" + target.segments[i];
    if (path.empty()) path = "/";
    respond(Failure(404, "There is no method to handle " + method + " " + Printable(path)));
    return true;
  }
  const Route& route = match.route->handler;
  if (!Grants(who.scopes, route.scope)) {
    respond(Forbidden(who.name, route.scope));
    return true;
  }
  static const auto kNothing = std::make_shared<const json>(json::object());
  Call call{
      who.name, who.scopes,         route.model,    method, target, std::move(match.parameters),
      kNothing, std::move(respond), std::move(send)};
  if (!body.empty()) {
    auto parsed = ParseJson(body);
    if (!parsed) {
      call.respond(Failure(400, "the body is not JSON", nullptr, "SyntaxError"));
      return true;
    }
    call.sent = std::make_shared<const json>(std::move(*parsed));
    const bool any =
        route.handler == &MeshApi::PutVariable || route.handler == &MeshApi::RefusePatch;
    if (!any && !call.body().is_object()) {
      call.respond(Failure(400, "the body is not a JSON object", nullptr, "SyntaxError"));
      return true;
    }
  }
  (this->*route.handler)(call);
  return true;
}

// ------------------------------------------------------------------------------------------------
// looking

std::optional<ServiceId> MeshApi::ServiceOfRow(Model model, const std::string& id) {
  const auto number = Number(id);
  if (!number) return std::nullopt;
  if (model == Model::kProcesses) {
    const auto process = ProcessOfRowId(*number);
    return process ? std::optional(process->first) : std::nullopt;
  }
  if (*number > std::numeric_limits<ServiceId>::max()) return std::nullopt;
  return static_cast<ServiceId>(*number);
}

void MeshApi::WithViews(const Call& call, std::function<void(const Views& views)> then) {
  const auto given = call.parameters.find("id");
  const bool all = given == call.parameters.end() || call.model == Model::kExecutors;
  RequestBody question = ListServices{};
  if (!all) {
    const auto service = ServiceOfRow(call.model, given->second);
    if (!service) return then({});
    question = GetStatus{std::to_string(*service)};
  }
  backend_.Ask(call.principal, std::move(question),
               [call, all, then = std::move(then)](const Result<Reply>& reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 const bool none =
                     !all && reply->error && reply->error->code == ErrorCode::kNotFound;
                 if (reply->error && !none) return call.respond(Refused(*reply->error));
                 const auto* views = std::get_if<Views>(&reply->data);
                 then(views != nullptr && !none ? *views : Views{});
               });
}

void MeshApi::WithService(const Call& call, std::function<void(const ServiceView& view)> then) {
  WithViews(call, [call, then = std::move(then)](const Views& views) {
    const auto id = Number(call.id());
    const auto found = std::find_if(views.begin(), views.end(), [&](const ServiceView& view) {
      return id && static_cast<std::int64_t>(view.id) == *id;
    });
    if (found == views.end()) return call.respond(Unknown(NameOf(call.model), call.id()));
    then(*found);
  });
}

std::vector<json> MeshApi::RowsOf(Model model, const Views& views) const {
  if (model == Model::kExecutors) return {ExecutorRow(facts_)};
  std::vector<json> rows;
  for (const ServiceView& view : views) {
    if (model == Model::kServices) rows.push_back(ServiceRow(view));
    if (model == Model::kInstances) rows.push_back(InstanceRow(view, facts_));
    if (model != Model::kProcesses) continue;
    for (json& row : ProcessRows(view, facts_)) rows.push_back(std::move(row));
  }
  return rows;
}

void MeshApi::WithRows(const Call& call, std::function<void(std::vector<json> rows)> then) {
  if (call.model != Model::kProfiles) {
    return WithViews(call, [this, call, then = std::move(then)](const Views& views) {
      then(RowsOf(call.model, views));
    });
  }
  WithProfiles(call, {}, [then = std::move(then)](const ProfileList& profiles) {
    std::vector<json> rows;
    for (const Profile& profile : profiles) rows.push_back(ProfileRow(profile));
    then(std::move(rows));
  });
}

void MeshApi::WithRow(const Call& call, std::function<void(const json& row)> then) {
  WithRows(call, [call, then = std::move(then)](const std::vector<json>& rows) {
    const auto id = Number(call.id());
    for (const json& row : rows) {
      if (id && row["id"] == *id) return then(row);
    }
    call.respond(Unknown(NameOf(call.model), call.id()));
  });
}

void MeshApi::AnswerRows(const Call& call, std::vector<json> rows) {
  const auto filter = Filter::OfQuery(call.target.query);
  if (!filter) return call.respond(Failure(400, filter.error().message));
  call.respond(Answer(filter->Apply(std::move(rows))));
}

void MeshApi::Find(const Call& call) {
  WithRows(call, [this, call](std::vector<json> rows) { AnswerRows(call, std::move(rows)); });
}

void MeshApi::FindOne(const Call& call) {
  WithRows(call, [call](std::vector<json> rows) {
    const auto filter = Filter::OfQuery(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const json row = filter->First(std::move(rows));
    // sl-deploy creates a service only if this is a 404.
    call.respond(row.is_null() ? Unknown(NameOf(call.model), "undefined") : Answer(row));
  });
}

void MeshApi::Count(const Call& call) {
  WithRows(call, [call](const std::vector<json>& rows) {
    const auto filter = Filter::OfWhere(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const auto count = std::count_if(rows.begin(), rows.end(),
                                     [&](const json& row) { return filter->Matches(row); });
    call.respond(Answer(json{{"count", count}}));
  });
}

void MeshApi::GetById(const Call& call) {
  WithRow(call, [call](const json& row) { call.respond(Answer(row)); });
}

void MeshApi::Exists(const Call& call) {
  WithRows(call, [call](const std::vector<json>& rows) {
    const auto id = Number(call.id());
    const bool exists = std::any_of(rows.begin(), rows.end(),
                                    [&](const json& row) { return id && row["id"] == *id; });
    call.respond(Answer(json{{"exists", exists}}));
  });
}

void MeshApi::GetRoot(const Call& call) {
  const double uptime = static_cast<double>(WallNow() - facts_.started_wall) / 1000;
  call.respond(Answer(json{{"started", FormatIso(facts_.started_wall)}, {"uptime", uptime}}));
}

void MeshApi::GetApi(const Call& call) {
  call.respond(Answer(json{{"version", facts_.version},
                           {"serverPid", facts_.daemon_pid},
                           {"apiPort", facts_.port},
                           {"apiVersion", kMeshApiVersion},
                           {"driverType", "direct-driver"},
                           {"driverStatus", "running"},
                           {"serverName", "slc"}}));
}

}  // namespace slc::gateway
