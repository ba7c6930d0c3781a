#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "common/base/text.h"
#include "ctl/doctor/checks.h"
#include "ctl/status_tables.h"

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

bool IsOurs(const Patient& patient, pid_t pid) {
  if (patient.holder && patient.holder->pid == pid) return true;
  if (StartsWith(VariableOf(pid, kCookieVariable), patient.cookie)) return true;
  return std::any_of(patient.views.begin(), patient.views.end(), [pid](const ServiceView& view) {
    return std::any_of(view.processes.begin(), view.processes.end(),
                       [pid](const ProcessView& process) { return process.pid == pid; });
  });
}

Finding JudgePort(const Patient& patient, const Wish& wish) {
  const std::string check = "port of " + wish.spec.name;
  const auto port = EffectivePort(wish);
  if (!port) {
    return Wrong(check, "3000 + its id is no port",
                 "slc ctl env-set " + wish.spec.name + " PORT=N");
  }
  const std::string number = std::to_string(*port);
  const auto holder = FindPortHolder(*port);
  if (!holder) return Good(check, number + ", nobody listens");
  if (IsOurs(patient, holder->pid)) return Good(check, number);
  // Without slcd nobody tells which master this is.
  if (!patient.daemon && StartsWith(holder->command, "slc-master")) return Good(check, number);
  return Wrong(check,
               number + " is held by a stranger: " + Printable(holder->command) + " (pid " +
                   std::to_string(holder->pid) + ")",
               "stop that, or slc ctl env-set " + wish.spec.name + " PORT=N");
}

Finding JudgeLog(const Patient& patient, const Wish& wish, const ServiceView* view) {
  const std::string check = "log of " + wish.spec.name;
  const std::string folder = patient.paths.home + "/logs/" + wish.spec.name;
  const std::string remark = view != nullptr ? LogRemark(*view) : std::string();
  if (view != nullptr && !view->log_trouble.empty()) {
    return Wrong(check, "it cannot be written: " + view->log_trouble, "see to " + folder);
  }
  if (!remark.empty()) return Warn(check, remark, "the disk was full or slow, or it says too much");
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return Good(check, "nothing was logged yet");
  if (!S_ISDIR(info.st_mode)) {
    return Wrong(check, folder + " is not a folder", "move it away, a new one is made");
  }
  if ((info.st_mode & S_IWUSR) == 0 || ::access(folder.c_str(), W_OK) != 0) {
    return Wrong(check, folder + " cannot be written in", "chmod u+w " + folder);
  }
  return Good(check, folder);
}

Finding JudgeState(const Wish& wish, const ServiceView& view) {
  const std::string check = "state of " + wish.spec.name;
  if (!wish.run || view.state == "running" || view.state == "finished") {
    return Good(check, view.state);
  }
  const std::string remark = view.reason.empty() ? view.state : view.state + ": " + view.reason;
  const bool failed = view.state == "failed" || view.state == "backoff";
  const std::string look = "slc logs " + wish.spec.name + " --err";
  return failed ? Wrong(check, remark, look) : Warn(check, remark, look);
}

}  // namespace

Findings CheckServices(const Patient& patient) {
  Findings findings;
  for (const Wish& wish : patient.wishes) {
    if (wish.spec.script.empty() || wish.removing) continue;
    const ServiceView* view = patient.ViewOf(wish.spec.name);
    if (view != nullptr) findings.push_back(JudgeState(wish, *view));
    if (!wish.run) continue;
    findings.push_back(JudgeProgram(wish, view));
    findings.push_back(JudgePort(patient, wish));
    findings.push_back(JudgeLog(patient, wish, view));
  }
  return findings;
}

}  // namespace slc::ctl
