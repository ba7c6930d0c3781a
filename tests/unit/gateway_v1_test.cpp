#include <fcntl.h>

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
    } else if (std::holds_alternative<ListProfiles>(body) ||
               std::holds_alternative<ReadProfile>(body) ||
               std::holds_alternative<CaptureProfile>(body)) {
      reply.data = ProfileList{profile};
      if (profile.whole()) reply.descriptors.emplace_back(::open("/dev/null", O_RDONLY));
    } else if (const auto* look = std::get_if<InspectWorker>(&body)) {
      reply.data = InspectionReply{4711, {}};
      if (HasResult(look->what)) reply.descriptors.emplace_back(::open("/dev/null", O_RDONLY));
    } else {
      reply.data = std::vector<ServiceView>{view};
    }
    asked.push_back(std::move(body));
    if (unreachable) return on_reply(Error{ErrorCode::kUnreachable, "slcd has left"});
    on_reply(std::move(reply));
  }
  void ReadAll(UniqueFd, std::size_t, OnText on_text) override { on_text(stream); }
  void Deploy(const std::string&, RequestBody, std::vector<UniqueFd>, OnProgress,
              OnReply) override {
    FAIL("deploys nothing");
  }

  OneService() {
    profile.id = 1;
    profile.service = 1;
    profile.worker = 2;
  }

  Profile profile;
  std::string stream = std::string("\0\0\0\x0d{\"objects\":7}", 17) + std::string(4, '\0');
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
  std::string file;  // what its body is in
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
                                   },
                                   [&](const http::Response& head, const UniqueFd& file) {
                                     ++times;
                                     CHECK(file);
                                     answered.status = head.status;
                                     answered.file = head.headers.at(0).value;
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

TEST_CASE("v1 looks into workers") {
  Api api;
  const std::string worker = "/v1/services/web/workers/2/";
  CHECK(api.Call("POST", worker + "cpu-start", R"({"interval":500})").body["ok"] == true);
  CHECK(api.Last<InspectWorker>().what == Inspection::kCpuStart);
  CHECK(api.Last<InspectWorker>().interval == 500);
  CHECK(api.Last<InspectWorker>().service == "web");
  CHECK(api.Last<InspectWorker>().worker == 2);
  CHECK(api.Call("POST", worker + "cpu-start", R"({"interval":5})").status == 422);
  CHECK(api.Call("POST", worker + "cpu-stop").body["profile"]["id"] == 1);
  CHECK(api.Last<CaptureProfile>().type == ProfileType::kCpu);
  CHECK(api.Call("POST", worker + "heap-snapshot").body["profile"]["worker"] == 2);
  CHECK(api.Last<CaptureProfile>().type == ProfileType::kHeap);
  CHECK(api.Call("POST", worker + "dbg-start").body["debugger_port"] == 4711);
  CHECK_FALSE(api.Call("POST", worker + "dbg-stop").body.contains("debugger_port"));
  CHECK(api.Call("POST", worker + "objects-start").body["objects"] == json{{"objects", 7}});
  CHECK(api.Call("POST", worker + "objects-stop").body["ok"] == true);
  api.backend.stream = "xx";
  CHECK(api.Call("POST", worker + "objects-stop").status == 503);
  CHECK(api.Call("POST", "/v1/services/web/workers/first/cpu-start").status == 404);
  api.who.scopes = {Scope::kOperate};
  CHECK(api.Call("POST", worker + "cpu-stop").status == 200);
  CHECK(api.Call("POST", worker + "heap-snapshot").status == 403);
  CHECK(api.Call("POST", worker + "dbg-start").status == 403);
  api.who.scopes = {Scope::kRead};
  CHECK(api.Call("POST", worker + "cpu-start").status == 403);
}

TEST_CASE("v1 lists profiles, brings their files and removes them") {
  Api api;
  const std::string path = "/v1/services/web/profiles";
  CHECK(api.Call("GET", path).body[0]["id"] == 1);
  CHECK(api.Call("GET", path + "/1").body["type"] == "cpuprofile");
  CHECK(api.Call("GET", path + "/2").status == 404);
  CHECK(api.Call("GET", path + "/x").status == 404);
  CHECK(api.Call("GET", path + "/1/download").status == 409);
  api.backend.profile.completed = 2000;
  CHECK(api.Call("GET", path + "/1/download").file ==
        "attachment; filename=\"profile.1.cpuprofile\"");
  CHECK(api.Last<ReadProfile>().secrets);
  api.who.scopes = {Scope::kOperate};
  CHECK(api.Call("GET", path + "/1/download").status == 200);
  CHECK_FALSE(api.Last<ReadProfile>().secrets);
  CHECK(api.Call("DELETE", path + "/1").body["ok"] == true);
  CHECK(api.Last<RemoveProfile>().profile == 1);
  api.backend.profile.completed = 0;
  api.backend.profile.errored = "the worker ended";
  CHECK(api.Call("GET", path + "/1/download").status == 500);
  api.who.scopes = {Scope::kRead};
  CHECK(api.Call("GET", path).status == 200);
  CHECK(api.Call("GET", path + "/1/download").status == 403);
  CHECK(api.Call("DELETE", path + "/1").status == 403);
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
      for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
               {"{service}", "web"}, {"{worker}", "2"}, {"{profile}", "1"}}) {
        const std::size_t at = real.find(name);
        if (at != std::string::npos) real.replace(at, name.size(), value);
      }
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
  CHECK(operations == 30);
}

}  // namespace slc::gateway
