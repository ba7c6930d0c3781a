// Profiles that slcd keeps: made, listed, downloaded and removed over HTTP, as StrongLoop's client
// does it. One is whole, or it is said why not and there is no file, whoever is killed when.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

constexpr const char* kApp = R"(
const http = require('http');
const leaked = [];
class Leaked { constructor(id) { this.id = id; } }
http.createServer((request, response) => {
  const match = /leak=(\d+)/.exec(request.url);
  for (let i = 0; match && i < Number(match[1]); i++) leaked.push(new Leaked(i));
  response.end(String(process.pid));
}).listen(process.env.PORT);
)";
constexpr const char* kLargeHeap = "/?leak=400000";

struct Answered {
  int status = 0;  // 0: no answer
  std::string body;
  json value() const { return json::parse(body, nullptr, false); }
};

// A service with one worker, and a gateway before it.
class Watched {
 public:
  explicit Watched(World& world) : world_(world) {
    app = world.StartPath(world.MakeFolder("web", {{"server.js", kApp}}), {"--size", "1"});
    world.Must({"gateway", "start", "--listen", "127.0.0.1:" + std::to_string(port_)});
  }

  Answered Ask(const std::string& method, const std::string& path, const Words& more = {}) {
    Words words{"curl", "-sS", "--max-time",     "40",        "-X",
                method, "-w",  "\n%{http_code}", url() + path};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = world_.BeginProgram(words).Wait();
    const std::size_t end = ran.out.rfind('\n');
    if (end == std::string::npos) return {};
    return {std::atoi(ran.out.c_str() + end + 1), ran.out.substr(0, end)};
  }
  json Value(const std::string& method, const std::string& path) {
    const Answered answered = Ask(method, path);
    CHECK_MESSAGE(answered.status == 200, method, " ", path, ": ", answered.body);
    return answered.value();
  }

  json Row() {
    for (const json& row : Value("GET", "/api/ServiceInstances/1/processes")) {
      if (row["workerId"] != 0) return row;
    }
    FAIL("there is no worker");
    return {};
  }
  std::string Process(const std::string& rest) {
    return "/api/ServiceProcesses/" + Row()["id"].dump() + rest;
  }
  static std::string Profile(const json& id, const std::string& rest = {}) {
    return "/api/services/1/profileDatas/" + id.dump() + rest;
  }
  // As the client asks, until it is not 204.
  Answered Download(const json& id) {
    Answered answered;
    WaitUntil(
        [&] {
          answered = Ask("GET", Profile(id, "/download"));
          return answered.status != 204;
        },
        60'000, "the end of the profile");
    return answered;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string folder() const { return world_.home() + "/profiles/1"; }
  // Of data, whole or not.
  std::size_t Files() const {
    if (!std::filesystem::exists(folder())) return 0;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      if (!EndsWith(entry.path().filename().string(), ".json")) ++count;
    }
    return count;
  }

  App app;

 private:
  World& world_;
  const std::uint16_t port_ = FreePort();
};

}  // namespace

TEST_SUITE("profile") {
  TEST_CASE("a worker is profiled, and what it made is kept until it is removed") {
    World world;
    Watched web(world);
    const json begun = web.Value("POST", web.Process("/startCpuProfiling"));
    CHECK(begun["pst"] > 0);
    WaitUntil([&] { return web.Row()["isProfiling"] == true; }, 5'000, "the flag");
    CHECK(web.Ask("POST", web.Process("/startCpuProfiling")).status == 500);
    const json row = web.Row();
    const json made = web.Value("POST", web.Process("/stopCpuProfiling"));
    const json id = made["profileId"];
    CHECK(made["url"] == "/api/Services/1/ProfileDatas/" + id.dump() + "/download");
    const Answered file = web.Download(id);
    CHECK(file.status == 200);
    CHECK(file.value()["nodes"].size() > 0);
    const json told = web.Value("GET", Watched::Profile(id));
    CHECK(told["completed"] == true);
    CHECK(told["type"] == "cpuprofile");
    CHECK(told["targetId"] == row["pid"]);
    CHECK(told["serviceProcessId"] == row["id"]);
    CHECK(web.Row()["isProfiling"] == false);
    CHECK(Contains(web.Ask("GET", Watched::Profile(id, "/download"), {"-i"}).body,
                   "filename=\"profile." + id.dump() + ".cpuprofile\""));
    struct stat info {};
    REQUIRE(::stat((web.folder() + "/" + id.dump() + ".cpuprofile").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    // The same of slc's own API, with a heap snapshot.
    const std::string worker = web.Row()["workerId"].dump();
    const json second =
        web.Value("POST", "/v1/services/web/workers/" + worker + "/heap-snapshot")["profile"];
    CHECK(second["id"] > id);
    CHECK(web.Download(second["id"]).value()["snapshot"]["node_count"] > 1000);
    CHECK(web.Value("GET", "/v1/services/web/profiles").size() == 2);
    CHECK(web.Value("GET", "/v1/services/web/profiles/" + second["id"].dump())["bytes"] ==
          std::filesystem::file_size(web.folder() + "/" + second["id"].dump() + ".heapsnapshot"));
    CHECK(Contains(world.Must({"events", "web"}).out, "heap-snapshot"));
    // And of slc, here and from afar.
    const std::string number = second["id"].dump();
    CHECK(Contains(world.Must({"ctl", "profiles", "web"}).out, number + "   heapsnapshot"));
    CHECK(world.Json({"ctl", "profiles", "web"})["profiles"][0]["id"] == id);
    CHECK(world.Must({"ctl", "profile-get", "web", number}).out ==
          "Profile written to `profile." + number + ".heapsnapshot`, load into Chrome Dev Tools\n");
    world.Must({"ctl", "-C", web.url(), "profile-get", "web", number, "afar"});
    CHECK(ReadText(world.folder() + "/afar") ==
          ReadText(web.folder() + "/" + number + ".heapsnapshot"));
    CHECK(ReadText(world.folder() + "/profile." + number + ".heapsnapshot") ==
          ReadText(world.folder() + "/afar"));
    // What was removed is gone, and its number is not given again.
    CHECK(web.Value("DELETE", "/api/ProfileDatas/" + second["id"].dump()) == json{{"count", 1}});
    CHECK(web.Ask("GET", Watched::Profile(second["id"], "/download")).status == 404);
    CHECK(web.Files() == 1);
    const json third = web.Value("POST", web.Process("/heapSnapshot"));
    CHECK(third["profileId"] > second["id"]);
    CHECK(web.Download(third["profileId"]).status == 200);
    // The profiles of a service go with it.
    world.Must({"ctl", "remove", "web"});
    WaitUntil([&] { return !std::filesystem::exists(web.folder()); }, 10'000,
              "the end of the profiles");
    CHECK(web.Value("GET", "/api/ProfileDatas").empty());
  }

  TEST_CASE("objects are counted, and the debugger is opened") {
    World world;
    Watched web(world);
    CHECK(web.Value("POST", web.Process("/startObjectTracking"))["objects"] > 1000);
    WaitUntil([&] { return web.Row()["isTrackingObjects"] == true; }, 5'000, "the flag");
    REQUIRE(Get(web.app.url("/?leak=500")).status == 200);
    const json grown = web.Value("POST", web.Process("/stopObjectTracking"));
    CHECK(grown["classes"]["Leaked"]["count"] == 500);
    const json opened = web.Value("POST", web.Process("/debugger/start"));
    CHECK(opened["error"].is_null());
    CHECK(opened["port"] > 0);
    CHECK(web.Value("GET", web.Process("/debugger/status"))["port"] == opened["port"]);
    CHECK(web.Row()["debugger"]["running"] == true);
    web.Value("POST", web.Process("/debugger/stop"));
    WaitUntil([&] { return web.Row()["debugger"]["running"] == false; }, 5'000, "its end");
    CHECK(web.Ask("POST", web.Process("/debugger/stop")).status == 500);
    CHECK(web.Value(
              "GET",
              web.Process("/queryCapabilities/watchdog"))["capabilities"]["watchdog"]["status"] ==
          false);
  }

  TEST_CASE("of a worker that is killed in the midst there is a reason, and no file") {
    World world;
    Watched web(world);
    REQUIRE(Get(web.app.url(kLargeHeap), 30'000).status == 200);
    const json row = web.Row();
    const std::string snapshot = web.Process("/heapSnapshot");
    const json id = web.Value("POST", snapshot)["profileId"];
    CHECK(web.Row()["isSnapshotting"] == true);
    // One at a time of each worker.
    const Answered second = web.Ask("POST", snapshot);
    CHECK(second.status == 500);
    CHECK_MESSAGE(Contains(second.body, "is under way"), second.body);
    CHECK(web.Ask("GET", Watched::Profile(id, "/download")).status == 204);
    CHECK(web.Value("GET", Watched::Profile(id))["completed"] == false);
    const int pid = row["pid"];
    Kill(*IdentifyProcess(pid), SIGKILL);
    const Answered failed = web.Download(id);
    CHECK(failed.status == 500);
    CHECK_MESSAGE(Contains(failed.body, "Profiling failed: the worker ended, or gave up"),
                  failed.body);
    CHECK(Contains(web.Value("GET", Watched::Profile(id))["errored"].get<std::string>(), "ended"));
    WaitUntil([&] { return web.Files() == 0; }, 5'000, "the end of the file");
    world.WaitForSuccessor("web", pid, 1);
    CHECK(web.Row()["isSnapshotting"] == false);
    world.ExpectInLog("profile " + id.dump() + " of worker");
  }

  TEST_CASE("after slcd was killed in the midst there is no half file, and the worker serves on") {
    World world;
    Watched web(world);
    REQUIRE(Get(web.app.url(kLargeHeap), 30'000).status == 200);
    const int pid = web.Row()["pid"];
    const json id = web.Value("POST", web.Process("/heapSnapshot"))["profileId"];
    WaitUntil([&] { return web.Files() == 1; }, 20'000, "the file in the making");
    world.KillDaemon();
    world.Must({"ctl", "status"});
    WaitUntil([&] { return web.Files() == 0; }, 20'000, "the end of what was left");
    WaitUntil([&] { return web.Ask("GET", "/healthz").status == 200; }, 20'000, "the gateway");
    const Answered failed = web.Download(id);
    CHECK(failed.status == 500);
    CHECK_MESSAGE(Contains(failed.body, "slcd ended before all of it had come"), failed.body);
    CHECK(web.Row()["pid"] == pid);
    CHECK(Get(web.app.url(), 30'000).status == 200);
    WaitUntil([&] { return web.Ask("POST", web.Process("/heapSnapshot")).status == 200; }, 30'000,
              "the next one");
    CHECK(web.Download(id.get<int>() + 1).status == 200);
    world.ExpectInLog("belongs to no profile that is whole");
  }

  TEST_CASE("the newest twenty of a service are kept") {
    World world;
    Watched web(world);
    const std::string worker = "/v1/services/web/workers/" + web.Row()["workerId"].dump();
    json last;
    for (int i = 0; i < 22; ++i) {
      web.Value("POST", worker + "/cpu-start");
      last = web.Value("POST", worker + "/cpu-stop")["profile"]["id"];
      REQUIRE(web.Download(last).status == 200);
    }
    json kept;
    WaitUntil(
        [&] {
          kept = web.Value("GET", "/v1/services/web/profiles");
          return kept.size() == 20;
        },
        5'000, "twenty profiles");
    CHECK(kept.front()["id"] == 3);
    CHECK(kept.back()["id"] == last);
    CHECK(web.Files() == 20);
    CHECK(web.Ask("GET", Watched::Profile(1)).status == 404);
  }

  TEST_CASE("a heap snapshot is made and read by who may do all") {
    World world;
    Watched web(world);
    const auto as = [&](const char* scope) {
      const Words words{"token", "add", scope, "--scope", scope};
      return Words{"-H", "Authorization: Bearer " + std::string(Trim(world.Must(words).out))};
    };
    const std::string snapshot = web.Process("/heapSnapshot");
    const json id = web.Value("POST", snapshot)["profileId"];
    REQUIRE(web.Download(id).status == 200);
    // From the first token on it is asked who one is.
    const Words operates = as("operate");
    const Words all = as("admin");
    CHECK(web.Ask("POST", snapshot, operates).status == 403);
    const Answered refused = web.Ask("GET", Watched::Profile(id, "/download"), operates);
    CHECK(refused.status == 403);
    CHECK_MESSAGE(Contains(refused.body, "takes the scope 'admin'"), refused.body);
    CHECK(web.Ask("GET", Watched::Profile(id), operates).status == 200);
    CHECK(web.Ask("GET", Watched::Profile(id, "/download"), all).status == 200);
  }
}
