#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/notify.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "ctl/boot/systemd.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

bool IsThere(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

bool AnyWanted(const Patient& patient) {
  return std::any_of(patient.wishes.begin(), patient.wishes.end(),
                     [](const Wish& wish) { return wish.run; });
}

std::string Systemctl(const Unit& unit) { return unit.user ? "systemctl --user " : "systemctl "; }

Findings JudgeUnit(const Patient& patient, const Unit& unit) {
  const std::string file = OwnUnitFile(unit);
  const std::string folder = file.substr(0, file.rfind('/'));
  const std::string target = unit.user ? "default.target" : "multi-user.target";
  const std::string name = unit.name + ".service";
  if (!IsThere(folder + "/" + target + ".wants/" + name)) {
    return {Wrong("boot", file + " is not enabled", Systemctl(unit) + "enable " + name)};
  }
  const std::string user = LookUpUser(::geteuid()).name;
  if (unit.user && !IsThere("/var/lib/systemd/linger/" + user)) {
    return {Wrong("boot", "systemd starts what is " + user + "'s at login, and ends it at logout",
                  "loginctl enable-linger")};
  }
  if (patient.holder &&
      !ReadSupervision(EnvironmentOf(patient.holder->pid), patient.holder->pid).by_systemd) {
    return {Warn("boot", "systemd would start slcd at boot, but has not started the one that runs",
                 Systemctl(unit) + "restart " + name)};
  }
  return {Good("boot", name + " is enabled")};
}

bool HasCrontab() {
  const auto lines = CaptureOutput({"crontab", "-l"});
  if (!lines) return false;
  for (const std::string& line : Split(*lines, '\n')) {
    if (StartsWith(Trim(line), "@reboot") && line.find("slc") != std::string::npos) return true;
  }
  return false;
}

// "ID.WORKER" behind the home's part of a cookie.
struct Marked {
  pid_t pid = 0;
  ServiceId service = 0;
  WorkerId worker = 0;
};
std::vector<Marked> FindMarked(const Patient& patient) {
  std::vector<Marked> found;
  ProcessWalk walk;
  while (const pid_t pid = walk.Next()) {
    const std::string cookie = VariableOf(pid, kCookieVariable);
    if (!StartsWith(cookie, patient.cookie)) continue;
    const auto parts = Split(cookie.substr(patient.cookie.size()), '.');
    if (parts.size() != 2) continue;
    const auto service = ParseInteger(parts[0], 1, UINT32_MAX);
    const auto worker = ParseInteger(parts[1], 1, UINT32_MAX);
    if (!service || !worker) continue;
    found.push_back({pid, static_cast<ServiceId>(*service), static_cast<WorkerId>(*worker)});
  }
  return found;
}

bool IsKnown(const Patient& patient, const Marked& marked) {
  return std::any_of(patient.views.begin(), patient.views.end(), [&](const ServiceView& view) {
    return view.id == marked.service &&
           std::any_of(view.processes.begin(), view.processes.end(),
                       [&](const ProcessView& process) { return process.worker == marked.worker; });
  });
}

}  // namespace

Findings CheckDaemon(const Patient& patient) {
  if (patient.daemon) {
    const DaemonInfo& daemon = *patient.daemon;
    const std::string text =
        "runs (pid " + std::to_string(daemon.pid) + "), version " + Printable(daemon.version);
    if (daemon.version != OwnVersion().text) {
      return {Warn("slcd", text + ", but slc is " + OwnVersion().text, "slc upgrade")};
    }
    return {Good("slcd", text)};
  }
  if (patient.holder && patient.holder->pid == 0) {
    return {
        Wrong("slcd", "one holds the lock and does not answer, and its lock file names nobody",
              "pgrep -a slcd shows it; kill -9 of it does no harm to services, and the next slc "
              "command starts another")};
  }
  if (patient.holder) {
    const std::string pid = std::to_string(patient.holder->pid);
    return {Wrong("slcd", "it holds the lock (pid " + pid + ") but does not answer",
                  "see logs/slcd.log in the home; kill -9 " + pid +
                      " does no harm to services, and the next slc command starts another")};
  }
  if (AnyWanted(patient)) {
    return {Warn("slcd", "does not run, though services are to run",
                 "any command starts it: slc ctl status")};
  }
  return {Good("slcd", "does not run, and nothing is to run")};
}

Findings CheckMasters(const Patient& patient) {
  if (!patient.daemon) return {};
  Findings findings;
  for (const MasterInfo& master : patient.daemon->masters) {
    if (master.version.empty() || master.version == OwnVersion().text) continue;
    findings.push_back(Warn("master of " + master.service,
                            "is of version " + master.version + ", slc of " + OwnVersion().text,
                            "slc upgrade"));
  }
  for (const ServiceView& view : patient.views) {
    if (view.facts_age == 0) continue;
    findings.push_back(Wrong("master of " + view.name,
                             "has not answered for " + FormatSpan(view.facts_age),
                             "slcd replaces it by itself; look again in a minute"));
  }
  if (findings.empty()) {
    const std::size_t count = patient.daemon->masters.size();
    findings.push_back(Good("masters", std::to_string(count) + (count == 1 ? " runs" : " run") +
                                           (count == 0 ? "" : ", of this version")));
  }
  return findings;
}

Findings CheckBoot(const Patient& patient) {
  const auto unit = FindUnit(patient.paths.home);
  if (unit) return JudgeUnit(patient, *unit);
  if (HasCrontab()) return {Good("boot", "by a line of the crontab")};
  if (!AnyWanted(patient)) return {Good("boot", "nothing is to be started at boot")};
  const bool root = ::geteuid() == 0;
  return {Warn("boot", "nothing starts services at boot, only the next slc command",
               std::string("slc service install") + (root ? "" : " --user"))};
}

Findings CheckOrphans(const Patient& patient) {
  const std::vector<Marked> marked = patient.exists ? FindMarked(patient) : std::vector<Marked>{};
  if (marked.empty()) return {Good("orphans", "none")};
  if (!patient.daemon) {
    return {Warn("orphans",
                 std::to_string(marked.size()) + " processes of services run, and nobody can tell "
                                                 "whether they are known, since slcd does not",
                 "slc ctl status")};
  }
  std::vector<std::string> pids;
  for (const Marked& each : marked) {
    if (!IsKnown(patient, each)) pids.push_back(std::to_string(each.pid));
  }
  if (pids.empty()) return {Good("orphans", "none")};
  return {Wrong("orphans", "processes of workers that are gone: pid " + Join(pids, ", "),
                "kill " + Join(pids, " ") + ", unless they are on their way out")};
}

}  // namespace slc::ctl
