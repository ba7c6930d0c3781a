#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "common/base/text.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

std::string RealPath(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  return ::realpath(path.c_str(), real.data()) != nullptr ? real.data() : path;
}

// PATH as slcd has it when it starts the service at boot, where there is no shell: what was
// recorded, see "Environment" in README. A .env file may change it and is not looked at.
std::string BootPath(const ServiceSpec& spec) {
  for (const Environment* environment :
       {&spec.environment, &spec.script_environment, &spec.caller_environment}) {
    const auto found = environment->find("PATH");
    if (found != environment->end()) return found->second;
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

// What runs the service: node, or --interpreter; empty if it is executed itself.
std::string Runner(const ServiceSpec& spec) {
  if (!spec.interpreter.empty()) return spec.interpreter;
  if (!RunsOnNode(spec)) return {};
  return spec.node.empty() ? "node" : spec.node;
}

// Folders that are gone after a reboot, or with the shell that made them.
bool IsPassing(const std::string& path) {
  return StartsWith(path, "/tmp/") || StartsWith(path, "/run/") || StartsWith(path, "/dev/shm/") ||
         path.find("/fnm_multishells/") != std::string::npos;
}

// The program of a ready worker.
std::string ProgramNow(const ServiceView* view) {
  if (view == nullptr) return {};
  for (const ProcessView& process : view->processes) {
    if (process.worker == 0 || process.state != "ready") continue;
    return RealPath("/proc/" + std::to_string(process.pid) + "/exe");
  }
  return {};
}

Finding JudgeProgram(const Wish& wish, const ServiceView* view) {
  const ServiceSpec& spec = wish.spec;
  const std::string check = "program of " + spec.name;
  const std::string runner = Runner(spec);
  const std::string again = "slc start " + spec.directory + " --name " + spec.name;
  if (runner.empty()) {
    const std::string script =
        spec.script[0] == '/' ? spec.script : spec.directory + "/" + spec.script;
    if (::access(script.c_str(), X_OK) == 0) return Good(check, script);
    return Wrong(check, script + " cannot be executed", "put it back, or chmod +x it");
  }
  const std::string path = BootPath(spec);
  const auto found = FindProgram(runner, path);
  if (!found) {
    return Wrong(check,
                 runner + " is not found at boot, with the PATH recorded for it (" + path + ")",
                 again + (spec.interpreter.empty() ? " --node" : " --interpreter") +
                     " PATH, or the same command from a shell that finds it");
  }
  if (IsPassing(*found)) {
    return Warn(
        check, *found + " may be gone after a reboot",
        again + (spec.interpreter.empty() ? " --node " : " --interpreter ") + RealPath(*found));
  }
  const std::string now = ProgramNow(view);
  // A script with #! runs as its interpreter.
  if (spec.interpreter.empty() && !now.empty() && now != RealPath(*found)) {
    return Warn(check, "its workers run " + now + ", after a reboot they would run " + *found,
                "slc ctl soft-restart " + spec.name + " to have that now");
  }
  return Good(check, *found);
}

// Each worker is started anew from the folder and the script: what runs needs them no more, and its
// successor does.
Finding JudgeFiles(const ServiceSpec& spec) {
  const std::string check = "app of " + spec.name;
  const auto missing = [&](const std::string& what) {
    return Wrong(check, what + ", so that no worker can be started",
                 "put it back, or `slc start` the app where it is now with --name " + spec.name);
  };
  const std::string cwd =
      spec.cwd.empty() || spec.cwd[0] == '/' ? spec.cwd : spec.directory + "/" + spec.cwd;
  for (const std::string& folder : {spec.directory, cwd}) {
    struct stat info {};
    if (folder.empty()) continue;
    if (::stat(folder.c_str(), &info) != 0) return missing(folder + ": " + std::strerror(errno));
    if (!S_ISDIR(info.st_mode)) return missing(folder + " is not a folder");
  }
  const std::string script =
      spec.script[0] == '/' ? spec.script : spec.directory + "/" + spec.script;
  struct stat info {};
  if (::stat(script.c_str(), &info) != 0) return missing(script + ": " + std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return missing(script + " is a folder, not a script");
  return Good(check, script);
}

}  // namespace

Findings CheckApp(const Wish& wish, const ServiceView* view) {
  return {JudgeFiles(wish.spec), JudgeProgram(wish, view)};
}

}  // namespace slc::ctl
