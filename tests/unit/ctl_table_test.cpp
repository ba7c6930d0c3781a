#include <doctest/doctest.h>

#include "ctl/status_tables.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

ServiceView MyApp(int master, WorkerId workers) {
  ServiceView view;
  view.id = 1;
  view.name = "my-app";
  view.state = "running";
  view.agent_version = "1.5.14";
  view.cluster_size = workers;
  for (WorkerId i = 0; i <= workers; ++i) {
    ProcessView process;
    process.pid = master + static_cast<int>(i);
    process.worker = i;
    process.slot = i;
    process.generation = 1;
    process.state = "ready";
    if (i > 0) process.listening = {"0.0.0.0:3001"};
    view.processes.push_back(process);
  }
  return view;
}

// The mission page shows another version than ours; both are six and five characters of a centred
// cell.
std::string WithVersion(std::string text, const std::string& cell) {
  const std::string mark = "VERSION";
  text.replace(text.find(mark), mark.size(), cell);
  return text;
}

}  // namespace

TEST_CASE("A centred cell has the odd blank on its left, and no line ends in blanks") {
  CHECK(LayOut({{"head", "x"}, {"a", ""}, {"ab", "yy"}}, {Align::kCentre, Align::kCentre}) ==
        "head   x\n  a\n ab   yy\n");
}

TEST_CASE("A cell of several bytes per character is as wide as it looks") {
  CHECK(LayOut({{"ä", "b"}, {"cc", "d"}}, {}) == "ä   b\ncc  d\n");
}

TEST_CASE("The status of a healthy service is that of the mission page, byte for byte") {
  const std::string version = SLC_VERSION;
  REQUIRE(version.size() <= 7);
  const std::size_t blanks = 7 - version.size();
  const std::string cell =
      std::string((blanks + 1) / 2, ' ') + version + std::string(blanks - (blanks + 1) / 2, ' ');
  const std::string page =
      "Service ID: 1\n"
      "Service Name: my-app\n"
      "Environment variables:\n"
      "  No environment variables defined\n"
      "Instances:\n"
      "    Version  Agent version  Cluster size\n"
      "    VERSION      1.5.14           4\n"
      "Processes:\n"
      "        ID      PID   WID  Listening Ports  Tracking objects?  CPU profiling?\n"
      "    1.1.57692  57692   0\n"
      "    1.1.57693  57693   1     0.0.0.0:3001\n"
      "    1.1.57694  57694   2     0.0.0.0:3001\n"
      "    1.1.57695  57695   3     0.0.0.0:3001\n"
      "    1.1.57696  57696   4     0.0.0.0:3001\n"
      "\n";
  CHECK(StatusText({MyApp(57692, 4)}, false, {}) == WithVersion(page, cell));
}

TEST_CASE(
    "What is looked at in a worker is shown as the original did, a debugger if there is one") {
  ServiceView view = MyApp(57692, 2);
  view.processes[1].inspection.profiling_since = 5;
  view.processes[2].inspection.tracking_since = 5;
  const std::string before = StatusText({view}, false, {});
  CHECK(
      before.find("        ID      PID   WID  Listening Ports  Tracking objects?  CPU profiling?\n"
                  "    1.1.57692  57692   0\n"
                  "    1.1.57693  57693   1     0.0.0.0:3001                      yes\n"
                  "    1.1.57694  57694   2     0.0.0.0:3001          yes\n") != std::string::npos);
  view.processes[1].inspection.debugger_port = 45401;
  const std::string debugged = StatusText({view}, false, {});
  CHECK(debugged.find("CPU profiling?  Debugging?\n") != std::string::npos);
  CHECK(debugged.find("yes             yes\n") != std::string::npos);
  view.processes[1].inspection.debugger_host = "::1";
  CHECK(StatusText({view}, false, {}) == debugged);
  view.processes[1].inspection.debugger_host = "::";
  CHECK(StatusText({view}, false, {}).find("yes             on [::]:45401\n") != std::string::npos);
  view.idle_slots.emplace_back();
  view.idle_slots.back().state = "backoff";
  CHECK(StatusText({view}, true, {}).find("backoff\n") != std::string::npos);
}

TEST_CASE("The list is that of the mission page, byte for byte") {
  CHECK(ListText({MyApp(57692, 4)}) ==
        "Id          Name         Scale\n"
        " 1          my-app       1\n");
}

TEST_CASE("A long name or id widens the list's columns") {
  ServiceView view = MyApp(1, 1);
  view.id = 1234;
  view.name = "a-service-with-a-long-name";
  CHECK(ListText({MyApp(1, 1), view}) ==
        "Id          Name                        Scale\n"
        " 1          my-app                      1\n"
        "1234        a-service-with-a-long-name  1\n");
}

TEST_CASE("A wide list tells how each service is, and each address once") {
  ServiceView mine = MyApp(57692, 4);
  mine.processes.back().state = "starting";
  mine.processes.back().listening.clear();
  ServiceView down = MyApp(1, 1);
  down.id = 2;
  down.name = "down";
  down.state = "stopped";
  down.cluster_size = 0;
  down.processes.clear();
  CHECK(ListText({mine, down}, true) ==
        "Id          Name         Scale  State    Workers  Listening Ports\n"
        " 1          my-app       1      running  3 of 4   0.0.0.0:3001\n"
        " 2          down         1      stopped\n");
}

TEST_CASE("What is not as by default is shown in one line") {
  ServiceView view = MyApp(57692, 1);
  view.options = {"balance slots", "max-memory 150M"};
  CHECK(StatusText({view}, false, {}).find("\nOptions: balance slots, max-memory 150M\n") !=
        std::string::npos);
}

TEST_CASE("Without services the answers are those of the original") {
  CHECK(StatusText({}, false, {}) == "No services exist\n");
  CHECK(ListText({}) == "No services defined\n");
}

TEST_CASE("A stopped service has size 0 and no table, and no blank line after it") {
  ServiceView view = MyApp(57692, 0);
  view.state = "stopped";
  view.cluster_size = 0;
  view.processes.clear();
  view.environment = {{"FOO", "bar"}, {"MSG", "hello world"}};
  const std::string text = StatusText({view}, false, {});
  CHECK(text.find("    Name  Value\n    FOO   bar\n    MSG   hello world\nInstances:\n") !=
        std::string::npos);
  CHECK(text.find("           0\nNot started\n") != std::string::npos);
  CHECK(text.find("Processes") == std::string::npos);
  CHECK(text.find("\nState: stopped\n") != std::string::npos);
  view.state = "starting";
  const std::string starting = StatusText({view}, false, {});
  CHECK(starting.find("\nState: starting\n") != std::string::npos);
  CHECK(starting.find("           0\nNo process yet\n") != std::string::npos);
}

TEST_CASE("A service that never had an app has an instance table without rows") {
  ServiceView view;
  view.id = 3;
  view.name = "web2";
  view.state = "new";
  CHECK(StatusText({view}, false, {}) ==
        "Service ID: 3\nService Name: web2\nEnvironment variables:\n"
        "  No environment variables defined\nInstances:\n"
        "    Version  Agent version  Cluster size\nNot started\n");
}

TEST_CASE("A worker that is not ready is not shown as serving, nor is the master") {
  ServiceView view = MyApp(57692, 2);
  view.processes[0].listening = {"0.0.0.0:3001"};
  view.processes[1].state = "starting";
  const std::string text = StatusText({view}, false, {});
  CHECK(text.find("    1.1.57692  57692   0\n") != std::string::npos);
  CHECK(text.find("    1.1.57693  57693   1\n") != std::string::npos);
  CHECK(text.find("    1.1.57694  57694   2     0.0.0.0:3001\n") != std::string::npos);
}

TEST_CASE("What is wrong stands in a line below the name, with the nearest next try") {
  ServiceView view = MyApp(57692, 0);
  view.state = "backoff";
  view.idle_slots = {SlotView{1, "backoff", 12000, 4, "exit code 1"},
                     SlotView{2, "waiting", 0, 0, ""},
                     SlotView{3, "backoff", 3000, 5, "exit code 2 after 0.3 s"}};
  CHECK(StateRemark(view) == "backoff, next try in 3.0 s: exit code 2 after 0.3 s");
  CHECK(StatusText({view}, false, {})
            .find("Service Name: my-app\nState: backoff, next try in 3.0 s: exit code 2") !=
        std::string::npos);
}

TEST_CASE("A worker that takes no connections is named above the table, and in it with --wide") {
  ServiceView view = MyApp(100, 2);
  CHECK(StatusText({view}, true, {}).find("answered") == std::string::npos);
  view.processes[2].stuck = 12'000;
  view.processes[2].reason = "last end: exit code 1";
  const std::string remark = "has not answered for 12 s";
  const std::string line = "\nHangs: worker 2 (pid 102) " + remark + "\n";
  CHECK(StatusText({view}, false, {}).find(line) != std::string::npos);
  CHECK(StatusText({view}, true, {}).find(remark + "; last end: exit code 1") != std::string::npos);
  view.processes[2].replaced = true;
  CHECK(StatusText({view}, false, {}).find(remark + ", it is being replaced") != std::string::npos);
  view.processes[2].shows = "heap-snapshot";
  CHECK(StatusText({view}, false, {})
            .find("\nShows: worker 2 (pid 102) makes a heap snapshot and stands still for that, "
                  "so far for 12 s\n") != std::string::npos);
}

TEST_CASE(
    "What a worker says of itself stands behind the reason, and that it reloads in its state") {
  ServiceView view = MyApp(100, 1);
  view.processes[1].status_text = "half\x1b done";
  CHECK(StatusText({view}, true, {}).find("says: half\\x1b done") != std::string::npos);
  CHECK(StatusText({view}, false, {}).find("half") == std::string::npos);
  view.processes[1].reason = "last end: exit code 1";
  view.processes[1].reloading = true;
  const std::string text = StatusText({view}, true, {});
  CHECK(text.find("last end: exit code 1; says: half") != std::string::npos);
  CHECK(text.find("ready, reloading") != std::string::npos);
}

TEST_CASE("A next try that the reason tells of already is not told twice") {
  ServiceView view = MyApp(57692, 0);
  view.state = "backoff";
  view.reason = "exit code 3; next try in 0.1 s";
  view.idle_slots = {SlotView{1, "backoff", 100, 1, "exit code 3"}};
  CHECK(StateRemark(view) == "backoff: exit code 3; next try in 0.1 s");
}

TEST_CASE("A worker that has no process yet is no row") {
  ServiceView view = MyApp(57692, 1);
  view.processes.push_back(ProcessView{});
  CHECK(StatusText({view}, false, {}).find("1.1.0") == std::string::npos);
}

TEST_CASE("Facts of a silent master are marked with their age") {
  ServiceView view = MyApp(57692, 1);
  view.facts_age = 12400;
  CHECK(StateRemark(view) == "the master is silent, as of 12 s ago");
  view.state = "adopting";
  CHECK(StateRemark(view) == "adopting; the master is silent, as of 12 s ago");
}

TEST_CASE("A log that cannot be written or has lost lines is told, and forgotten after an hour") {
  ServiceView view = MyApp(57692, 1);
  CHECK(LogRemark(view).empty());
  view.log_trouble = "/srv/x/out.log: No space left on device";
  CHECK(StatusText({view}, false, {})
            .find("my-app\nLog: cannot be written: /srv/x/out.log: No space left on device\n") !=
        std::string::npos);
  view.log_lines_dropped = 12;
  view.log_dropped_ago = 3000;
  CHECK(LogRemark(view) ==
        "cannot be written: /srv/x/out.log: No space left on device; 12 lines were dropped since "
        "the master started, the last 3.0 s ago");
  view.log_trouble.clear();
  view.log_lines_dropped = 1;
  view.log_dropped_ago = 3600 * 1000;
  CHECK(LogRemark(view) == "1 line was dropped since the master started, the last 1h0m ago");
  view.log_dropped_ago += 1;
  CHECK(LogRemark(view).empty());
}

TEST_CASE("The wide table adds usage, and a row for each slot without a process") {
  ServiceView view = MyApp(57692, 1);
  view.processes[1].uptime = 65000;
  view.processes[1].restarts = 2;
  view.idle_slots = {SlotView{2, "backoff", 3000, 7, "exit code 1"}};
  const std::string text = StatusText({view}, true, {{57693, Usage{12.34, 45600000}}});
  CHECK(text.find("CPU profiling?  Uptime  Restarts  CPU %  Memory   Slot  Generation  State    "
                  "Reason\n") != std::string::npos);
  CHECK(text.find("1m5s    2         12.3   45.6 MB  1     1           ready\n") !=
        std::string::npos);
  CHECK(
      text.find("7                         2                 backoff  next try in 3.0 s: exit code "
                "1\n") != std::string::npos);
}

TEST_CASE("Control bytes of an application never reach the table") {
  ServiceView view = MyApp(57692, 1);
  view.environment = {{"A", "\x1b[2J"}};
  view.state = "failed";
  view.reason = "\x1b]0;x\x07";
  const std::string text = StatusText({view}, true, {});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\\x1b[2J") != std::string::npos);
}

}  // namespace slc::ctl
