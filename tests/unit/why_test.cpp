#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/oom.h"
#include "common/base/process.h"
#include "common/model/code_facts.h"
#include "common/model/generation_changes.h"
#include "ctl/why/diagnosis.h"
#include "ctl/why/records.h"
#include "daemon/master/exit_reason.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

using ctl::Diagnosis;
using ctl::Symptoms;
using Words = std::vector<std::string>;

constexpr Millis kNow = 1'764'100'000'000;

JournalRecord Event(const char* kind, Generation generation, Millis ago, const char* text = "") {
  JournalRecord record;
  record.time = kNow - ago;
  record.kind = kind;
  record.id = 1;
  record.service = "web";
  record.generation = generation;
  record.text = text;
  return record;
}

JournalRecord End(Generation generation, Millis ago) {
  JournalRecord record = Event("worker_ended", generation, ago, "exit code 1: Error: boom");
  record.worker = 7;
  record.pid = 812;
  return record;
}

ServiceView View(const char* state, unsigned serving, unsigned size) {
  ServiceView view;
  view.id = 1;
  view.name = "web";
  view.state = state;
  view.wanted = true;
  view.cluster_size = size;
  view.generation = 4;
  for (unsigned i = 0; i < serving; ++i) {
    ProcessView process;
    process.worker = i + 1;
    process.pid = 900 + static_cast<int>(i);
    process.state = "ready";
    view.processes.push_back(process);
  }
  return view;
}

std::string Text(const Diagnosis& diagnosis) {
  return ctl::DiagnosisText(diagnosis, kNow, {"Error: boom", "\x1b[31m"}, "on standard error");
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("why");

TEST_CASE("The kernel's count of OOM kills is found in what it prints") {
  CHECK(ParseOomKill("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n") == 3);
  CHECK(ParseOomKill("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n") == 1);
  CHECK_FALSE(ParseOomKill("oom_kill \n"));
  CHECK_FALSE(ParseOomKill("oom_kill x\n"));
  CHECK_FALSE(ParseOomKill("not oom_kill 3\n"));
  CHECK_FALSE(ParseOomKill(""));
}

TEST_CASE("The file that counts is that of the hierarchy with a memory controller") {
  CHECK(OomFileOf("0::/user.slice/a:b\n", false) == "/sys/fs/cgroup/user.slice/a:b/memory.events");
  CHECK(OomFileOf("4:cpu,memory:/x\n0::/\n", true) == "/sys/fs/cgroup/memory/x/memory.oom_control");
  CHECK(OomFileOf("4:memory:/\n0::/y\n", true) == "/sys/fs/cgroup/memory/memory.oom_control");
  CHECK(OomFileOf("4:memory:/x\n0::/y\n", false) == "/sys/fs/cgroup/y/memory.events");
  CHECK(OomFileOf("garbage\n::\n", true).empty());
}

TEST_CASE("A strike explains a kill only if the kernel counted one since") {
  const OomCounts before{1, 5};
  CHECK(JudgeKill(before, {2, 6}) == KillCause::kOutOfMemory);
  CHECK(JudgeKill(before, {1, 6}) == KillCause::kPerhapsOutOfMemory);
  CHECK(JudgeKill(before, {1, 5}) == KillCause::kSomebody);
  CHECK(JudgeKill({{}, 5}, {{}, 6}) == KillCause::kPerhapsOutOfMemory);
  CHECK(JudgeKill({}, {}) == KillCause::kUnknown);
  CHECK(ExplainExit(SIGKILL, "", {"Error: of before"}, KillCause::kOutOfMemory) ==
        "killed by SIGKILL (signal 9): out of memory: the kernel's OOM killer struck in its "
        "cgroup");
  CHECK(WasKilled(SIGKILL));
  CHECK_FALSE(WasKilled(SIGTERM));
  CHECK_FALSE(WasKilled(std::nullopt));
}

TEST_CASE("What is told of an app's code: its version, its commit, when its script was written") {
  const std::string commit(40, 'a');
  const std::string packed(40, 'b');
  TempFolder folder;
  folder.Write("app.js", "");
  CodeFacts facts = ReadCodeFacts(folder.path(), "app.js");
  CHECK(facts.version.empty());
  CHECK(facts.commit.empty());
  CHECK(facts.script_changed > 0);
  CHECK(ReadCodeFacts(folder.path(), "gone.js").script_changed == 0);
  folder.Write("package.json", R"({"version": "1.2.3"})");
  folder.Write(".git/HEAD", "ref: refs/heads/main\n");
  folder.Write(".git/packed-refs", "# pack\n" + packed + " refs/heads/main\n");
  facts = ReadCodeFacts(folder.path(), folder / "app.js");
  CHECK(facts.version == "1.2.3");
  CHECK(facts.commit == packed);
  folder.Write(".git/refs/heads/main", commit + "\n");
  CHECK(ReadCodeFacts(folder.path(), "app.js").commit == commit);
  folder.Write(".git/HEAD", packed + "\n");
  CHECK(ReadCodeFacts(folder.path(), "app.js").commit == packed);
  // A HEAD that leads elsewhere is none.
  folder.Write("secret", commit);
  folder.Write(".git/HEAD", "ref: refs/../../secret\n");
  CHECK(ReadCodeFacts(folder.path(), "app.js").commit.empty());
  folder.Write("package.json", "[1]");
  CHECK(ReadCodeFacts(folder.path(), "app.js").version.empty());
}

TEST_CASE("Two generations differ in names, and no value is told") {
  GenerationConfig before;
  before.program = "/usr/bin/node";
  before.environment = {"A=1", "TOKEN=s3cret", "OLD=x"};
  before.code = {"1.0.0", std::string(40, 'a'), 5};
  GenerationConfig after = before;
  CHECK(DescribeGenerationChanges(before, after).empty());
  after.environment = {"A=1", "TOKEN=other", "NEW=s3cret"};
  before.arguments = {"/usr/bin/node", "app.js"};
  after.program = "/opt/node";
  after.arguments = {"/opt/node", "app.js"};
  CHECK(DescribeGenerationChanges(before, after).front() == "program /usr/bin/node -> /opt/node");
  CHECK(DescribeGenerationChanges(before, after)[1] == "env NEW added");
  after.program = before.program;
  after.arguments = {"/usr/bin/node", "--password=s3cret"};
  after.code = {"1.1.0", std::string(40, 'b'), 0};
  CHECK(DescribeGenerationChanges(before, after) ==
        Words{"arguments changed", "env NEW added", "env TOKEN changed", "env OLD removed",
              "package.json 1.0.0 -> 1.1.0", "git aaaaaaaaaa -> bbbbbbbbbb"});
}

TEST_CASE("A service in back-off: what ended, what had changed, when the next try is") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("backoff", 0, 2);
  symptoms.view->idle_slots = {{1, "backoff", 3100, 4, "exit code 1"}};
  JournalRecord third = Event("generation", 3, 900'000, "nothing new");
  third.code = CodeFacts{"1.0.0", "", 0};
  JournalRecord fourth = Event("generation", 4, 60'000, "env TOKEN changed");
  fourth.code = CodeFacts{"1.1.0", "", 0};
  symptoms.records = {third, Event("running", 3, 890'000), fourth, End(4, 50'000)};
  symptoms.code = CodeFacts{"1.2.0", "", 0};
  const Diagnosis diagnosis = Diagnose(symptoms);
  CHECK_FALSE(diagnosis.up);
  REQUIRE(diagnosis.last_end);
  CHECK(diagnosis.last_end->pid == 812);
  CHECK(diagnosis.good == "3");
  CHECK(diagnosis.changes == Words{"generation 4: env TOKEN changed"});
  CHECK(diagnosis.on_disk == Words{"package.json 1.1.0 -> 1.2.0"});
  REQUIRE(diagnosis.doing.size() == 1);
  CHECK(diagnosis.doing[0] ==
        "next try in 3.1 s; 1 unasked end on record since " + FormatIso(kNow - 900'000));
  const std::string text = Text(diagnosis);
  CHECK(Contains(text, "web is down: backoff"));
  CHECK(Contains(text, "50 s ago: worker 7 (pid 812) ended: exit code 1: Error: boom"));
  CHECK(Contains(text, "    Error: boom\n"));
  CHECK_FALSE(Contains(text, "\x1b"));
}

TEST_CASE("A service that is well again: the end that there was, in an older generation or not") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 2, 2);
  symptoms.records = {Event("generation", 4, 900'000, "nothing new"), Event("running", 4, 890'000),
                      End(4, 50'000),
                      Event("master_ended", 0, 40'000, "killed by SIGKILL (signal 9)")};
  const Diagnosis diagnosis = Diagnose(symptoms);
  CHECK(diagnosis.up);
  CHECK(diagnosis.changes.empty());
  CHECK(diagnosis.good == "4");
  REQUIRE(diagnosis.last_master_end);
  const std::string text = Text(diagnosis);
  CHECK(Contains(text, "web is up: running, 2 workers serve"));
  CHECK(Contains(text, "generation 4 was the last that did before that end, and nothing is new"));
  CHECK(Contains(text, "workers outlive that"));
}

TEST_CASE("A worker that was too large is told, and is no end that nobody had asked for") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 2, 2);
  symptoms.records = {Event("worker_outgrown", 4, 50'000, "uses 412 MiB of memory")};
  const Diagnosis diagnosis = Diagnose(symptoms);
  CHECK(diagnosis.up);
  const std::string text = Text(diagnosis);
  CHECK(Contains(text, "too large:    "));
  CHECK(Contains(text, " uses 412 MiB of memory"));
  CHECK(Contains(text, "none on record that nobody had asked for"));
}

TEST_CASE("An end that the journal does not have is told in slcd's words") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 1, 1);
  symptoms.view->processes[0].reason = "last end: exit code 3, 5s ago";
  const std::string text = Text(Diagnose(symptoms));
  CHECK_MESSAGE(Contains(text, "slcd says:    last end: exit code 3, 5s ago"), text);
}

TEST_CASE("A generation that came up and crashes soon after is told with what was new in it") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 2, 2);
  symptoms.records = {Event("generation", 4, 90'000, "env TOKEN added"),
                      Event("roll_done", 4, 85'000), End(4, 50'000)};
  CHECK(Diagnose(symptoms).changes ==
        Words{"generation 4, begun 40 s before that end: env TOKEN added"});
  symptoms.records[0].time -= Millis{48} * 3600 * 1000;
  CHECK(Diagnose(symptoms).changes.empty());
}

TEST_CASE("A service that somebody has stopped: who, and when") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("stopped", 0, 0);
  symptoms.view->wanted = false;
  JournalRecord stop = Event("change", 0, 5000);
  stop.verb = "stop";
  stop.result = "ok";
  stop.who = JournalActor{1000, 17, "alice"};
  symptoms.records = {stop};
  const Diagnosis diagnosis = Diagnose(symptoms);
  const std::string text = Text(diagnosis);
  CHECK(Contains(text, "5.0 s ago: by alice (uid 1000, pid 17)"));
  CHECK(Contains(text, "it stays stopped until somebody starts it"));
  CHECK(Contains(text, "none on record that nobody had asked for"));
}

TEST_CASE("Without slcd the journal alone is told") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.no_view = "there is no slcd";
  symptoms.now = kNow;
  symptoms.records = {End(4, 50'000)};
  const std::string text = Text(Diagnose(symptoms));
  CHECK(Contains(text, "how web is now cannot be told: there is no slcd"));
  CHECK(Contains(text, "worker 7 (pid 812)"));
}

TEST_CASE("Who holds the port is told of a service that is down, and of none that is up") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("backoff", 0, 1);
  symptoms.view->port = 3001;
  symptoms.holder = PortHolder{99, "node other.js"};
  CHECK(Diagnose(symptoms).port == "port 3001 is held by pid 99 (node other.js)");
  symptoms.view = View("running", 1, 1);
  symptoms.view->port = 3001;
  CHECK(Diagnose(symptoms).port.empty());
}

TEST_CASE("Workers that hang: which, since when, whether others serve, and what ends it") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 2, 2);
  symptoms.view->processes[0].stuck = 12'000;
  Diagnosis diagnosis = Diagnose(symptoms);
  CHECK_FALSE(diagnosis.up);
  CHECK(diagnosis.state == "web is up: running, 1 worker serves of 2");
  CHECK(diagnosis.hangs == Words{"worker 1 (pid 900) has not answered for 12 s: its "
                                 "event loop is busy or blocked, or the process is stopped"});
  std::string text = Text(diagnosis);
  CHECK(Contains(text, "  hangs:        worker 1 (pid 900) has not answered"));
  CHECK(Contains(text, "1 worker serves on"));
  CHECK(Contains(text, "slc ctl soft-restart web"));
  CHECK_FALSE(Contains(text, "nothing is left to be done"));

  symptoms.view->processes[1].stuck = 75'000;
  diagnosis = Diagnose(symptoms);
  CHECK_FALSE(diagnosis.up);
  CHECK(diagnosis.state == "web is down: running, but no worker takes connections");
  CHECK(diagnosis.hangs.size() == 2);
  text = Text(diagnosis);
  CHECK(Contains(text, "worker 2 (pid 901) has not answered for 1m15s"));
  CHECK(Contains(text, "nobody serves: new connections wait in the kernel's queue"));

  Symptoms looked = symptoms;
  for (ProcessView& process : looked.view->processes) process.shows = "objects-start";
  text = Text(Diagnose(looked));
  CHECK(Contains(text, "worker 1 (pid 900) counts its objects and stands still for that"));
  CHECK_FALSE(Contains(text, "busy or blocked"));
  CHECK_FALSE(Contains(text, "slc ctl soft-restart web"));

  for (ProcessView& process : symptoms.view->processes) process.replaced = true;
  text = Text(Diagnose(symptoms));
  CHECK(Contains(text, "has not answered for 12 s, it is being replaced: its event loop"));
  CHECK_FALSE(Contains(text, "slc ctl soft-restart web"));
}

TEST_CASE("What a name bore before, and what was asked of it when nobody bore it, is not told") {
  ctl::Records records{End(1, 90'000), Event("running", 1, 80'000), Event("change", 0, 70'000),
                       Event("generation", 1, 60'000)};
  records[0].id = 8;
  records[1].id = 8;
  records[2].id = 0;
  records[3].id = 10;
  CHECK(ctl::OfOneService(records, 8).size() == 2);
  CHECK(ctl::OfOneService(records, 10).size() == 1);
  CHECK(ctl::OfOneService(records, 0).front().id == 10);
  records = {records[2]};
  CHECK(ctl::OfOneService(records, 0).empty());
  CHECK(ctl::CountOfEnds({}) == "no unasked ends on record");
  records = {End(1, 5000), Event("worker_given_up", 1, 4000), Event("worker_hung", 1, 3500),
             Event("all_gone", 0, 3000)};
  records[0].times = 12;
  CHECK(ctl::CountOfEnds(records) == "15 unasked ends on record since " + FormatIso(kNow - 5000));
}

TEST_CASE("All of it was gone when slcd started: that is the last end, and no change explains it") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("running", 2, 2);
  symptoms.records = {Event("generation", 4, 90'000, "env TOKEN added"), End(4, 80'000),
                      Event("running", 4, 70'000),
                      Event("all_gone", 0, 50'000, "the machine was started anew")};
  const Diagnosis diagnosis = Diagnose(symptoms);
  CHECK(diagnosis.changes.empty());
  CHECK(diagnosis.good.empty());
  const std::string text = Text(diagnosis);
  CHECK(Contains(text,
                 "50 s ago: all its processes were gone when slcd started: the machine was "
                 "started anew"));
  CHECK(Contains(text, "2 unasked ends on record since"));
}

TEST_CASE("A script that was rewritten under a generation that serves is to blame, not that one") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("failed", 0, 2);
  JournalRecord third = Event("generation", 3, 90'000, "program /usr/bin/node -> /srv/web/run");
  third.code = CodeFacts{"", "", kNow - 200'000};
  JournalRecord fourth = Event("generation", 4, 60'000, "the script was written");
  fourth.code = CodeFacts{"", "", kNow - 65'000};
  JournalRecord end = End(3, 50'000);
  end.took = 200;
  symptoms.records = {third, Event("roll_done", 3, 80'000), fourth, Event("roll_failed", 4, 58'000),
                      end};
  symptoms.code = fourth.code;
  Diagnosis diagnosis = Diagnose(symptoms);
  const std::string written = "the script was written " + FormatIso(kNow - 65'000);
  CHECK(diagnosis.on_disk == Words{written + ", before the worker of that end was started"});
  CHECK(diagnosis.changes.empty());
  CHECK_FALSE(Contains(Text(diagnosis), "nothing is new"));
  // A worker that was started before that has ended of something else.
  symptoms.records.back().took = 20'000;
  diagnosis = Diagnose(symptoms);
  CHECK(diagnosis.on_disk == Words{written});
  REQUIRE(diagnosis.changes.size() == 1);
  CHECK(Contains(diagnosis.changes[0], "generation 3, begun 40 s before that end"));
  // What lies there is the fourth's, which came up after all.
  symptoms.records.push_back(Event("roll_done", 4, 40'000));
  CHECK(Diagnose(symptoms).on_disk.empty());
}

TEST_CASE(
    "Slots that wait for each other, workers that are not born yet, and none that are wanted") {
  Symptoms symptoms;
  symptoms.service = "web";
  symptoms.now = kNow;
  symptoms.view = View("backoff", 1, 2);
  symptoms.view->processes[0].state = "starting";
  symptoms.view->processes[0].pid = 0;
  symptoms.view->processes[0].uptime = 3900;
  symptoms.view->idle_slots = {{2, "backoff", 0, 4, "exit code 1"}};
  CHECK(Diagnose(symptoms).doing == Words{"slot 2 waits for worker 1; no unasked ends on record",
                                          "worker 1 has been starting for 3.9 s"});
  symptoms.view = View("running", 0, 0);
  const Diagnosis none = Diagnose(symptoms);
  CHECK(none.state == "web is down: its size is 0");
  CHECK(none.doing == Words{"nothing: its size is 0; slc ctl set-size web N starts workers"});
}

TEST_SUITE_END();

}  // namespace slc
