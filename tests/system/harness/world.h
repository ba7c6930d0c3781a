// The private world of one test: a home below a temporary folder, so any number of copies of a test
// run beside each other. At its end it shuts its slcd down and checks that nothing is left: no
// process, no descriptor, no unexpected line in slcd's log, no crash in the kernel's. When a test
// fails its folder is kept and named.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/process.h"
#include "common/base/time.h"
#include "common/model/view.h"
#include "tests/system/harness/basics.h"
#include "tests/system/harness/processes.h"

namespace slc::test {

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
  // slcd and masters that start from now on load this library too; slc and workers do not.
  void Preload(const std::string& library);
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
  // Waits until `size` workers are ready, none of them with that pid.
  void WaitForSuccessor(const std::string& service, int pid, std::size_t size);
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
  // Slots of the service have, or had, sockets of their own: that many beside one an address.
  void ExpectMoreSockets(const std::string& service, std::size_t count) {
    more_sockets_[service] = count;
  }
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
  std::map<std::string, std::size_t> more_sockets_;
  const Millis began_ = BootNow();
  int runs_ = 0;
  bool ended_ = false;
};

}  // namespace slc::test
