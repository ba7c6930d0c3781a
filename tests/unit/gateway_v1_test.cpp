#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "daemon/gateway/v1/api.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// slcd with one service, which answers at once; remembers what it was asked.
class OneService : public Backend {
 public:
  void Ask(const std::string& principal, RequestBody body, OnReply on_reply) override {
    CHECK(principal == who);
    Reply reply;
    reply.error = refusal;
    if (refusal) reply.log_tail = {"last line"};
    ServiceView view;
    view.id = 1;
    view.name = "web";
    view.environment = {{"A", "b"}};
    if (std::holds_alternative<GetInfo>(body)) {
      reply.data = DaemonInfo{};
    } else {
      reply.data = std::vector<ServiceView>{view};
    }
    asked.push_back(std::move(body));
    if (unreachable) return on_reply(Error{ErrorCode::kUnreachable, "slcd has left"});
    on_reply(std::move(reply));
  }
  void ReadAll(UniqueFd, std::size_t, OnText) override { FAIL("reads nothing"); }
  void Deploy(const std::string&, RequestBody, std::vector<UniqueFd>, OnProgress,
              OnReply) override {
    FAIL("deploys nothing");
  }

  std::string who = "token ci";
  std::vector<RequestBody> asked;
  std::optional<Error> refusal;
  bool unreachable = false;
};

struct Answered {
  int status = 0;
  json body;
  std::optional<LineRequest> stream;
  bool control = false;
};

struct Api {
  Answered Call(const std::string& method, const std::string& path, const std::string& body = {}) {
    const auto target = http::ParseTarget(path);
    REQUIRE(target);
    int times = 0;
    Answered answered;
    const bool taken = api.Handle(who, method, *target, body,
                                  {[&](const http::Response& response) {
                                     ++times;
                                     answered.status = response.status;
                                     answered.body = json::parse(response.body, nullptr, false);
                                   },
                                   [&](LineRequest request) {
                                     ++times;
                                     answered.stream = std::move(request);
                                   },
                                   [&] {
                                     ++times;
                                     answered.control = true;
                                   }});
    CHECK(taken);
    CHECK(times == 1);
    return answered;
  }
  template <typename T>
  const T& Last() {
    const T* body = std::get_if<T>(&backend.asked.back());
    REQUIRE(body != nullptr);
    return *body;
  }

  OneService backend;
  V1Api api{backend};
  Principal who{"token ci", {Scope::kAdmin}};
};

}  // namespace

TEST_CASE("v1 shows what slc --json shows") {
  Api api;
  CHECK(api.Call("GET", "/v1/services").body[0]["name"] == "web");
  CHECK(api.Call("GET", "/v1/services/web").body["id"] == 1);
  CHECK(api.Call("GET", "/v1/services/web/environment").body == json{{"A", "b"}});
  CHECK(api.Call("GET", "/v1/daemon").body.contains("pid"));
  CHECK(api.Call("HEAD", "/v1/services").status == 200);
}

TEST_CASE("v1 changes services, and says so as slc --json") {
  Api api;
  const Answered done = api.Call("POST", "/v1/services/web/soft-restart", R"({"parallel":3})");
  CHECK(done.status == 200);
  CHECK(done.body["ok"] == true);
  CHECK(done.body["service"]["name"] == "web");
  CHECK(api.Last<RestartService>().parallel == 3);
  CHECK(api.Last<RestartService>().mode == RollMode::kRolling);
  api.Call("POST", "/v1/services/web/restart");
  CHECK(api.Last<RestartService>().mode == RollMode::kRestart);
  api.Call("POST", "/v1/services/web/stop", R"({"soft":true})");
  CHECK(api.Last<StopService>().soft);
  api.Call("POST", "/v1/services/web/start");
  CHECK(api.Last<RunService>().service == "web");
  api.Call("PUT", "/v1/services/web/size", R"({"size":4})");
  CHECK(api.Last<SetSize>().size == 4);
  api.Call("PUT", "/v1/services/web/size", R"({"size":"cpu"})");
  CHECK(api.Last<SetSize>().size == kSizeCpu);
  api.Call("PATCH", "/v1/services/web/environment",
           R"({"set":{"A":"1"},"unset":["B"],"restart":false})");
  CHECK(api.Last<SetEnvironment>().set == Environment{{"A", "1"}});
  CHECK(api.Last<SetEnvironment>().unset == std::vector<std::string>{"B"});
  CHECK_FALSE(api.Last<SetEnvironment>().restart);
  api.Call("POST", "/v1/services", R"({"name":"new","size":"2"})");
  CHECK(api.Last<CreateService>().name == "new");
  CHECK(api.Last<CreateService>().size == 2);
  api.Call("DELETE", "/v1/services/web");
  CHECK(api.Last<RemoveService>().service == "web");
  api.Call("POST", "/v1/shutdown");
  CHECK(std::holds_alternative<Shutdown>(api.backend.asked.back()));
}

TEST_CASE("v1 passes over nothing it does not understand") {
  Api api;
  const auto status = [&](const std::string& method, const std::string& path,
                          const std::string& body = {}) {
    return api.Call(method, path, body).status;
  };
  CHECK(status("PUT", "/v1/services/web/size", R"({"siz":4})") == 400);
  CHECK(status("PUT", "/v1/services/web/size", "{}") == 422);
  CHECK(status("PUT", "/v1/services/web/size", R"({"size":"many"})") >= 400);
  CHECK(status("PUT", "/v1/services/web/size", "[]") == 400);
  CHECK(status("PUT", "/v1/services/web/size", "{") == 400);
  CHECK(status("POST", "/v1/services/web/soft-restart", R"({"parallel":0})") >= 400);
  CHECK(status("POST", "/v1/services", R"({"size":1})") >= 400);
  CHECK(status("GET", "/v1/services?x=1") == 400);
  CHECK(status("GET", "/v1/services/web/logs?lines=many") == 400);
  CHECK(status("GET", "/v1/nothing") == 404);
  CHECK(status("PUT", "/v1/services") == 405);
  CHECK(api.backend.asked.size() == 1);  // for the logs it looked whether there is such a service
}

TEST_CASE("v1 tells what slcd refuses, with a status and the last lines of the log") {
  Api api;
  for (const auto& [code, status] :
       std::vector<std::pair<ErrorCode, int>>{{ErrorCode::kNotFound, 404},
                                              {ErrorCode::kConflict, 409},
                                              {ErrorCode::kInvalid, 422},
                                              {ErrorCode::kNotReady, 500},
                                              {ErrorCode::kStorage, 507}}) {
    api.backend.refusal = Error{code, "because"};
    const Answered answered = api.Call("POST", "/v1/services/web/restart");
    CHECK(answered.status == status);
    CHECK(answered.body["ok"] == false);
    CHECK(answered.body["error"]["code"] == ErrorCodeName(code));
    CHECK(answered.body["error"]["message"] == "because");
    CHECK(answered.body["log_tail"][0] == "last line");
  }
  api.backend.refusal.reset();
  api.backend.unreachable = true;
  CHECK(api.Call("GET", "/v1/services").status == 503);
}

TEST_CASE("v1 hands on what slc itself says, as it is") {
  Api api;
  CHECK(api.Call("POST", "/v1/control", "{\"v\":99").control);
  CHECK(api.Call("GET", "/v1/control").status == 405);
  api.who.scopes.clear();
  CHECK(api.Call("POST", "/v1/control", "{}").status == 403);
  CHECK(api.backend.asked.empty());
}

TEST_CASE("v1 asks for the scope of each route") {
  Api api;
  const auto allowed = [&](std::vector<Scope> scopes, const std::string& method,
                           const std::string& path, const std::string& body = {}) {
    api.who.scopes = std::move(scopes);
    return api.Call(method, path, body).status != 403;
  };
  CHECK(allowed({Scope::kRead}, "GET", "/v1/services"));
  CHECK_FALSE(allowed({}, "GET", "/v1/services"));
  CHECK_FALSE(allowed({Scope::kRead}, "POST", "/v1/services/web/restart"));
  CHECK(allowed({Scope::kOperate}, "POST", "/v1/services/web/restart"));
  CHECK_FALSE(allowed({Scope::kOperate}, "PATCH", "/v1/services/web/environment", "{}"));
  CHECK(allowed({Scope::kDeploy}, "PATCH", "/v1/services/web/environment", "{}"));
  CHECK_FALSE(allowed({Scope::kDeploy, Scope::kOperate}, "DELETE", "/v1/services/web"));
  CHECK_FALSE(allowed({Scope::kDeploy}, "POST", "/v1/shutdown"));
}

TEST_CASE("v1 streams logs and events; who begins with what comes may share") {
  Api api;
  const auto stream = [&](const std::string& path) {
    const Answered answered = api.Call("GET", path);
    REQUIRE(answered.stream);
    return *answered.stream;
  };
  const LineRequest some = stream("/v1/services/1/logs?lines=5&grep=a&err=true");
  const auto& logs = std::get<ReadLogs>(some.body);
  CHECK(logs.service == "web");
  CHECK(logs.last == 5U);
  CHECK(logs.grep == "a");
  CHECK(logs.errors_only);
  CHECK_FALSE(some.follow);
  CHECK(some.shared.empty());
  CHECK(stream("/v1/services/web/logs?follow&lines=0").shared == "logs web");
  CHECK(stream("/v1/services/web/logs?follow=1&lines=0&err").shared == "logs err web");
  CHECK(stream("/v1/services/web/logs?follow=true").shared.empty());
  CHECK(stream("/v1/logs?follow&lines=0&grep=x").shared.empty());
  CHECK(stream("/v1/events?follow&lines=0").shared == "events ");
  CHECK(std::get<ReadEvents>(stream("/v1/services/web/events").body).service == "web");
}

TEST_CASE("the OpenAPI document has each route, and no other") {
  Api api;
  const json document = json::parse(api.api.OpenApi());
  CHECK(document["openapi"] == "3.0.3");
  std::size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      ++operations;
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(c & ~0x20);
      std::string real = path;
      const std::size_t at = real.find("{service}");
      if (at != std::string::npos) real.replace(at, 9, "web");
      CHECK_FALSE(operation["summary"].get<std::string>().empty());
      const Answered answered = api.Call(upper, real);
      CHECK_MESSAGE((answered.stream || answered.control ||
                     (answered.status != 404 && answered.status != 405)),
                    upper, " ", real);
      // What is said of the body is understood: a member that is not is told apart.
      for (const json& parameter : operation.value("parameters", json::array())) {
        if (parameter["in"] != "query") continue;
        const std::string name = parameter["name"];
        const Answered with = api.Call(upper, real + "?" + name + "=1");
        CHECK_MESSAGE(with.status != 400, name);
      }
    }
  }
  CHECK(operations == 19);
}

}  // namespace slc::gateway
