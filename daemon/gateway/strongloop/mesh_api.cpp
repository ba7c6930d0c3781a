#include "daemon/gateway/strongloop/mesh_api.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/json_fields.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/strongloop/filter.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// A dump is 1 MiB at most, before each line got its time and worker.
constexpr std::size_t kMostLogBytes = 8U << 20;
// Some 100,000 packages.
constexpr std::size_t kMostModuleBytes = 8U << 20;

http::Response Answer(const json& body, int status = 200) {
  http::Response response;
  response.status = status;
  response.body = DumpJson(body);
  return response;
}

// As LoopBack's error handler writes them: the client prints the message, and creates what is
// missing only if the status is 404.
http::Response Failure(int status, const std::string& message, const char* code = nullptr,
                       const char* name = "Error") {
  json error{{"name", name}, {"status", status}, {"statusCode", status}, {"message", message}};
  if (code != nullptr) error["code"] = code;
  return Answer(json{{"error", std::move(error)}}, status);
}

http::Response Unknown(const char* model, const std::string& id) {
  return Failure(404, std::string("Unknown \"") + model + "\" id \"" + Printable(id) + "\".",
                 "MODEL_NOT_FOUND");
}

// What slcd has refused.
http::Response Refused(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return Failure(404, error.message, "MODEL_NOT_FOUND");
    case ErrorCode::kUsage:
    case ErrorCode::kInvalid:
      return Failure(422, error.message);
    case ErrorCode::kConflict:
      return Failure(409, error.message);
    case ErrorCode::kPermission:
      return Failure(403, error.message);
    case ErrorCode::kUnreachable:
    case ErrorCode::kTimeout:
      return Failure(503, error.message);
    default:
      return Failure(500, error.message);
  }
}

http::Response Forbidden(const std::string& principal, Scope scope) {
  return Failure(403, Printable(principal) + " may not do this; it takes the scope '" +
                          ScopeName(scope) + "': slc token add NAME --scope " + ScopeName(scope));
}

std::optional<std::int64_t> Number(const std::string& text) {
  return ParseInteger(text, 0, std::numeric_limits<std::int64_t>::max());
}

bool HasApp(const ServiceView& view) { return !view.directory.empty(); }

// A member of a body, as a text: a number that clients send as one or as a text.
std::string TextOf(const json& body, const char* member) {
  const auto found = body.find(member);
  if (found == body.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : DumpJson(*found);
}

bool IsSet(const json& body, const char* member) {
  const auto found = body.find(member);
  return found != body.end() && *found == true;
}

// As `slc ctl npmls` tells of them, in the form of npm: by their names.
json ModuleOf(const json& package) {
  json dependencies = json::object();
  for (const json& each : package["dependencies"]) {
    dependencies[each["name"].get<std::string>()] = ModuleOf(each);
  }
  return json{{"name", package["name"]},
              {"version", package["version"]},
              {"dependencies", std::move(dependencies)}};
}

Result<json> ModulesOf(const std::string& line) {
  // It comes from slc, and is as deep as packages need each other: ParseJson stops at 64.
  const json told = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (told.is_object() && told.contains("packages")) return ModuleOf(told["packages"]);
  const bool failed = told.is_object() && told.contains("error") && told["error"].is_object();
  if (failed) return Error{ErrorCode::kInternal, TextOf(told["error"], "message")};
  return Error{ErrorCode::kInternal,
               "slc tells of no packages: " + Printable(Trim(line.substr(0, 200)))};
}

}  // namespace

// A request and how it is answered.
struct MeshApi::Call {
  std::string principal;
  std::vector<Scope> scopes;
  Model model = Model::kServices;
  std::string method;
  http::Target target;
  http::RouteParameters parameters;
  json body;  // an object, if there is none an empty one, unless the route says otherwise
  Respond respond;

  const std::string& id() const { return parameters.at("id"); }
};

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
  const auto process = [&](const char* rest, Handler handler) {
    Add(kScopeOf<InspectWorker>, "POST", processes + "/{id}" + rest, handler, Model::kProcesses);
  };
  process("/applyPatch", &MeshApi::RefusePatch);
  process("/debugger/start", &MeshApi::RefuseDebugger);
  process("/debugger/stop", &MeshApi::RefuseDebugger);
  for (const char* rest : {"/startCpuProfiling", "/stopCpuProfiling", "/heapSnapshot",
                           "/startObjectTracking", "/stopObjectTracking"}) {
    process(rest, &MeshApi::RefuseOfWorker);
  }
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
                     const std::string& body, Respond respond) {
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
  Call call{
      who.name,       who.scopes,        route.model, method, target, std::move(match.parameters),
      json::object(), std::move(respond)};
  if (!body.empty()) {
    auto parsed = ParseJson(body);
    if (!parsed) {
      call.respond(Failure(400, "the body is not JSON", nullptr, "SyntaxError"));
      return true;
    }
    call.body = std::move(*parsed);
    const bool any =
        route.handler == &MeshApi::PutVariable || route.handler == &MeshApi::RefusePatch;
    if (!any && !call.body.is_object()) {
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

void MeshApi::WithRow(const Call& call, std::function<void(const json& row)> then) {
  WithViews(call, [this, call, then = std::move(then)](const Views& views) {
    const auto id = Number(call.id());
    for (const json& row : RowsOf(call.model, views)) {
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
  WithViews(call,
            [this, call](const Views& views) { AnswerRows(call, RowsOf(call.model, views)); });
}

void MeshApi::FindOne(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    const auto filter = Filter::OfQuery(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const json row = filter->First(RowsOf(call.model, views));
    // sl-deploy creates a service only if this is a 404.
    call.respond(row.is_null() ? Unknown(NameOf(call.model), "undefined") : Answer(row));
  });
}

void MeshApi::Count(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    const auto filter = Filter::OfWhere(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const auto rows = RowsOf(call.model, views);
    const auto count = std::count_if(rows.begin(), rows.end(),
                                     [&](const json& row) { return filter->Matches(row); });
    call.respond(Answer(json{{"count", count}}));
  });
}

void MeshApi::GetById(const Call& call) {
  WithRow(call, [call](const json& row) { call.respond(Answer(row)); });
}

void MeshApi::Exists(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    const auto id = Number(call.id());
    const auto rows = RowsOf(call.model, views);
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

void MeshApi::GroupsOfService(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    AnswerRows(call, ServiceRow(view)["_groups"].get<std::vector<json>>());
  });
}

void MeshApi::InstancesOfService(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    AnswerRows(call, {InstanceRow(view, facts_)});
  });
}

void MeshApi::ProcessesOfInstance(const Call& call) {
  WithService(
      call, [this, call](const ServiceView& view) { AnswerRows(call, ProcessRows(view, facts_)); });
}

void MeshApi::GetEnvironment(const Call& call) {
  WithService(call, [call](const ServiceView& view) {
    call.respond(Answer(json{{"env", ServiceRow(view)["env"]}}));
  });
}

void MeshApi::ListModules(const Call& call) {
  const auto fail = [call](const Error& error) { call.respond(Failure(500, error.message)); };
  WithService(call, [this, call, fail](const ServiceView& view) {
    ListPackages list{std::to_string(view.id)};
    backend_.Ask(call.principal, std::move(list), [this, call, fail](Result<Reply> reply) {
      if (!reply) return fail(reply.error());
      if (reply->error) return fail(*reply->error);
      if (reply->descriptors.empty()) {
        return fail({ErrorCode::kInternal, "slcd sent no list of packages"});
      }
      backend_.ReadAll(std::move(reply->descriptors.front()), kMostModuleBytes,
                       [call, fail](const Result<std::string>& text) {
                         if (!text) return fail(text.error());
                         const auto tree = ModulesOf(*text);
                         if (!tree) return fail(tree.error());
                         call.respond(Answer(*tree));
                       });
    });
  });
}

// ------------------------------------------------------------------------------------------------
// changing

void MeshApi::ShutDown(const Call& call) {
  backend_.Ask(call.principal, Shutdown{}, [call](const Result<Reply>& reply) {
    if (!reply) return call.respond(Refused(reply.error()));
    if (reply->error) return call.respond(Refused(*reply->error));
    call.respond(Answer(json{{"message", "slcd was shut down"}}));
  });
}

void MeshApi::CreateOneService(const Call& call) {
  const std::string name = TextOf(call.body, "name");
  if (name.empty()) {
    json body = json::parse(
        Failure(422,
                "The `ServerService` instance is not valid. Details: `name` can't be blank (value: "
                "undefined).",
                nullptr, "ValidationError")
            .body);
    body["error"]["details"] = json{{"context", "ServerService"},
                                    {"codes", {{"name", {"presence"}}}},
                                    {"messages", {{"name", {"can't be blank"}}}}};
    return call.respond(Answer(body, 422));
  }
  backend_.Ask(call.principal, CreateService{name, kSizeCpu},
               [this, call, name](const Result<Reply>& reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 if (reply->error) return call.respond(Refused(*reply->error));
                 WithViews(call, [call, name](const Views& views) {
                   for (const ServiceView& view : views) {
                     if (view.name == name) return call.respond(Answer(ServiceRow(view)));
                   }
                   call.respond(Failure(500, "the service was removed meanwhile"));
                 });
               });
}

void MeshApi::DeleteService(const Call& call) {
  backend_.Ask(call.principal, RemoveService{call.id()}, [call](const Result<Reply>& reply) {
    if (!reply) return call.respond(Refused(reply.error()));
    const bool unknown = reply->error && reply->error->code == ErrorCode::kNotFound;
    if (reply->error && !unknown) return call.respond(Refused(*reply->error));
    call.respond(Answer(json{{"count", unknown ? 0 : 1}}));
  });
}

void MeshApi::Command(const Call& call, const ServiceView& view, RequestBody body, json response) {
  backend_.Ask(
      call.principal, std::move(body),
      [this, call, id = view.id, response = std::move(response)](const Result<Reply>& reply) {
        const std::optional<Error> failed = !reply ? std::optional(reply.error()) : reply->error;
        // Also a failure is answered with 200: the client looks for it in the list.
        if (failed) {
          return call.respond(
              Answer(json::array({json{{"instance", id}, {"error", failed->message}}})));
        }
        WithService(call, [this, call, response](const ServiceView& now) {
          call.respond(Answer(
              json::array({json{{"instance", InstanceRow(now, facts_)}, {"response", response}}})));
        });
      });
}

void MeshApi::StartOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    const char* error = !HasApp(view) ? "no current application"
                        : view.wanted ? "application running, so cannot be started"
                                      : nullptr;
    if (error != nullptr) {
      return call.respond(Answer(json::array({json{{"instance", view.id}, {"error", error}}})));
    }
    Command(call, view, RunService{std::to_string(view.id)}, json{{"message", "starting..."}});
  });
}

void MeshApi::StopOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      return call.respond(Answer(
          json::array({json{{"instance", view.id}, {"error", "no current application to stop"}}})));
    }
    Command(call, view, StopService{std::to_string(view.id), IsSet(call.body, "soft")},
            json::object());
  });
}

void MeshApi::RestartOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      return call.respond(
          Answer(json::array({json{{"instance", view.id}, {"error", "no current application"}}})));
    }
    // The original's soft restart stopped the whole service first; ours is what its users asked
    // for.
    const bool rolling = IsSet(call.body, "rolling");
    if (rolling && !view.wanted) {
      // There are no workers to replace: it stays stopped.
      return call.respond(Answer(json::array(
          {json{{"instance", InstanceRow(view, facts_)}, {"response", json::object()}}})));
    }
    RestartService restart;
    restart.service = std::to_string(view.id);
    restart.mode = rolling || IsSet(call.body, "soft") ? RollMode::kRolling : RollMode::kRestart;
    Command(call, view, std::move(restart),
            rolling ? json::object() : json{{"message", "re-starting..."}});
  });
}

void MeshApi::SetClusterSize(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    std::string text = TextOf(call.body, "size");
    if (SameLetters(text, "cpu")) text = "cpu";
    const auto size = ParseSize(text);
    if (!size) {
      return call.respond(
          Answer(json::array({json{{"instance", view.id}, {"error", size.error().message}}})));
    }
    Command(call, view, SetSize{std::to_string(view.id), *size},
            json{{"message", "size was changed"}});
  });
}

// The original forgets what it has dumped, and so do we: see `slc ctl log-dump`.
void MeshApi::DumpLog(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      const json nothing{{"log", nullptr}, {"message", "No application running, no log to dump"}};
      return call.respond(Answer(
          json::array({json{{"instance", InstanceRow(view, facts_)}, {"response", nothing}}})));
    }
    const auto fail = [call, id = view.id](const Error& error) {
      call.respond(Answer(json::array({json{{"instance", id}, {"error", error.message}}})));
    };
    const json instance = InstanceRow(view, facts_);
    DumpLogs dump{std::to_string(view.id)};
    backend_.Ask(
        call.principal, std::move(dump), [this, call, fail, instance](Result<Reply> reply) {
          if (!reply) return fail(reply.error());
          if (reply->error) return fail(*reply->error);
          if (reply->descriptors.empty()) return fail({ErrorCode::kInternal, "slcd sent no log"});
          backend_.ReadAll(std::move(reply->descriptors.front()), kMostLogBytes,
                           [call, fail, instance](const Result<std::string>& text) {
                             if (!text) return fail(text.error());
                             call.respond(Answer(json::array(
                                 {json{{"instance", instance}, {"response", {{"log", *text}}}}})));
                           });
        });
  });
}

void MeshApi::ChangeEnvironment(const Call& call, Environment set, std::vector<std::string> unset) {
  WithService(
      call, [this, call, set = std::move(set), unset = std::move(unset)](const ServiceView& view) {
        SetEnvironment change{std::to_string(view.id), set, unset, true};
        backend_.Ask(call.principal, std::move(change), [this, call](const Result<Reply>& reply) {
          if (!reply) return call.respond(Refused(reply.error()));
          if (reply->error) return call.respond(Refused(*reply->error));
          WithService(call, [call](const ServiceView& now) {
            call.respond(Answer(json{{"env", ServiceRow(now)["env"]}}));
          });
        });
      });
}

void MeshApi::PutEnvironment(const Call& call) {
  Environment set;
  std::vector<std::string> unset;
  for (const auto& [name, value] : call.body.items()) {
    std::string text = TextOf(call.body, name.c_str());
    if (text.empty()) {
      unset.push_back(name);
    } else {
      set[name] = std::move(text);
    }
  }
  ChangeEnvironment(call, std::move(set), std::move(unset));
}

void MeshApi::PutVariable(const Call& call) {
  const std::string& name = call.parameters.at("name");
  const json body{{"value", call.body}};
  const std::string text = call.body.is_object() ? "" : TextOf(body, "value");
  if (text.empty()) return ChangeEnvironment(call, {}, {name});
  ChangeEnvironment(call, {{name, text}}, {});
}

void MeshApi::DeleteVariable(const Call& call) {
  ChangeEnvironment(call, {}, {call.parameters.at("name")});
}

// The original takes what it knows and says nothing of the rest.
void MeshApi::ChangeInstance(const Call& call) {
  if (IsSet(call.body, "tracingEnabled")) return RefuseTracing(call);
  const std::string cpus = TextOf(call.body, "cpus");
  if (cpus.empty()) return GetById(call);
  WithService(call, [this, call, cpus](const ServiceView& view) {
    const auto size = ParseSize(SameLetters(cpus, "cpu") ? "cpu" : cpus);
    if (!size) return call.respond(Failure(422, size.error().message));
    SetSize change{std::to_string(view.id), *size};
    backend_.Ask(call.principal, std::move(change), [this, call](const Result<Reply>& reply) {
      if (!reply) return call.respond(Refused(reply.error()));
      if (reply->error) return call.respond(Refused(*reply->error));
      GetById(call);
    });
  });
}

// ------------------------------------------------------------------------------------------------
// as Arc asks: {"request":{"cmd":"start"}}

void MeshApi::DoAction(const Call& call) {
  const auto found = call.body.find("request");
  const json request = found != call.body.end() && found->is_object() ? *found : json::object();
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
  deed.body = action->body.is_object() ? action->body : json::object();
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

// ------------------------------------------------------------------------------------------------
// what there is nothing behind

void MeshApi::RefuseTracing(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501, "workers cannot be traced: that took StrongLoop's own tracer"));
  });
}

void MeshApi::RefusePatch(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501,
                         "code that runs cannot be patched: that took StrongLoop's own agent in "
                         "the worker"));
  });
}

void MeshApi::RefuseOfWorker(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501, "there is nothing in slc's workers yet that does this"));
  });
}

void MeshApi::RefuseDebugger(const Call& call) {
  WithRow(call, [this, call](const json& row) {
    if (row["workerId"] != 0) return RefuseOfWorker(call);
    call.respond(Failure(500, "Cannot debug the supervisor process itself."));
  });
}

}  // namespace slc::gateway
