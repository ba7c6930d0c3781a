// slc ctl, the commands that only look: their columns, their JSON, their help.
#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

using Row = std::vector<std::string>;

// The original's table: cells centred, the odd blank on the left, two blanks between columns.
std::string Centred(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t blanks = widths[i] - row[i].size();
      const std::size_t left = (blanks + 1) / 2;
      line += "  " + std::string(left, ' ') + row[i] + std::string(blanks - left, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// Pids of the master and its workers, in order.
std::vector<int> Pids(const ServiceView& view) {
  std::vector<int> pids;
  for (const ProcessView& process : view.processes) pids.push_back(process.pid);
  return pids;
}

// The status of a service in good health, as the mission page shows it.
std::string MissionPage(const std::string& version, const std::string& agent,
                        const std::vector<int>& pids, const std::string& port) {
  std::vector<Row> processes{
      {"ID", "PID", "WID", "Listening Ports", "Tracking objects?", "CPU profiling?"}};
  for (std::size_t i = 0; i < pids.size(); ++i) {
    const std::string pid = std::to_string(pids[i]);
    processes.push_back(
        {"1.1." + pid, pid, std::to_string(i), i == 0 ? "" : "0.0.0.0:" + port, "", ""});
  }
  return "Service ID: 1\n"
         "Service Name: my-app\n"
         "Environment variables:\n"
         "  No environment variables defined\n"
         "Instances:\n" +
         Centred({{"Version", "Agent version", "Cluster size"},
                  {version, agent, std::to_string(pids.size() - 1)}}) +
         "Processes:\n" + Centred(processes);
}

std::string OurVersion(World& world) {
  return std::string(Trim(world.Must({"--version"}).out.substr(std::string("slc ").size())));
}

bool IsOneLine(const std::string& text) {
  return !text.empty() && text.back() == '\n' && text.find('\n') == text.size() - 1;
}

// The words of the row that shows this pid.
std::vector<std::string> RowOf(const std::string& table, int pid) {
  for (const std::string& line : LinesOf(table)) {
    std::vector<std::string> words = Split(line, ' ');
    std::erase(words, "");
    if (words.size() > 1 && words[1] == std::to_string(pid)) return words;
  }
  return {};
}

}  // namespace

TEST_SUITE("ctl-look") {
  TEST_CASE("--wide says how old the data of a silent master is") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    world.ExpectInLog("has taken over");
    world.ExpectInLog("is gone or does not answer; replacing it");
    Kill(*IdentifyProcess(world.MasterPid(app.name)), SIGSTOP);
    // It is asked within 10 s, shown as silent from the first second on, and replaced after two.
    WaitUntil(
        [&] {
          const std::string table = world.Must({"ctl", "status", app.name, "--wide"}).out;
          return Contains(table, "State: the master is silent, as of 1.") &&
                 Contains(table, " s ago\n");
        },
        15'000, "the age of what a silent master last said");
    // A request made now waits for the successor.
    CHECK(Get(app.url()).status == 200);
    world.WaitForState(app.name, "running");
  }

  TEST_CASE(
      "status and ls are those of the mission page, byte for byte but for pids and versions") {
    // This test's own idea of the page first.
    CHECK(MissionPage("4.1.13", "1.5.14", {57692, 57693, 57694, 57695, 57696}, "3001") ==
          "Service ID: 1\n"
          "Service Name: my-app\n"
          "Environment variables:\n"
          "  No environment variables defined\n"
          "Instances:\n"
          "    Version  Agent version  Cluster size\n"
          "     4.1.13      1.5.14           4\n"
          "Processes:\n"
          "        ID      PID   WID  Listening Ports  Tracking objects?  CPU profiling?\n"
          "    1.1.57692  57692   0\n"
          "    1.1.57693  57693   1     0.0.0.0:3001\n"
          "    1.1.57694  57694   2     0.0.0.0:3001\n"
          "    1.1.57695  57695   3     0.0.0.0:3001\n"
          "    1.1.57696  57696   4     0.0.0.0:3001\n");
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "4", "--name", "my-app"});
    const ServiceView view = world.View("my-app");
    const std::string page =
        MissionPage(OurVersion(world), view.agent_version, Pids(view), std::to_string(app.port));
    // A blank line ends each service.
    for (const Words& words :
         {Words{"ctl"}, {"ctl", "status"}, {"ctl", "status", "my-app"}, {"ctl", "status", "1"}}) {
      const Ran ran = world.Must(words);
      CHECK(ran.out == page + "\n");
      CHECK(ran.err == "");
    }
    const Ran list = world.Must({"ctl", "ls"});
    CHECK(list.out ==
          "Id          Name         Scale\n"
          " 1          my-app       1\n");
    CHECK(list.err == "");
  }

  TEST_CASE("several services follow each other, stopped and new ones as the original shows them") {
    World world;
    world.StartApp("plain/server.js", {"--size", "1", "--name", "first", "--env", "A=1", "--env",
                                       "LONG_NAME=two words"});
    world.Must({"ctl", "stop", "first"});
    world.Must({"ctl", "create", "second"});
    const std::string version = OurVersion(world);
    CHECK(world.Must({"ctl"}).out ==
          "Service ID: 1\n"
          "Service Name: first\n"
          "State: stopped\n"
          "Environment variables:\n"
          "    Name       Value\n"
          "    A          1\n"
          "    LONG_NAME  two words\n"
          "Instances:\n" +
              Centred({{"Version", "Agent version", "Cluster size"}, {version, "N/A", "0"}}) +
              "Not started\n"
              "Service ID: 2\n"
              "Service Name: second\n"
              "Environment variables:\n"
              "  No environment variables defined\n"
              "Instances:\n"
              "    Version  Agent version  Cluster size\n"
              "Not started\n");
    CHECK(world.Must({"ctl", "ls"}).out ==
          "Id          Name         Scale\n"
          " 1          first        1\n"
          " 2          second       1\n");
  }

  TEST_CASE("an empty home gives empty answers, and no slcd is started for them") {
    World world;
    CHECK(world.Must({"ctl"}).out == "No services exist\n");
    CHECK(world.Must({"ctl", "ls"}).out == "No services defined\n");
    CHECK(world.Json({"ctl", "status"}) == json::array());
    CHECK(world.Json({"ctl", "ls"}) == json::array());
    CHECK(world.Json({"ctl", "info"}) ==
          json{{"ok", true}, {"running", false}, {"home", world.home()}});
    CHECK(world.Must({"ctl", "shutdown"}).out == "slcd was not running\n");
    CHECK_FALSE(Exists(world.home()));
  }

  TEST_CASE("a worker that starts is shown, but not as serving") {
    World world;
    const std::string folder = world.MakeFolder("slow", {{"app.js",
                                                          "if (process.env.SLC_SLOT === '1') {\n"
                                                          "  setInterval(() => {}, 1e9);\n"
                                                          "} else {\n" +
                                                              std::string(kMirror) + "}\n"}});
    world.StartPath(folder, {"--size", "2", "--no-wait"});
    WaitUntil([&] { return world.ReadyPids("slow").size() == 1; }, 20'000, "the first worker");
    const ServiceView view = world.View("slow");
    const std::string table = world.Must({"ctl", "status", "slow"}).out;
    REQUIRE(view.processes.size() == 3);
    for (const ProcessView& process : view.processes) {
      const auto row = RowOf(table, process.pid);
      INFO(table);
      // ID, PID, WID and, only of who serves, the port.
      CHECK(row.size() == (process.worker != 0 && process.state == "ready" ? 4 : 3));
    }
    CHECK(Contains(table, "State: starting"));
  }

  TEST_CASE("a worker that crashed is gone from the table at once") {
    World world;
    const App app = world.StartApp("express4", {"--size", "2"});
    const auto before = world.ReadyPids(app.name);
    const Response crash = Get(app.url("/crash"));
    const int victim = std::stoi(crash.headers.at("x-pid"));
    WaitUntil([&] { return !IsAlive(victim); }, 10'000, "the worker to crash");
    WaitUntil([&] { return RowOf(world.Must({"ctl"}).out, victim).empty(); }, 5'000,
              "the crashed worker's row to go");
    WaitUntil([&] { return world.ReadyPids(app.name).size() == 2; }, 20'000, "its successor");
    CHECK(world.ReadyPids(app.name) != before);
  }

  TEST_CASE("--wide adds uptime, restarts, CPU, memory, slot, generation, state and reason") {
    World world;
    const App app = world.StartApp("express4", {"--size", "1"});
    const auto header = [&](const Words& words) {
      for (const std::string& line : LinesOf(world.Must(words).out)) {
        if (Contains(line, "Listening Ports")) return line;
      }
      return std::string();
    };
    const std::string wide = header({"ctl", "status", "--wide"});
    CHECK(StartsWith(wide, header({"ctl", "status"})));
    for (const char* name : {"  Uptime  ", "  Restarts  ", "  CPU %  ", "  Memory  ", "  Slot  ",
                             "  Generation  ", "  State  ", "  Reason"}) {
      CHECK_MESSAGE(Contains(wide, name), wide);
    }
    Get(app.url("/exit?code=7"));
    WaitUntil(
        [&] {
          const auto processes = world.View(app.name).processes;
          return processes.size() == 2 && processes[1].state == "ready" &&
                 processes[1].restarts == 1;
        },
        20'000, "the successor");
    const std::string table = world.Must({"ctl", "status", "--wide"}).out;
    CHECK_MESSAGE(Contains(table, "last end: exit code 7, "), table);
    CHECK(Contains(table, " MB"));
  }

  TEST_CASE("the JSON of a service holds what the documentation promises") {
    World world;
    const App app =
        world.StartApp("plain/server.js", {"--size", "2", "--name", "web", "--env", "A=1"});
    const json list = world.Json({"ctl", "status", "web"});
    REQUIRE(list.size() == 1);
    const json& service = list[0];
    CHECK(service["id"] == 1);
    CHECK(service["name"] == "web");
    CHECK(service["state"] == "running");
    CHECK(service["wanted"] == true);
    CHECK(service["size"] == "2");
    CHECK(service["cluster_size"] == 2);
    CHECK(service["generation"] == 1);
    CHECK(service["port"] == app.port);
    CHECK(service["environment"] == json{{"A", "1"}});
    CHECK(service["directory"] == SourcePath("tests/apps/plain"));
    CHECK(service["script"] == "server.js");
    CHECK(service["log_directory"] == world.log_folder("web"));
    REQUIRE(service["processes"].size() == 3);
    CHECK(service["processes"][0]["worker"] == 0);
    CHECK(service["processes"][0]["listening"] == json::array());
    CHECK(service["processes"][2]["worker"] == 2);
    CHECK(service["processes"][2]["slot"] == 2);
    CHECK(service["processes"][2]["state"] == "ready");
    CHECK(service["processes"][2]["listening"] == json{"0.0.0.0:" + std::to_string(app.port)});
    CHECK(service["idle_slots"] == json::array());
    for (const json& process : service["processes"]) {
      CHECK(process["cpu_percent"].is_number());
      // Node takes 30 MB at least; the master is small.
      CHECK(process["memory_bytes"] > (process["worker"] == 0 ? 500'000 : 10'000'000));
    }
    CHECK(world.Json({"ctl", "ls"}).size() == 1);
  }

  TEST_CASE("--json in front of the verb is the same as behind it, also alone") {
    World world;
    world.Must({"ctl", "create", "x"});
    const std::string behind = world.Must({"ctl", "ls", "--json"}).out;
    CHECK(world.Must({"ctl", "--json", "ls"}).out == behind);
    CHECK(world.Must({"ctl", "--json"}).out == behind);
  }

  TEST_CASE("info tells who slcd is and where it lives") {
    World world;
    world.Must({"ctl", "create", "x"});
    const json info = world.Json({"ctl", "info"});
    CHECK(info["ok"] == true);
    CHECK(info["running"] == true);
    CHECK(info["info"]["pid"] == world.Daemon()->pid);
    CHECK(info["info"]["home"] == world.home());
    CHECK(info["info"]["socket"] == world.socket());
    CHECK(info["info"]["services"] == 1);
    const std::string text = world.Must({"ctl", "info"}).out;
    CHECK(Contains(text, "\nServer PID:      " + std::to_string(world.Daemon()->pid) + "\n"));
  }

  TEST_CASE("env-get shows all variables or those asked for") {
    World world;
    world.StartApp("plain/server.js",
                   {"--size", "0", "--name", "web", "--env", "A=1", "--env", "B=two words"});
    const std::string head = "Service ID: 1\nService Name: web\n\nEnvironment variables:\n";
    CHECK(world.Must({"ctl", "env-get", "web"}).out ==
          head + "    Name  Value\n    A     1\n    B     two words\n");
    CHECK(world.Must({"ctl", "env", "web", "B"}).out ==
          head + "    Name  Value\n    B     two words\n");
    CHECK(world.Must({"ctl", "env-get", "web", "C"}).out ==
          head + "  No matching environment variables defined\n");
    CHECK(world.Json({"ctl", "env-get", "web", "A"})["environment"] == json{{"A", "1"}});
  }

  TEST_CASE("npmls lists the packages, to a depth") {
    World world;
    world.StartApp("express4", {"--size", "0", "--name", "web"});
    const auto flat = LinesOf(world.Must({"ctl", "npmls", "web", "0"}).out);
    REQUIRE(flat.size() == 2);
    CHECK(StartsWith(flat[0], "express4-app@"));
    CHECK(Contains(flat[1], "express@4."));
    const std::string all = world.Must({"ctl", "npmls", "web"}).out;
    CHECK(Contains(all, "body-parser@"));
    const json packages = world.Json({"ctl", "npmls", "web", "0"})["packages"];
    CHECK(packages["dependencies"].size() == 1);
    CHECK(packages["dependencies"][0]["name"] == "express");
  }

  TEST_CASE("--help and --version of everything: on stdout, exit code 0") {
    World world;
    for (const Words& words : {Words{"--help"},
                               {"help"},
                               {"start", "--help"},
                               {"run", "--help"},
                               {"logs", "--help"},
                               {"ctl", "--help"},
                               {"ctl", "help"},
                               {"ctl", "help", "stop"},
                               {"ctl", "-h"}}) {
      const Ran ran = world.Must(words);
      CHECK_MESSAGE(StartsWith(ran.out, "usage: slc "), Join(words, " "));
      CHECK(ran.err == "");
    }
    for (const char* verb : {"status", "ls", "info", "create", "start", "stop", "soft-stop",
                             "restart", "soft-restart", "cluster-restart", "set-size", "env-get",
                             "env-set", "env-unset", "log-dump", "npmls", "remove", "shutdown"}) {
      const Ran ran = world.Must({"ctl", verb, "--help"});
      CHECK(StartsWith(ran.out, std::string("usage: slc ctl ") + verb + " "));
    }
    for (const Words& words : {Words{"--version"}, {"ctl", "--version"}}) {
      CHECK(StartsWith(world.Must(words).out, "slc "));
    }
    CHECK_FALSE(Exists(world.home()));
  }

  TEST_CASE("-C talks to the slcd at that socket, from any home") {
    World world;
    world.Must({"ctl", "create", "x"});
    World other;
    CHECK(Contains(other.Must({"ctl", "-C", world.socket(), "ls"}).out, " 1          x"));
    CHECK(Contains(other.Must({"ctl", "ls", "--control", world.socket()}).out, " 1          x"));
    CHECK_FALSE(Exists(other.home()));
  }

  TEST_CASE("-C never starts a slcd: exit code 3") {
    World world;
    world.Must({"ctl", "create", "x"});
    world.Must({"ctl", "shutdown"});
    const Ran ran = world.Slc({"ctl", "-C", world.socket(), "ls"});
    CHECK(ran.code == 3);
    CHECK(ran.out == "");
    CHECK(IsOneLine(ran.err));
    CHECK_FALSE(world.Daemon());
  }

  TEST_CASE("a slcd that cannot be started is exit code 3 with its own last words") {
    World world;
    WriteText(world.home() + "/run", "a file where a folder should be\n");
    for (const Words& words :
         {Words{"ctl", "create", "x"}, {"start", SourcePath("tests/apps/plain/server.js")}}) {
      const Ran ran = world.Slc(words);
      INFO(ran.err);
      CHECK(ran.code == 3);
      CHECK(Contains(ran.err, "slcd could not be started"));
      CHECK(Contains(ran.err, world.home() + "/run"));
    }
    REQUIRE(::unlink((world.home() + "/run").c_str()) == 0);
  }

  TEST_CASE(
      "a slcd that does not answer is exit code 3 and named where it is not ours to replace") {
    World world;
    world.Must({"ctl", "create", "x"});
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGSTOP);
    const Ran ran = world.Slc({"ctl", "-C", world.socket(), "ls"});
    Kill(*daemon, SIGCONT);
    CHECK(ran.code == 3);
    CHECK(Contains(ran.err, "slcd (pid " + std::to_string(daemon->pid) + ") does not answer"));
    CHECK(world.Slc({"ctl", "ls"}).code == 0);
    CHECK(IsAlive(*daemon));
  }

  TEST_CASE("a slcd that answers again while it is asked lives on") {
    World world;
    world.Must({"ctl", "create", "x"});
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGSTOP);
    Running looks = world.Begin({"ctl", "ls"});
    WaitUntil([&] { return Contains(looks.err(), "slcd does not answer"); }, 10'000, "the alarm");
    Kill(*daemon, SIGCONT);
    CHECK(looks.Wait().code == 0);
    CHECK(IsAlive(*daemon));
    CHECK(world.Daemon() == daemon);
  }
}
