#include "daemon/gateway/strongloop/mesh_api.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "daemon/gateway/strongloop/filter.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// A dump is 1 MiB at most, before each line got its time and worker.
constexpr std::size_t kMostLogBytes = 8U << 20;

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

}  // namespace

// A request and how it is answered.
struct MeshApi::Call {
  std::string principal;
  std::string method;
  http::Target target;
  http::RouteParameters parameters;
  json body;  // an object, if there is none an empty one, unless the route says otherwise
  Respond respond;

  const std::string& id() const { return parameters.at("id"); }
};

MeshApi::MeshApi(Backend& backend, MeshFacts facts) : backend_(backend), facts_(std::move(facts)) {
  Add(Scope::kRead, "GET", "/api/Api", &MeshApi::GetApi);
  Add(Scope::kAdmin, "POST", "/api/Api/shutdown", &MeshApi::ShutDown);
  Add(Scope::kRead, "GET", "/api/Services", &MeshApi::FindServices);
  Add(Scope::kDeploy, "POST", "/api/Services", &MeshApi::CreateOneService);
  Add(Scope::kRead, "GET", "/api/Services/findOne", &MeshApi::FindOneService);
  Add(Scope::kRead, "GET", "/api/Services/count", &MeshApi::CountServices);
  Add(Scope::kRead, "GET", "/api/Services/{id}", &MeshApi::GetService);
  Add(Scope::kAdmin, "DELETE", "/api/Services/{id}", &MeshApi::DeleteService);
  Add(Scope::kRead, "GET", "/api/Services/{id}/exists", &MeshApi::ServiceExists);
  Add(Scope::kRead, "GET", "/api/Services/{id}/groups", &MeshApi::GroupsOfService);
  Add(Scope::kRead, "GET", "/api/Services/{id}/instances", &MeshApi::InstancesOfService);
  Add(Scope::kOperate, "POST", "/api/Services/{id}/start", &MeshApi::StartOne);
  Add(Scope::kOperate, "POST", "/api/Services/{id}/stop", &MeshApi::StopOne);
  Add(Scope::kOperate, "POST", "/api/Services/{id}/restart", &MeshApi::RestartOne);
  Add(Scope::kOperate, "POST", "/api/Services/{id}/setClusterSize", &MeshApi::SetClusterSize);
  Add(Scope::kRead, "POST", "/api/Services/{id}/logs", &MeshApi::DumpLog);
  Add(Scope::kDeploy, "PUT", "/api/Services/{id}/env", &MeshApi::PutEnvironment);
  Add(Scope::kDeploy, "PUT", "/api/Services/{id}/env/{name}", &MeshApi::PutVariable);
  Add(Scope::kDeploy, "DELETE", "/api/Services/{id}/env/{name}", &MeshApi::DeleteVariable);
  Add(Scope::kRead, "GET", "/api/Executors", &MeshApi::FindExecutors);
  Add(Scope::kRead, "GET", "/api/Executors/findOne", &MeshApi::FindOneExecutor);
  Add(Scope::kRead, "GET", "/api/ServiceInstances", &MeshApi::FindInstances);
  Add(Scope::kRead, "GET", "/api/ServiceInstances/findOne", &MeshApi::FindOneInstance);
  Add(Scope::kRead, "GET", "/api/ServiceInstances/{id}", &MeshApi::GetInstance);
  Add(Scope::kRead, "GET", "/api/ServiceInstances/{id}/processes", &MeshApi::ProcessesOfInstance);
  Add(Scope::kRead, "GET", "/api/ServiceProcesses", &MeshApi::FindProcesses);
  Add(Scope::kRead, "GET", "/api/ServiceProcesses/{id}", &MeshApi::GetProcess);
}

void MeshApi::Add(Scope scope, const char* method, const char* pattern, Handler handler) {
  router_.Add(method, pattern, Route{handler, scope});
}

std::vector<std::string> MeshApi::Routes() const {
  std::vector<std::string> routes;
  for (const auto& route : router_.routes()) routes.push_back(route.method + " " + route.pattern);
  std::sort(routes.begin(), routes.end());
  return routes;
}

bool MeshApi::Handle(const Principal& who, const std::string& method, const http::Target& target,
                     const std::string& body, Respond respond) {
  if (target.segments.empty() || !SameLetters(target.segments.front(), "api")) {
    return false;
  }
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
    respond(Failure(403, Printable(who.name) + " may not do this; it takes the scope '" +
                             ScopeName(route.scope) + "': slc token add NAME --scope " +
                             ScopeName(route.scope)));
    return true;
  }
  Call call{who.name,          method, target, std::move(match.parameters), json::object(),
            std::move(respond)};
  if (!body.empty()) {
    auto parsed = ParseJson(body);
    if (!parsed) {
      call.respond(Failure(400, "the body is not JSON", nullptr, "SyntaxError"));
      return true;
    }
    call.body = std::move(*parsed);
    const bool any = route.handler == &MeshApi::PutVariable;
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

void MeshApi::WithViews(const Call& call, std::function<void(const Views& views)> then) {
  backend_.Ask(call.principal, ListServices{},
               [call, then = std::move(then)](const Result<Reply>& reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 if (reply->error) return call.respond(Refused(*reply->error));
                 const auto* views = std::get_if<Views>(&reply->data);
                 then(views != nullptr ? *views : Views{});
               });
}

void MeshApi::WithService(const Call& call, std::function<void(const ServiceView& view)> then) {
  WithViews(call, [call, then = std::move(then)](const Views& views) {
    const auto id = Number(call.id());
    const auto found = std::find_if(views.begin(), views.end(), [&](const ServiceView& view) {
      return id && static_cast<std::int64_t>(view.id) == *id;
    });
    if (found == views.end()) return call.respond(Unknown("ServerService", call.id()));
    then(*found);
  });
}

void MeshApi::AnswerRows(const Call& call, std::vector<json> rows) {
  const auto filter = Filter::OfQuery(call.target.query);
  if (!filter) return call.respond(Failure(400, filter.error().message));
  call.respond(Answer(filter->Apply(std::move(rows))));
}

void MeshApi::AnswerFirst(const Call& call, std::vector<json> rows, const char* model) {
  const auto filter = Filter::OfQuery(call.target.query);
  if (!filter) return call.respond(Failure(400, filter.error().message));
  const json row = filter->First(std::move(rows));
  // sl-deploy creates a service only if this is a 404.
  call.respond(row.is_null() ? Unknown(model, "undefined") : Answer(row));
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

void MeshApi::FindServices(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    std::vector<json> rows;
    for (const ServiceView& view : views) rows.push_back(ServiceRow(view));
    AnswerRows(call, std::move(rows));
  });
}

void MeshApi::FindOneService(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    std::vector<json> rows;
    for (const ServiceView& view : views) rows.push_back(ServiceRow(view));
    AnswerFirst(call, std::move(rows), "ServerService");
  });
}

void MeshApi::CountServices(const Call& call) {
  WithViews(call, [call](const Views& views) {
    const auto filter = Filter::OfWhere(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const auto count = std::count_if(views.begin(), views.end(), [&](const ServiceView& view) {
      return filter->Matches(ServiceRow(view));
    });
    call.respond(Answer(json{{"count", count}}));
  });
}

void MeshApi::GetService(const Call& call) {
  WithService(call, [call](const ServiceView& view) { call.respond(Answer(ServiceRow(view))); });
}

void MeshApi::ServiceExists(const Call& call) {
  WithViews(call, [call](const Views& views) {
    const auto id = Number(call.id());
    const bool exists = std::any_of(views.begin(), views.end(), [&](const ServiceView& view) {
      return id && static_cast<std::int64_t>(view.id) == *id;
    });
    call.respond(Answer(json{{"exists", exists}}));
  });
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

void MeshApi::FindExecutors(const Call& call) { AnswerRows(call, {ExecutorRow(facts_)}); }

void MeshApi::FindOneExecutor(const Call& call) {
  AnswerFirst(call, {ExecutorRow(facts_)}, "Executor");
}

void MeshApi::FindInstances(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    std::vector<json> rows;
    for (const ServiceView& view : views) rows.push_back(InstanceRow(view, facts_));
    AnswerRows(call, std::move(rows));
  });
}

void MeshApi::FindOneInstance(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    std::vector<json> rows;
    for (const ServiceView& view : views) rows.push_back(InstanceRow(view, facts_));
    AnswerFirst(call, std::move(rows), "ServiceInstance");
  });
}

void MeshApi::GetInstance(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    for (const ServiceView& view : views) {
      if (Number(call.id()) == static_cast<std::int64_t>(view.id)) {
        return call.respond(Answer(InstanceRow(view, facts_)));
      }
    }
    call.respond(Unknown("ServiceInstance", call.id()));
  });
}

void MeshApi::ProcessesOfInstance(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    for (const ServiceView& view : views) {
      if (Number(call.id()) == static_cast<std::int64_t>(view.id)) {
        return AnswerRows(call, ProcessRows(view, facts_));
      }
    }
    call.respond(Unknown("ServiceInstance", call.id()));
  });
}

void MeshApi::FindProcesses(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    std::vector<json> rows;
    for (const ServiceView& view : views) {
      for (json& row : ProcessRows(view, facts_)) rows.push_back(std::move(row));
    }
    AnswerRows(call, std::move(rows));
  });
}

void MeshApi::GetProcess(const Call& call) {
  WithViews(call, [this, call](const Views& views) {
    const auto id = Number(call.id());
    for (const ServiceView& view : views) {
      for (const json& row : ProcessRows(view, facts_)) {
        if (id && row["id"] == *id) return call.respond(Answer(row));
      }
    }
    call.respond(Unknown("ServiceProcess", call.id()));
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

}  // namespace slc::gateway
