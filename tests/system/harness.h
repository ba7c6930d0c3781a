// The harness of the system tests: real binaries, real node, a private world per test.
//
//   TEST_CASE("a worker that was killed is replaced") {
//     World world;
//     const App app = world.StartApp("express4", {"--size", "2"});
//     const auto victim = world.View(app.name).processes[1];
//     Kill(*IdentifyProcess(victim.pid));
//     WaitUntil([&] { return world.ReadyPids(app.name).size() == 2; }, 10'000, "two ready
//     workers"); CHECK(Get(app.url("/pid")).status == 200);
//   }
//
// A World owns a home below a temporary folder, so any number of copies of a test run beside each
// other. Nothing here sleeps to synchronise: WaitUntil asks again and again until an answer or a
// deadline comes. At its end a World shuts its slcd down and checks that nothing is left: no
// process, no unexpected line in slcd's log, no crash in the kernel's. When a test fails its folder
// is kept and named.
//
// Environment: SLC_BIN (folder of the binaries; else that of this test), SLC_SOURCE (the source
// tree), SLC_TEST_NODE (16, 18, ...: the default version of node), SLC_TEST_KEEP=1 (keep every
// folder).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/process.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/model/view.h"

namespace slc::test {

using Words = std::vector<std::string>;

// ---- waiting, ports, files

// Asks until `condition` is true. Fails the test, naming `what`, when `deadline` ms have passed or,
// if given, when `hopeless` says that it will never be. Returns how long it took.
Millis WaitUntil(const std::function<bool()>& condition, Millis deadline, const std::string& what);

// `count` successive TCP ports that nobody uses, for as long as this program runs nobody else of
// the tests gets them. Not of the kernel's range for outgoing connections: load clients live there.
std::uint16_t FreePort(int count = 1);

std::string ReadText(const std::string& path);                     // "" if there is no such file
void WriteText(const std::string& path, const std::string& text);  // makes missing folders
bool Exists(const std::string& path);
std::string SourcePath(const std::string& below);  // SourcePath("tests/apps/plain/server.js")
std::string BinaryPath(const std::string& name);   // BinaryPath("slc")
std::vector<std::string> LinesOf(const std::string& text);
bool Contains(const std::string& text, const std::string& part);
// A server that answers what it was given: {"argv", "execArgv", "cwd", "env", "pid", "version"}.
extern const char* const kMirror;

// ---- processes

// How a program ended.
struct Ran {
  int code = -1;  // exit code; 128 + signal
  std::string out;
  std::string err;
  Millis took = 0;
};

// A program that runs beside the test. Its output goes to files. Killed by the destructor.
class Running {
 public:
  Running(Running&&) noexcept;
  Running& operator=(Running&&) = delete;
  ~Running();

  pid_t pid() const { return identity_.pid; }
  ProcessIdentity identity() const { return identity_; }
  void Signal(int signal);
  bool HasEnded() const;
  std::string out() const;  // so far
  std::string err() const;
  // Waits for its end; fails the test after `deadline` ms.
  const Ran& Wait(Millis deadline = 60'000);

 private:
  friend class World;
  Running() = default;
  std::string command_;
  std::string out_path_;
  std::string err_path_;
  ProcessIdentity identity_;
  UniqueFd pidfd_;
  Millis started_ = 0;
  std::optional<Ran> ran_;
};

bool IsAlive(const ProcessIdentity& identity);  // a zombie is not
bool IsAlive(pid_t pid);
// SIGKILL (or `signal`) to exactly this process, by pidfd; fails the test if it is gone already.
void Kill(const ProcessIdentity& identity, int signal = 9);
// What the descriptors of a process refer to, sorted: "socket", "/home/...": without numbers, so
// two lists can be compared.
std::vector<std::string> OpenFiles(pid_t pid);
std::size_t CountOpenFiles(pid_t pid);

// ---- HTTP

struct Response {
  int status = 0;                              // 0: no answer, see error
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string error;
  nlohmann::json json() const;  // fails the test if the body is none
};
// One request on one connection (Connection: close). Only http.
Response Get(const std::string& url, Millis timeout = 10'000);

// ---- load (bin/slc-load, see tests/bench/load/report.h)

struct LoadFailure {
  Millis at = 0;     // CLOCK_BOOTTIME of its end
  std::string kind;  // as in LaneReport::failures
  std::string text;
};
struct LaneReport {
  std::string name;
  std::int64_t attempted = 0;
  std::int64_t sent = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;                       // all kinds
  std::map<std::string, std::int64_t> failures;  // by kind: refused, reset, cut, fin_crossed, ...
  std::vector<LoadFailure> first_failures;       // up to 1000
  std::int64_t closed_between = 0;
  std::int64_t reset_between = 0;
  std::int64_t connections = 0;
  std::optional<double> longest_gap_ms;
  Millis slowest = 0;     // of ok answers
  Millis slowest_at = 0;  // CLOCK_BOOTTIME of its end
  std::map<std::string, std::int64_t> requests_by_worker;
  std::map<std::string, std::int64_t> connections_by_worker;
};
struct LoadReport {
  bool passed = false;
  std::string text;  // the JSON as printed: INFO(report.text)
  std::vector<LaneReport> lanes;
  const LaneReport& lane(const std::string& name) const;
  std::int64_t ok() const;  // of all lanes
  std::int64_t failed() const;
};

class World;
class LoadClient {
 public:
  // Each lane as for slc-load: "url=http://127.0.0.1:3001/,connections=8". Runs until Stop().
  // Returns when it has a connection.
  LoadClient(World& world, const Words& lanes, const Words& options = {});
  // Stops it, waits for outstanding requests, gives the report.
  LoadReport Stop(Millis deadline = 60'000);
  std::size_t connections() const;  // established right now
  pid_t pid() const { return process_->pid(); }

 private:
  std::unique_ptr<Running> process_;
};

// ---- the world

// An app that runs as a service.
struct App {
  std::string name;
  std::uint16_t port = 0;
  std::string folder;
  Ran started;  // of slc start
  std::string url(const std::string& path = "/") const;
};

struct Options {
  std::string cwd = {};                         // else the world's folder
  std::map<std::string, std::string> env = {};  // added to the world's
  Millis deadline = 60'000;
};

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const std::string& folder() const { return folder_; }  // of this test
  const std::string& home() const { return home_; }      // SLC_HOME
  std::string socket() const { return home_ + "/run/slcd.sock"; }
  std::string log_folder(const std::string& service) const { return home_ + "/logs/" + service; }
  // The environment that programs get; PATH, HOME, LANG, SLC_HOME and what a test adds.
  std::map<std::string, std::string>& env() { return env_; }
  // From now on `node` in PATH is this major version (16, 18, 20, 22, 24).
  void UseNode(int major);
  std::string NodePath(int major) const;

  // ---- which slc
  // From now on slc, slcd and slc-master of this world are copies of its own, to be replaced by
  // Install().
  void OwnPrograms();
  // What a package does: `program` is replaced by another file, what runs runs on.
  void Install(const std::string& program, const std::string& from);
  std::string ProgramPath(const std::string& name) const;

  // ---- running slc
  Ran Slc(const Words& arguments, const Options& options = {});
  // The same, and fails the test unless it exits with 0.
  Ran Must(const Words& arguments, const Options& options = {});
  // `arguments` and --json, whatever the exit code; fails the test if stdout is not one JSON value.
  nlohmann::json Json(const Words& arguments, const Options& options = {});
  Running Begin(const Words& arguments, const Options& options = {});       // slc in background
  Running BeginProgram(const Words& command, const Options& options = {});  // any program

  // ---- apps
  // `slc start` of tests/apps/APP ("express4", "plain/server.js") in place, on a free port unless
  // `options` hold --port. Fails the test unless it exits with 0.
  App StartApp(const std::string& app, const Words& options = {}, const Options& how = {});
  // The same of any folder or file.
  App StartPath(const std::string& path, const Words& options = {}, const Options& how = {});
  // A private copy of tests/apps/APP (node_modules as a link), to be changed; returns its path.
  std::string CopyApp(const std::string& app, const std::string& as = "");
  // A new folder with these files; returns its path.
  std::string MakeFolder(const std::string& name, const std::map<std::string, std::string>& files);
  // A self-signed key and certificate for localhost: the environment of the https apps.
  struct Certificate {
    std::string key;
    std::string certificate;
  };
  Certificate MakeCertificate();

  // ---- looking (over the socket: cheap, and never starts a slcd)
  // The service as slcd sees it; fails the test if there is none.
  ServiceView View(const std::string& service);
  std::optional<ServiceView> TryView(const std::string& service);  // also when there is no slcd
  std::vector<ServiceView> Views();
  std::vector<int> ReadyPids(const std::string& service);  // of its workers, sorted
  int MasterPid(const std::string& service);
  std::optional<ProcessIdentity> Daemon() const;  // the slcd of this home, alive
  // slcd and masters of this home; workers and all their descendants, by cookie.
  std::vector<ProcessIdentity> Supervisors() const;
  std::vector<ProcessIdentity> Workers() const;
  // Waits until the service has this state ("running", "backoff", ...).
  ServiceView WaitForState(const std::string& service, const std::string& state,
                           Millis deadline = 20'000);
  std::string DaemonLog() const;

  // SIGKILL; waits until it is gone.
  void KillDaemon();
  void KillMaster(const std::string& service);

  // ---- the end
  // A line of slcd's log that holds `part` is no failure, although it is a warning, an error or
  // says that a master was replaced.
  void ExpectInLog(const std::string& part) { expected_.push_back(part); }
  // `slc ctl shutdown` and all checks, now instead of in the destructor.
  void End();

 private:
  Running Spawn(const Words& command, const Options& options);
  // What slcd or a master has open beyond what its workers need; empty if all is well, or if
  // something is still on its way.
  std::string DescriptorsTooMany();
  void CheckDescriptors();
  void CheckNothingIsLeft();
  void CheckLogs();
  void CheckKernelLog();
  void CheckSanitizers();
  void ShowEvidence() const;

  std::string folder_;
  std::string home_;
  std::map<std::string, std::string> env_;
  std::vector<std::string> expected_;
  std::string programs_;  // folder of its own copies; empty: there are none
  const Millis began_ = BootNow();
  int runs_ = 0;
  bool ended_ = false;
};

}  // namespace slc::test
