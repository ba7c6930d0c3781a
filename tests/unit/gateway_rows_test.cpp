#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "daemon/gateway/strongloop/rows.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

ServiceView Web() {
  ServiceView view;
  view.id = 3;
  view.name = "web";
  view.directory = "/srv/web";
  view.wanted = true;
  view.size = "cpu";
  view.cluster_size = 2;
  view.generation = 4;
  view.environment = {{"FOO", "bar"}};
  view.agent_version = "1.1.0";
  ProcessView master;
  master.pid = 100;
  master.started_wall = 1'795'367'798'519;
  ProcessView worker;
  worker.pid = 101;
  worker.worker = 7;
  worker.restarts = 2;
  worker.listening = {"0.0.0.0:3001", "[::1]:80"};
  ProcessView unborn;
  unborn.worker = 8;
  view.processes = {master, worker, unborn};
  return view;
}

const MeshFacts kFacts{"0.1.0", "box", "6.1.0", "x64", 50, 8701};

TEST_CASE("rows hold what the original's client cannot do without") {
  const ServiceView web = Web();
  const json service = ServiceRow(web);
  CHECK(service["id"] == 3);
  CHECK(service["name"] == "web");
  CHECK(service["env"] == json{{"FOO", "bar"}});
  CHECK(service["_groups"][0] == json{{"id", 1}, {"name", "default"}, {"scale", 1}});
  CHECK(service["deploymentInfo"]["dir"] == "/srv/web");

  const json instance = InstanceRow(web, kFacts);
  CHECK(instance["id"] == 3);
  CHECK(instance["executorId"] == 1);
  CHECK(instance["serverServiceId"] == 3);
  CHECK(instance["setSize"] == 2);
  CHECK(instance["cpus"] == "CPU");
  CHECK(instance["started"] == true);
  CHECK(instance["restartCount"] == 2);
  // Without it the client shows neither the instance nor its processes.
  CHECK(instance["containerVersionInfo"]["container"]["version"] == "0.1.0");
  CHECK(instance["startTime"] == "2026-11-22T17:16:38.519Z");

  const auto processes = ProcessRows(web, kFacts);
  REQUIRE(processes.size() == 2);
  CHECK(processes[0]["workerId"] == 0);
  CHECK(processes[0]["parentPid"] == 50);
  CHECK(processes[0]["listeningSockets"] == json::array());
  CHECK(processes[1]["pid"] == 101);
  CHECK(processes[1]["parentPid"] == 100);
  CHECK(processes[1]["serviceInstanceId"] == 3);
  CHECK(processes[1]["stopReason"] == "");
  CHECK(processes[1]["isProfiling"] == false);
  CHECK(processes[1]["debugger"] == json{{"running", false}, {"port", nullptr}});
  ServiceView looked = web;
  looked.processes[1].inspection = {5, 6, 45401, {}};
  const auto row = ProcessRows(looked, kFacts)[1];
  CHECK(row["isProfiling"] == true);
  CHECK(row["isTrackingObjects"] == true);
  CHECK(row["debugger"] == json{{"running", true}, {"port", 45401}});
  CHECK(processes[1]["stopTime"].is_null());
  CHECK(processes[1]["listeningSockets"][0] ==
        json{{"addressType", 4}, {"address", nullptr}, {"port", 3001}});
  CHECK(ProcessOfRowId(processes[1]["id"]) == std::pair<ServiceId, WorkerId>(3, 7));
  CHECK(ProcessOfRowId(processes[0]["id"]) == std::pair<ServiceId, WorkerId>(3, 0));
  CHECK_FALSE(ProcessOfRowId(25));
  CHECK_FALSE(ProcessOfRowId(-1));
}

TEST_CASE("a service that was only created has an instance that never ran") {
  ServiceView view;
  view.id = 1;
  view.name = "new";
  view.size = "2";
  view.cluster_size = 2;
  CHECK_FALSE(ServiceRow(view).contains("deploymentInfo"));
  CHECK(InstanceRow(view, kFacts) == json{{"id", 1},
                                          {"executorId", 1},
                                          {"serverServiceId", 1},
                                          {"groupId", 1},
                                          {"started", false},
                                          {"setSize", 0},
                                          {"cpus", "2"},
                                          {"tracingEnabled", false}});
  CHECK(ProcessRows(view, kFacts).empty());
}

TEST_CASE("addresses become sockets of a row, each an object") {
  CHECK(ListeningSocket("127.0.0.1:80") ==
        json{{"addressType", 4}, {"address", "127.0.0.1"}, {"port", 80}});
  CHECK(ListeningSocket("[::1]:80") == json{{"addressType", 6}, {"address", "::1"}, {"port", 80}});
  CHECK(ListeningSocket("/run/a:1") ==
        json{{"addressType", -1}, {"address", "/run/a:1"}, {"port", -1}});
  CHECK(ListeningSocket("") == json{{"addressType", -1}, {"address", ""}, {"port", -1}});
}

}  // namespace
}  // namespace slc::gateway
