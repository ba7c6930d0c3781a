#include "daemon/gateway/v1/api.h"

#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/base/version.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/carried.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/v1/call.h"
#include "daemon/gateway/v1/parameters.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

using v1::Answer;
using v1::Failure;

}  // namespace

V1Api::V1Api(Backend& backend) : backend_(backend) {
  const auto add = [this](const char* method, const char* pattern, Route route) {
    router_.Add(method, pattern, std::move(route));
  };
  const std::vector<const char*> log_query{"lines", "since", "grep", "err", "follow"};
  add("GET", "/openapi.json", {&V1Api::GetDocument, Scope::kRead, "This document.", {}, {}});
  add("GET", "/v1/daemon", {&V1Api::GetDaemon, kScopeOf<GetInfo>, "slcd itself.", {}, {}});
  add("GET", "/v1/services",
      {&V1Api::GetServices, kScopeOf<ListServices>, "All services.", {}, {}});
  add("POST", "/v1/services",
      {&V1Api::PostService,
       kScopeOf<CreateService>,
       "Makes a name without an app yet.",
       {},
       {"name", "size"}});
  add("GET", "/v1/services/{service}",
      {&V1Api::GetService, kScopeOf<GetStatus>, "A service, its workers and master.", {}, {}});
  add("DELETE", "/v1/services/{service}",
      {&V1Api::DeleteService, kScopeOf<RemoveService>, "Stops a service and forgets it.", {}, {}});
  add("POST", "/v1/services/{service}/start",
      {&V1Api::PostStart, kScopeOf<RunService>, "Starts a stopped service.", {}, {}});
  add("POST", "/v1/services/{service}/stop",
      {&V1Api::PostStop,
       kScopeOf<StopService>,
       "Stops a service; soft: drains it first.",
       {},
       {"soft"}});
  add("POST", "/v1/services/{service}/restart",
      {&V1Api::PostRestart,
       kScopeOf<RestartService>,
       "Stops all workers, then starts new ones.",
       {},
       {}});
  add("POST", "/v1/services/{service}/soft-restart",
      {&V1Api::PostSoftRestart,
       kScopeOf<RestartService>,
       "Replaces every worker without a failed request.",
       {},
       {"parallel"}});
  add("PUT", "/v1/services/{service}/size",
      {&V1Api::PutSize, kScopeOf<SetSize>, "Changes the number of workers.", {}, {"size"}});
  add("GET", "/v1/services/{service}/environment",
      {&V1Api::GetEnvironment, kScopeOf<GetStatus>, "Its variables, as recorded.", {}, {}});
  add("PATCH", "/v1/services/{service}/environment",
      {&V1Api::PatchEnvironment,
       kScopeOf<SetEnvironment>,
       "Sets and unsets variables; soft-restarts.",
       {},
       {"set", "unset", "restart"}});
  add("GET", "/v1/services/{service}/logs",
      {&V1Api::GetLogs,
       kScopeOf<ReadLogs>,
       "What it has printed, a line of JSON each.",
       log_query,
       {}});
  add("GET", "/v1/services/{service}/events",
      {&V1Api::GetEventsOfService,
       kScopeOf<ReadEvents>,
       "What happened to it.",
       {"lines", "follow"},
       {}});
  add("GET", "/v1/logs",
      {&V1Api::GetAllLogs, kScopeOf<ReadLogs>, "What all services have printed.", log_query, {}});
  add("GET", "/v1/events",
      {&V1Api::GetEvents,
       kScopeOf<ReadEvents>,
       "What happened, and who changed what.",
       {"lines", "follow"},
       {}});
  AddWorkers();
  add("POST", "/v1/shutdown",
      {&V1Api::PostShutdown,
       kScopeOf<Shutdown>,
       "Drains and stops all services, then slcd.",
       {},
       {}});
  // Which request it is decides what it takes.
  add("POST", kCarriedPath,
      {&V1Api::PostControl,
       Scope::kRead,
       "The protocol of slc itself, for slc -C URL.",
       {},
       {},
       true});
}

bool V1Api::Handle(const Principal& who, const std::string& method, const http::Target& target,
                   const std::string& body, Answerer answerer) {
  const auto& segments = target.segments;
  if (segments.empty() || (segments[0] != "v1" && segments[0] != "openapi.json")) return false;
  auto match = router_.Find(method, segments);
  if (match.route == nullptr) {
    http::Response response = Failure(Error{ErrorCode::kNotFound, "there is nothing here"});
    if (!match.allowed.empty()) {
      response = Failure(Error{ErrorCode::kUsage, method + " is not for this path"});
      response.status = 405;
      response.headers.push_back({"allow", Join(match.allowed, ", ")});
    }
    answerer.respond(response);
    return true;
  }
  const Route& route = match.route->handler;
  if (!Grants(who.scopes, route.scope)) {
    answerer.respond(Failure(Error{ErrorCode::kPermission,
                                   Printable(who.name) + " may not do this; it takes the scope '" +
                                       ScopeName(route.scope) + "'"}));
    return true;
  }
  static const auto kNothing = std::make_shared<const json>(json::object());
  Call call{who.name, who.scopes,          target,   std::move(match.parameters),
            kNothing, std::move(answerer), BootNow()};
  if (!body.empty() && !route.control) {
    auto parsed = ParseJson(body);
    if (!parsed || !parsed->is_object()) {
      call.Respond(Failure(Error{ErrorCode::kUsage, "the body is not a JSON object"}));
      return true;
    }
    call.sent = std::make_shared<const json>(std::move(*parsed));
  }
  const auto unknown = UnknownParameter(call.target, route.query, call.body(), route.body);
  if (unknown) {
    call.Respond(
        Failure(Error{ErrorCode::kUsage, "'" + Printable(*unknown) + "' means nothing here"}));
    return true;
  }
  (this->*route.handler)(call);
  return true;
}

// ------------------------------------------------------------------------------------------------
// looking

void V1Api::GetDocument(const Call& call) {
  http::Response response;
  response.type = "application/json";
  response.body = OpenApi();
  call.Respond(response);
}

void V1Api::GetDaemon(const Call& call) {
  backend_.Ask(call.principal, GetInfo{}, [call](const Result<Reply>& reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    const auto* info = std::get_if<DaemonInfo>(&reply->data);
    if (reply->error || info == nullptr) return call.Respond(Failure(*reply));
    call.Respond(Answer(ToJson(*info)));
  });
}

void V1Api::GetServices(const Call& call) {
  backend_.Ask(call.principal, ListServices{}, [call](const Result<Reply>& reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    json list = json::array();
    if (const auto* views = std::get_if<std::vector<ServiceView>>(&reply->data)) {
      for (const ServiceView& view : *views) list.push_back(ToJson(view));
    }
    call.Respond(Answer(list));
  });
}

void V1Api::WithView(const Call& call, std::function<void(const ServiceView& view)> then) {
  backend_.Ask(
      call.principal, GetStatus{call.service()},
      [call, then = std::move(then)](const Result<Reply>& reply) {
        if (!reply) return call.Respond(Failure(reply.error()));
        if (reply->error) return call.Respond(Failure(*reply));
        const auto* views = std::get_if<std::vector<ServiceView>>(&reply->data);
        if (views == nullptr || views->empty()) {
          return call.Respond(Failure(Error{ErrorCode::kInternal, "slcd shows no service"}));
        }
        then(views->front());
      });
}

void V1Api::GetService(const Call& call) {
  WithView(call, [call](const ServiceView& view) { call.Respond(Answer(ToJson(view))); });
}

void V1Api::GetEnvironment(const Call& call) {
  WithView(call, [call](const ServiceView& view) {
    json environment = json::object();
    for (const auto& [name, value] : view.environment) environment[name] = value;
    call.Respond(Answer(environment));
  });
}

void V1Api::StreamLogs(const Call& call, const std::string& service) {
  ReadLogs request;
  request.service = service;
  request.follow = call.Is("follow");
  request.since = call.Text("since");
  request.grep = call.Text("grep");
  request.errors_only = call.Is("err");
  if (!call.TakeNumber("lines", request.last)) return;
  LineRequest lines;
  lines.follow = request.follow;
  const bool from_now = request.last == 0U && request.since.empty() && request.grep.empty();
  if (request.follow && from_now) {
    lines.shared = std::string("logs ") + (request.errors_only ? "err " : "") + service;
  }
  lines.body = std::move(request);
  call.answerer.stream(std::move(lines));
}

void V1Api::StreamEvents(const Call& call, const std::string& service) {
  ReadEvents request;
  request.service = service;
  request.follow = call.Is("follow");
  if (!call.TakeNumber("lines", request.last)) return;
  LineRequest lines;
  lines.follow = request.follow;
  if (request.follow && request.last == 0U) lines.shared = "events " + service;
  lines.body = std::move(request);
  call.answerer.stream(std::move(lines));
}

void V1Api::GetLogs(const Call& call) {
  WithView(call, [this, call](const ServiceView& view) { StreamLogs(call, view.name); });
}

void V1Api::GetAllLogs(const Call& call) { StreamLogs(call, ""); }

void V1Api::GetEventsOfService(const Call& call) {
  WithView(call, [this, call](const ServiceView& view) { StreamEvents(call, view.name); });
}

void V1Api::GetEvents(const Call& call) { StreamEvents(call, ""); }

// ------------------------------------------------------------------------------------------------
// changing

void V1Api::Change(const Call& call, RequestBody body) {
  backend_.Ask(call.principal, std::move(body), [call](const Result<Reply>& reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    json value{{"ok", true}, {"notes", reply->notes}, {"took_ms", BootNow() - call.since}};
    const auto* views = std::get_if<std::vector<ServiceView>>(&reply->data);
    if (views != nullptr && views->size() == 1) value["service"] = ToJson(views->front());
    call.Respond(Answer(value));
  });
}

void V1Api::PostService(const Call& call) {
  CreateService create;
  JsonFields fields(call.body(), "body");
  fields.Require("name");
  fields.Read("name", create.name);
  const auto size = SizeOf(call.body());
  if (Status good = fields.status(); !good) return call.Respond(Failure(good.error()));
  if (!size) return call.Respond(Failure(size.error()));
  create.size = size->value_or(kSizeCpu);
  Change(call, std::move(create));
}

void V1Api::DeleteService(const Call& call) { Change(call, RemoveService{call.service()}); }

void V1Api::PostStart(const Call& call) { Change(call, RunService{call.service()}); }

void V1Api::PostStop(const Call& call) {
  StopService stop{call.service(), false};
  JsonFields fields(call.body(), "body");
  fields.Read("soft", stop.soft);
  if (Status good = fields.status(); !good) return call.Respond(Failure(good.error()));
  Change(call, std::move(stop));
}

void V1Api::PostRestart(const Call& call) {
  Change(call, RestartService{call.service(), RollMode::kRestart, 1});
}

void V1Api::PostSoftRestart(const Call& call) {
  RestartService restart{call.service(), RollMode::kRolling, 1};
  JsonFields fields(call.body(), "body");
  fields.Read("parallel", restart.parallel);
  if (restart.parallel < 1 || restart.parallel > kMostWorkers) {
    fields.Fail("parallel", "a number from 1 to 1024");
  }
  if (Status good = fields.status(); !good) return call.Respond(Failure(good.error()));
  Change(call, std::move(restart));
}

void V1Api::PutSize(const Call& call) {
  const auto size = SizeOf(call.body());
  if (!size) return call.Respond(Failure(size.error()));
  if (!*size) return call.Respond(Failure(Error{ErrorCode::kInvalid, "size is missing"}));
  Change(call, SetSize{call.service(), **size});
}

void V1Api::PatchEnvironment(const Call& call) {
  SetEnvironment change;
  change.service = call.service();
  JsonFields fields(call.body(), "body");
  fields.Read("set", change.set);
  fields.Read("unset", change.unset);
  fields.Read("restart", change.restart);
  if (Status good = fields.status(); !good) return call.Respond(Failure(good.error()));
  Change(call, std::move(change));
}

void V1Api::PostShutdown(const Call& call) { Change(call, Shutdown{}); }

void V1Api::PostControl(const Call& call) { call.answerer.control(); }

// ------------------------------------------------------------------------------------------------
// the document

std::string V1Api::OpenApi() const {
  json paths = json::object();
  for (const auto& route : router_.routes()) {
    const Route& about = route.handler;
    json operation{
        {"summary", about.summary},
        {"security", json::array({json{{"token", json::array()}}, json{{"user", json::array()}}})},
        {"x-scope", ScopeName(about.scope)}};
    json parameters = json::array();
    for (const std::string& segment : route.segments) {
      if (segment.front() != '{') continue;
      const std::string name = segment.substr(1, segment.size() - 2);
      json parameter = DescribeParameter(name);
      parameter["name"] = name;
      parameter["in"] = "path";
      parameter["required"] = true;
      parameters.push_back(std::move(parameter));
    }
    for (const char* name : about.query) {
      json parameter = DescribeParameter(name);
      parameter["name"] = name;
      parameter["in"] = "query";
      parameters.push_back(std::move(parameter));
    }
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (!about.body.empty()) {
      json properties = json::object();
      for (const char* name : about.body) properties[name] = DescribeParameter(name)["schema"];
      operation["requestBody"] = {
          {"content",
           {{"application/json", {{"schema", {{"type", "object"}, {"properties", properties}}}}}}}};
    }
    const bool lines = !about.query.empty();
    if (about.control) {
      operation["requestBody"] = {{"content", {{"application/json", json::object()}}}};
    }
    json content{{"application/json", json::object()}};
    if (lines)
      content = {{"application/x-ndjson", json::object()}, {"text/event-stream", json::object()}};
    if (about.control) content = {{kCarriedType, json::object()}};
    if (about.file) content = {{"application/octet-stream", json::object()}};
    operation["responses"] = {
        {"200", {{"description", "As slc --json prints it."}, {"content", std::move(content)}}},
        {"default",
         {{"description", "Why not."},
          {"content",
           {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Failure"}}}}}}}}}};
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(c | 0x20);
    paths[route.pattern][method] = std::move(operation);
  }
  const json failure{
      {"type", "object"},
      {"properties",
       {{"ok", {{"type", "boolean"}}},
        {"error",
         {{"type", "object"},
          {"properties", {{"code", {{"type", "string"}}}, {"message", {{"type", "string"}}}}}}},
        {"log_tail", {{"type", "array"}, {"items", {{"type", "string"}}}}},
        {"notes", {{"type", "array"}, {"items", {{"type", "string"}}}}}}}};
  const json document{{"openapi", "3.0.3"},
                      {"info", {{"title", "slc"}, {"version", OwnVersion().text}}},
                      {"paths", std::move(paths)},
                      {"components",
                       {{"schemas", {{"Failure", failure}}},
                        {"securitySchemes",
                         {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
                          {"user", {{"type", "http"}, {"scheme", "basic"}}}}}}}};
  return DumpJsonPretty(document) + "\n";
}

}  // namespace slc::gateway
