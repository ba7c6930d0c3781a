#include <fcntl.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "daemon/gateway/strongloop/mesh_api.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// slcd with two services; remembers what changes it was asked for.
class FakeBackend : public Backend {
 public:
  FakeBackend() {
    ServiceView web;
    web.id = 1;
    web.name = "web";
    web.directory = "/srv/web";
    web.wanted = true;
    web.size = "2";
    web.cluster_size = 2;
    web.environment = {{"FOO", "bar"}};
    ProcessView master;
    master.pid = 100;
    ProcessView worker;
    worker.pid = 101;
    worker.worker = 1;
    worker.started_wall = 5000;
    web.processes = {master, worker};
    web.agent_version = "0.1.0";
    ServiceView bare;
    bare.id = 2;
    bare.name = "bare";
    bare.size = "cpu";
    views = {web, bare};
    Profile profile;
    profile.id = 3;
    profile.service = 1;
    profile.worker = 1;
    profile.pid = 101;
    profile.started = 1000;
    profiles = {profile};
  }

  void Ask(const std::string& principal, RequestBody body, OnReply on_reply) override {
    CHECK(principal == "user ops");
    asked.emplace_back(std::move(body), std::move(on_reply));
  }
  void AnswerAll() {
    while (!asked.empty()) {
      auto [body, on_reply] = std::move(asked.front());
      asked.pop_front();
      if (unreachable) {
        on_reply(Error{ErrorCode::kUnreachable, "slcd has left"});
        continue;
      }
      Reply reply;
      if (std::holds_alternative<ListServices>(body)) {
        reply.data = views;
      } else if (const auto* look = std::get_if<GetStatus>(&body)) {
        std::vector<ServiceView> found;
        for (const ServiceView& view : views) {
          if (std::to_string(view.id) == look->service) found.push_back(view);
        }
        if (found.empty()) reply.error = Error{ErrorCode::kNotFound, "there is no such service"};
        reply.data = found;
      } else if (std::holds_alternative<ListProfiles>(body)) {
        reply.data = profiles;
      } else if (const auto* read = std::get_if<ReadProfile>(&body)) {
        secrets = read->secrets;
        reply.error = Error{ErrorCode::kNotFound, "there is no profile"};
        for (const Profile& profile : profiles) {
          if (profile.id != read->profile) continue;
          reply.error.reset();
          reply.data = ProfileList{profile};
          if (profile.whole()) reply.descriptors.emplace_back(::open("/dev/null", O_RDONLY));
        }
      } else if (std::holds_alternative<DumpLogs>(body) ||
                 std::holds_alternative<ListPackages>(body)) {
        reply.error = refusal;
        if (!refusal) reply.descriptors.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      } else {
        if (const auto* create = std::get_if<CreateService>(&body)) {
          ServiceView view;
          view.id = static_cast<ServiceId>(views.size() + 1);
          view.name = create->name;
          views.push_back(view);
        }
        reply.error = refusal;
        if (const auto* asks = std::get_if<InspectWorker>(&body); asks != nullptr && !refusal) {
          reply.data = InspectionReply{asks->what == Inspection::kDebugStart ? 4711 : 0, {}};
          if (HasResult(asks->what)) reply.descriptors.emplace_back(::open("/dev/null", O_RDONLY));
        }
        if (std::holds_alternative<CaptureProfile>(body)) reply.data = ProfileList{profiles[0]};
        changes.push_back(std::move(body));
      }
      on_reply(std::move(reply));
    }
  }
  void ReadAll(UniqueFd pipe, std::size_t limit, OnText on_text) override {
    CHECK(pipe);
    CHECK(limit >= 1U << 20);
    on_text(output);
  }
  void Deploy(const std::string&, RequestBody, std::vector<UniqueFd>, OnProgress,
              OnReply) override {
    FAIL("deploys nothing");
  }

  std::deque<std::pair<RequestBody, OnReply>> asked;
  std::vector<ServiceView> views;
  std::vector<RequestBody> changes;
  ProfileList profiles;
  bool secrets = false;               // of the last ReadProfile
  std::string output = "one\ntwo\n";  // of slc, in a pipe
  std::optional<Error> refusal;
  bool unreachable = false;
};

struct Answered {
  int status = 0;
  json body;
  std::string file;  // what its body is in
};

struct Api {
  Principal who{"user ops", {Scope::kAdmin}};
  Answered Call(const std::string& method, const std::string& path, const std::string& body = {}) {
    const auto target = http::ParseTarget(path);
    REQUIRE(target);
    int times = 0;
    Answered answered;
    REQUIRE(api.Handle(
        who, method, *target, body,
        [&](const http::Response& response) {
          ++times;
          answered.status = response.status;
          answered.body =
              response.status == 204 ? json() : json::parse(response.body, nullptr, false);
        },
        [&](const http::Response& head, const UniqueFd& file) {
          ++times;
          CHECK(file);
          answered.status = head.status;
          answered.file = head.headers.at(0).value;
        }));
    backend.AnswerAll();
    CHECK(times == 1);
    CHECK_FALSE(answered.body.is_discarded());
    return answered;
  }
  json Get(const std::string& path) {
    const Answered answered = Call("GET", path);
    CHECK_MESSAGE(answered.status == 200, path, " ", answered.body.dump());
    return answered.body;
  }
  template <typename T>
  const T& Last() {
    REQUIRE(!backend.changes.empty());
    const T* body = std::get_if<T>(&backend.changes.back());
    REQUIRE(body != nullptr);
    return *body;
  }

  // The path of the one worker there is.
  std::string Worker() {
    return "/api/ServiceProcesses/" + Get("/api/ServiceProcesses")[1]["id"].dump();
  }

  FakeBackend backend;
  MeshApi api{backend, MeshFacts{"0.1.0", "box", "6.1.0", "x64", 50, 1000, 8701}};
};

TEST_CASE("what the original's client looks at is there, whatever the case of its paths") {
  Api api;
  const json about = api.Get("/api/Api");
  CHECK(about["apiVersion"] == "6.1.0");
  CHECK(about["serverPid"] == 50);
  CHECK(api.Get("/api/Services").size() == 2);
  CHECK(api.Get("/api/services/1")["name"] == "web");
  CHECK(api.Get("/api/Services/1/instances")[0]["setSize"] == 2);
  CHECK(api.Get("/api/Services/1/instances?filter=%7B%22limit%22:1%7D").size() == 1);
  CHECK(api.Get("/api/ServiceInstances/1/processes").size() == 2);
  CHECK(api.Get("/api/ServiceInstances/2/processes").empty());
  CHECK(api.Get("/api/ServiceProcesses").size() == 2);
  const json id = api.Get("/api/ServiceProcesses")[1]["id"];
  CHECK(api.Get("/api/ServiceProcesses/" + id.dump())["pid"] == 101);
  CHECK(api.Get("/api/Services/count") == json{{"count", 2}});
  CHECK(api.Get("/api/Services/count?where=%7B%22name%22:%22web%22%7D") == json{{"count", 1}});
  CHECK(api.Get("/api/Services/3/exists") == json{{"exists", false}});
  CHECK(api.Get("/api/Executors/findOne")["hostname"] == "box");
  CHECK(api.Get("/api/Services/findOne?filter=%7B%22where%22:%7B%22or%22:%5B%7B%22name%22:%22web%22"
                "%7D,%7B%22id%22:%22web%22%7D%5D%7D%7D")["id"] == 1);
}

TEST_CASE("each model is found, counted and asked for by id") {
  Api api;
  for (const char* model :
       {"Services", "ServiceInstances", "ServiceProcesses", "Executors", "ProfileDatas"}) {
    CAPTURE(model);
    const std::string path = std::string("/api/") + model;
    const json rows = api.Get(path);
    CHECK(api.Get(path + "/count") == json{{"count", rows.size()}});
    const std::string id = rows.back()["id"].dump();
    CHECK(api.Get(path + "/" + id) == rows.back());
    CHECK(api.Get(path + "/findOne?filter[where][id]=" + id) == rows.back());
    CHECK(api.Get(path + "/" + id + "/exists") == json{{"exists", true}});
    CHECK(api.Get(path + "/77/exists") == json{{"exists", false}});
    CHECK(api.Call("GET", path + "/77").status == 404);
  }
  CHECK(api.Call("GET", "/api/ServiceInstances/77/processes").body["error"]["message"] ==
        "Unknown \"ServiceInstance\" id \"77\".");
  CHECK(api.Get("/")["started"] == "1970-01-01T00:00:01.000Z");
  CHECK(api.Get("/")["uptime"].is_number());
}

TEST_CASE("packages come by their names, at every level") {
  Api api;
  api.backend.output = R"({"ok":true,"packages":{"name":"web","version":"1.0.0","dependencies":[)"
                       R"({"name":"a","version":"2.0.0","dependencies":[)"
                       R"({"name":"b","version":"3.0.0","deduped":true,"dependencies":[]}]}]}})"
                       "\n";
  const Answered answered = api.Call("POST", "/api/ServiceInstances/1/npmModuleList");
  CHECK(answered.status == 200);
  CHECK(answered.body ==
        json::parse(R"({"name":"web","version":"1.0.0","dependencies":{"a":{"name":"a",
          "version":"2.0.0","dependencies":{"b":{"name":"b","version":"3.0.0",
          "dependencies":{}}}}}})"));
  api.backend.output = R"({"ok":false,"error":{"code":"invalid","message":"has no app"}})";
  const Answered none = api.Call("POST", "/api/ServiceInstances/2/npmModuleList");
  CHECK(none.status == 500);
  CHECK(none.body["error"]["message"] == "has no app");
  api.backend.output = "slc: killed\n";
  CHECK(api.Call("POST", "/api/ServiceInstances/1/npmModuleList").body["error"]["message"] ==
        "slc tells of no packages: slc: killed");
}

TEST_CASE("an instance takes its size, and nothing else") {
  Api api;
  CHECK(api.Call("PUT", "/api/ServiceInstances/1", R"({"cpus":"3","setSize":9})").body["id"] == 1);
  CHECK(api.Last<SetSize>().size == 3);
  api.Call("PUT", "/api/ServiceInstances/1", R"({"cpus":"CPU"})");
  CHECK(api.Last<SetSize>().size == kSizeCpu);
  const std::size_t asked = api.backend.changes.size();
  CHECK(api.Call("PUT", "/api/ServiceInstances/1", R"({"tracingEnabled":false})").status == 200);
  CHECK(api.Call("PUT", "/api/ServiceInstances/1", R"({"tracingEnabled":true})").status == 501);
  CHECK(api.Call("PUT", "/api/ServiceInstances/1", R"({"cpus":"many"})").status == 422);
  CHECK(api.Call("PUT", "/api/ServiceInstances/77", R"({"cpus":"1"})").status == 404);
  CHECK(api.backend.changes.size() == asked);
}

TEST_CASE("actions do what the commands do, for those who may") {
  Api api;
  const auto act = [&](const std::string& request) {
    return api.Call("POST", "/api/ServiceInstances/1/actions", R"({"request":)" + request + "}");
  };
  const Answered stopped = act(R"({"cmd":"soft-stop"})");
  CHECK(stopped.status == 200);
  CHECK(stopped.body["request"] == json{{"cmd", "soft-stop"}, {"serviceId", 1}, {"instanceId", 1}});
  CHECK(stopped.body["result"] == json::object());
  CHECK(stopped.body["serviceInstanceId"] == 1);
  CHECK(api.Last<StopService>().soft);
  act(R"({"cmd":"current","sub":"set-size","size":3})");
  CHECK(api.Last<SetSize>().size == 3);
  act(R"({"cmd":"current","sub":"restart"})");
  CHECK(api.Last<RestartService>().mode == RollMode::kRolling);
  act(R"({"cmd":"env-set","env":{"A":"b"}})");
  CHECK(api.Last<SetEnvironment>().set == Environment{{"A", "b"}});
  CHECK(act(R"({"cmd":"env-get"})").body["result"] == json{{"env", {{"FOO", "bar"}}}});
  CHECK(act(R"({"cmd":"log-dump"})").body["result"]["log"] == "one\ntwo\n");
  const Answered running = act(R"({"cmd":"start"})");
  CHECK(running.status == 500);
  CHECK(running.body["error"]["message"] == "application running, so cannot be started");
  CHECK(act(R"({"cmd":"bogus"})").body["error"]["message"] == "unsupported");
  CHECK(act(R"("start")").status == 500);
  api.who.scopes = {Scope::kRead};
  CHECK(act(R"({"cmd":"env-get"})").status == 200);
  CHECK(act(R"({"cmd":"stop"})").status == 403);
  api.who.scopes = {Scope::kOperate};
  CHECK(act(R"({"cmd":"stop"})").status == 200);
  CHECK(act(R"({"cmd":"env-set","env":{"A":"b"}})").status == 403);
}

TEST_CASE("what no worker can do is refused, of a worker that is there") {
  Api api;
  const std::string worker = api.Worker();
  CHECK(api.Call("POST", worker + "/applyPatch", "[]").status == 501);
  CHECK(api.Call("POST", "/api/ServiceProcesses/77/heapSnapshot").status == 404);
  CHECK(api.Call("POST", "/api/ServiceInstances/1/tracingStart").status == 501);
  // A profile of stalls only is told apart from one of everything.
  const std::string start = worker + "/startCpuProfiling";
  CHECK(api.Call("POST", start, R"({"watchdogTimeout":"12","watchdogStallout":"3"})").status ==
        501);
  CHECK(api.Call("POST", start, R"({"watchdogTimeout":12})").status == 501);
  CHECK(api.backend.changes.empty());
}

TEST_CASE("a worker is profiled, counted and debugged, in the original's words") {
  Api api;
  const std::string worker = api.Worker();
  const auto ask = [&](const std::string& rest, const std::string& body = {}) {
    const Answered answered = api.Call("POST", worker + rest, body);
    CHECK_MESSAGE(answered.status == 200, rest, answered.body.dump());
    return answered.body;
  };
  CHECK(ask("/startCpuProfiling", R"({"watchdogTimeout":0,"watchdogStallout":"0"})") ==
        json{{"pst", 5000}});
  CHECK(api.Last<InspectWorker>().what == Inspection::kCpuStart);
  CHECK(api.Last<InspectWorker>().service == "1");
  CHECK(api.Last<InspectWorker>().worker == 1);
  const json made{{"url", "/api/Services/1/ProfileDatas/3/download"}, {"profileId", 3}};
  CHECK(ask("/stopCpuProfiling") == made);
  CHECK(api.Last<CaptureProfile>().type == ProfileType::kCpu);
  CHECK(ask("/heapSnapshot") == made);
  CHECK(api.Last<CaptureProfile>().type == ProfileType::kHeap);
  CHECK(ask("/debugger/start") == json{{"error", nullptr}, {"port", 4711}, {"pst", 5000}});
  CHECK(ask("/debugger/stop") == json{{"pst", 5000}});
  api.backend.output = std::string("\0\0\0\x02{}", 6) + std::string(4, '\0');
  CHECK(ask("/startObjectTracking") == json::object());
  CHECK(ask("/stopObjectTracking") == json::object());
  api.backend.output = std::string("\0\0\0\x02{}", 6);
  CHECK(api.Call("POST", worker + "/stopObjectTracking").status == 500);
  CHECK(api.Get(worker + "/debugger/status")["running"] == false);
  // What a worker refuses is a failure of the command.
  api.backend.refusal = Error{ErrorCode::kConflict, "it is not being profiled"};
  const Answered refused = api.Call("POST", worker + "/stopCpuProfiling");
  CHECK(refused.status == 500);
  CHECK(refused.body["error"]["message"] == "it is not being profiled");
  api.backend.refusal = Error{ErrorCode::kTimeout, "no answer"};
  CHECK(api.Call("POST", worker + "/stopCpuProfiling").status == 503);
}

TEST_CASE("heap snapshots and the debugger take more than profiles") {
  Api api;
  const std::string worker = api.Worker();
  api.who.scopes = {Scope::kOperate};
  CHECK(api.Call("POST", worker + "/stopCpuProfiling").status == 200);
  CHECK(api.Call("POST", worker + "/heapSnapshot").status == 403);
  CHECK(api.Call("POST", worker + "/debugger/start").status == 403);
  CHECK(api.Call("POST", worker + "/debugger/stop").status == 403);
  api.backend.profiles[0].completed = 2000;
  CHECK(api.Call("GET", "/api/services/1/profileDatas/3/download").status == 200);
  CHECK_FALSE(api.backend.secrets);
  api.who.scopes = {Scope::kRead};
  CHECK(api.Call("POST", worker + "/startCpuProfiling").status == 403);
  CHECK(api.Call("GET", "/api/services/1/profileDatas/3/download").status == 403);
  CHECK(api.Call("DELETE", "/api/ProfileDatas/3").status == 403);
  CHECK(api.Call("GET", "/api/services/1/profileDatas/3").status == 200);
}

TEST_CASE("it is told what can be done with a process") {
  Api api;
  const json all = api.Get(api.Worker() + "/queryCapabilities")["capabilities"];
  CHECK(all["cpuprofile"] == json{{"status", true}, {"reasons", json::array()}});
  CHECK(all["heapsnapshot"]["status"] == true);
  CHECK(all["debugger"]["status"] == true);
  for (const char* none : {"watchdog", "tracing", "patch", "metrics"}) {
    CHECK(all[none]["status"] == false);
    CHECK(all[none]["reasons"].size() == 1);
  }
  CHECK(api.Get(api.Worker() + "/queryCapabilities/debugger,patch")["capabilities"].size() == 2);
  const std::string master =
      "/api/ServiceProcesses/" + api.Get("/api/ServiceProcesses")[0]["id"].dump();
  CHECK(api.Get(master + "/queryCapabilities")["capabilities"]["cpuprofile"]["status"] == false);
}

TEST_CASE("a profile's row is as the original's, and its file comes once it is whole") {
  Api api;
  const std::string path = "/api/Services/1/profileDatas";
  const json row = api.Get(path + "/3");
  CHECK(row == json{{"id", 3},
                    {"serverServiceId", 1},
                    {"instanceId", 1},
                    {"serviceProcessId", (1LL << 32) + 1},
                    {"type", "cpuprofile"},
                    {"targetId", 101},
                    {"startTime", "1970-01-01T00:00:01.000Z"},
                    {"completed", false}});
  CHECK(api.Get(path) == json::array({row}));
  CHECK(api.Get(path + "/count") == json{{"count", 1}});
  CHECK(api.Get("/api/ProfileDatas/findOne?filter[where][completed]=false") == row);
  CHECK(api.Call("GET", path + "/4").status == 404);
  CHECK(api.Call("GET", path + "/4/download").body["error"]["message"] ==
        "Unknown \"ProfileData\" id \"4\".");
  CHECK(api.Call("GET", path + "/abc/download").status == 404);
  CHECK(api.Call("GET", path + "/3/download").status == 204);
  api.backend.profiles[0].completed = 2000;
  const Answered whole = api.Call("GET", "/api/services/1/ProfileDatas/3/download");
  CHECK(whole.status == 200);
  CHECK(whole.file == "attachment; filename=\"profile.3.cpuprofile\"");
  CHECK(api.backend.secrets);
  CHECK(api.Get(path + "/3")["fileName"] == "profile.3.cpuprofile");
  api.backend.profiles[0].completed = 0;
  api.backend.profiles[0].errored = "the worker ended";
  const Answered failed = api.Call("GET", path + "/3/download");
  CHECK(failed.status == 500);
  CHECK(failed.body["error"]["message"] == "Profiling failed: the worker ended");
  CHECK(api.Get(path + "/3")["errored"] == "the worker ended");
}

TEST_CASE("profiles are deleted, by their service or by themselves") {
  Api api;
  CHECK(api.Call("DELETE", "/api/ProfileDatas/4").body == json{{"count", 0}});
  CHECK(api.backend.changes.empty());
  CHECK(api.Call("DELETE", "/api/ProfileDatas/3").body == json{{"count", 1}});
  CHECK(api.Last<RemoveProfile>().profile == 3);
  CHECK(api.Call("DELETE", "/api/Services/1/profileDatas/3").status == 204);
  CHECK(api.Call("DELETE", "/api/Services/1/profileDatas/4").status == 404);
  api.backend.profiles.push_back(api.backend.profiles[0]);
  api.backend.changes.clear();
  CHECK(api.Call("DELETE", "/api/Services/1/profileDatas").status == 204);
  CHECK(api.backend.changes.size() == 2);
}

TEST_CASE("actions name a process by its pid or its WID") {
  Api api;
  const auto act = [&](const std::string& request) {
    return api.Call("POST", "/api/ServiceInstances/1/actions",
                    R"({"request":{"cmd":"current",)" + request + "}}");
  };
  const Answered done = act(R"("sub":"stop-cpu-profiling","target":101)");
  CHECK(done.body["result"]["profileId"] == 3);
  CHECK(act(R"("sub":"dbg-start","target":"1")").body["result"]["port"] == 4711);
  CHECK(api.Last<InspectWorker>().worker == 1);
  CHECK(act(R"("sub":"start-cpu-profiling","target":1,"timeout":5)").status == 501);
  CHECK(act(R"("sub":"heap-snapshot","target":77)").status == 500);
  api.who.scopes = {Scope::kOperate};
  CHECK(act(R"("sub":"heap-snapshot","target":1)").status == 403);
}

TEST_CASE("a rolling restart of what is stopped leaves it stopped") {
  Api api;
  api.backend.views[0].wanted = false;
  const json answer = api.Call("POST", "/api/Services/1/restart", R"({"rolling":true})").body;
  CHECK(answer[0]["response"] == json::object());
  CHECK(api.backend.changes.empty());
}

TEST_CASE("what is not there is told as the original does") {
  Api api;
  CHECK(api.Call("GET", "/api/Services/99").body ==
        json{{"error",
              {{"name", "Error"},
               {"status", 404},
               {"statusCode", 404},
               {"message", "Unknown \"ServerService\" id \"99\"."},
               {"code", "MODEL_NOT_FOUND"}}}});
  CHECK(api.Call("GET", "/api/Services/abc").status == 404);
  const Answered none = api.Call("GET", "/api/Services/findOne?filter[where][name]=no");
  CHECK(none.status == 404);
  CHECK(none.body["error"]["message"] == "Unknown \"ServerService\" id \"undefined\".");
  CHECK(api.Call("GET", "/api/NoSuch").body["error"]["message"] ==
        "There is no method to handle GET /NoSuch");
  CHECK(api.Call("GET", "/api").body["error"]["message"] == "There is no method to handle GET /");
  CHECK(api.Call("GET", "/api/Services?filter=x").status == 400);
  CHECK(api.Call("POST", "/api/Services/1/stop", "{").status == 400);
  CHECK(api.Call("POST", "/api/Services/1/stop", "[]").status == 400);
  const auto other = http::ParseTarget("/healthz");
  CHECK_FALSE(api.api.Handle(
      api.who, "GET", *other, "", [](const http::Response&) { FAIL("answered"); },
      [](const http::Response&, const UniqueFd&) { FAIL("answered"); }));
}

TEST_CASE("commands reach slcd, and are answered with one element for the one instance") {
  Api api;
  json answer = api.Call("POST", "/api/Services/1/stop", R"({"soft":true})").body;
  CHECK(answer[0]["response"] == json::object());
  CHECK(answer[0]["instance"]["id"] == 1);
  CHECK(api.Last<StopService>().soft);
  CHECK(api.Last<StopService>().service == "1");
  answer = api.Call("POST", "/api/Services/1/restart", "{}").body;
  CHECK(answer[0]["response"]["message"] == "re-starting...");
  CHECK(api.Last<RestartService>().mode == RollMode::kRestart);
  api.Call("POST", "/api/Services/1/restart", R"({"soft":true})");
  CHECK(api.Last<RestartService>().mode == RollMode::kRolling);
  answer = api.Call("POST", "/api/Services/1/restart", R"({"rolling":true})").body;
  CHECK(answer[0]["response"] == json::object());
  api.Call("POST", "/api/Services/1/setClusterSize", R"({"size":"3","persist":true})");
  CHECK(api.Last<SetSize>().size == 3);
  api.Call("POST", "/api/Services/1/setClusterSize", R"({"size":4})");
  CHECK(api.Last<SetSize>().size == 4);
  api.Call("POST", "/api/Services/1/setClusterSize", R"({"size":"CPU"})");
  CHECK(api.Last<SetSize>().size == kSizeCpu);
  api.backend.views[0].wanted = false;
  answer = api.Call("POST", "/api/Services/1/start").body;
  CHECK(answer[0]["response"]["message"] == "starting...");
  CHECK(api.Last<RunService>().service == "1");
}

TEST_CASE("what cannot be done is told in the list, with 200") {
  Api api;
  const auto error = [&](const std::string& path, const std::string& body = {}) {
    const Answered answered = api.Call("POST", path, body);
    CHECK(answered.status == 200);
    return answered.body[0]["error"].get<std::string>();
  };
  CHECK(error("/api/Services/1/start") == "application running, so cannot be started");
  CHECK(error("/api/Services/2/start") == "no current application");
  CHECK(error("/api/Services/2/stop") == "no current application to stop");
  CHECK(error("/api/Services/2/restart", "{}") == "no current application");
  CHECK_FALSE(error("/api/Services/1/setClusterSize", R"({"size":"abc"})").empty());
  CHECK(api.backend.changes.empty());
  api.backend.refusal = Error{ErrorCode::kNotReady, "worker 1 exited: exit code 1"};
  CHECK(error("/api/Services/1/restart", "{}") == "worker 1 exited: exit code 1");
}

TEST_CASE("variables are set, and unset by null or nothing") {
  Api api;
  const json answer =
      api.Call("PUT", "/api/Services/1/env/", R"({"A":"b","C":null,"D":"","N":5})").body;
  CHECK(answer == json{{"env", {{"FOO", "bar"}}}});
  CHECK(api.Last<SetEnvironment>().set == Environment{{"A", "b"}, {"N", "5"}});
  CHECK(api.Last<SetEnvironment>().unset == std::vector<std::string>{"C", "D"});
  api.Call("PUT", "/api/Services/1/env/ONE", R"("v")");
  CHECK(api.Last<SetEnvironment>().set == Environment{{"ONE", "v"}});
  api.Call("DELETE", "/api/Services/1/env/ONE");
  CHECK(api.Last<SetEnvironment>().unset == std::vector<std::string>{"ONE"});
  CHECK(api.Call("PUT", "/api/Services/1/env/ONE", "value=v").status == 400);
}

TEST_CASE("services are created and removed") {
  Api api;
  const Answered made = api.Call(
      "POST", "/api/Services", R"({"name":"new","_groups":[{"id":1,"name":"default","scale":1}]})");
  CHECK(made.status == 200);
  CHECK(made.body["name"] == "new");
  const Answered blank = api.Call("POST", "/api/Services", "{}");
  CHECK(blank.status == 422);
  CHECK(blank.body["error"]["name"] == "ValidationError");
  CHECK(blank.body["error"]["details"]["codes"]["name"][0] == "presence");
  CHECK(api.Call("DELETE", "/api/Services/1").body == json{{"count", 1}});
  CHECK(api.Last<RemoveService>().service == "1");
  api.backend.refusal = Error{ErrorCode::kNotFound, "no"};
  CHECK(api.Call("DELETE", "/api/Services/9").body == json{{"count", 0}});
}

TEST_CASE("without slcd the client is told so") {
  Api api;
  api.backend.unreachable = true;
  const Answered answered = api.Call("GET", "/api/Services");
  CHECK(answered.status == 503);
  CHECK(answered.body["error"]["message"] == "slcd has left");
}

}  // namespace
}  // namespace slc::gateway
