#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/notify.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "ctl/boot/hint.h"
#include "ctl/boot/systemd.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

bool IsThere(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

bool AnyWanted(const Patient& patient) {
  return std::any_of(patient.wishes.begin(), patient.wishes.end(), IsToRun);
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

Finding JudgeAbsence(const Patient& patient) {
  if (!patient.closed.empty()) {
    return Warn("slcd", "it cannot be told whether it runs, nor whether it is to",
                "run this as " + patient.Owner());
  }
  for (const Supervisor& supervisor : patient.supervisors) {
    if (supervisor.master) continue;
    const std::string pid = std::to_string(supervisor.pid);
    return Wrong("slcd",
                 "it lives (pid " + pid + "), but its lock in " + patient.paths.run +
                     " is gone, and no command reaches it",
                 "it makes them anew in a moment; if it does not, kill -9 " + pid +
                     ", and the next slc command starts another");
  }
  if (!AnyWanted(patient)) return Good("slcd", "does not run, and nothing is to run");
  const std::string cure = TakesSlcd(patient)
                               ? "any command starts it: slc ctl status"
                               : "see to the home first: until then no command can start it";
  if (patient.past.shut_down) {
    return Warn("slcd", "was told to shut down, and services are to run", cure);
  }
  std::vector<std::string> down;
  for (const Wish& wish : patient.wishes) {
    if (IsToRun(wish) && patient.MasterOf(wish.id) == nullptr) down.push_back(wish.spec.name);
  }
  if (down.empty()) return Warn("slcd", "does not run, though services are to run", cure);
  return Wrong("slcd", "does not run, and what is to run is down: " + Join(down, ", "), cure);
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
  return {JudgeAbsence(patient)};
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
  const auto unit = SystemdRuns() ? FindUnit(patient.paths.home) : std::nullopt;
  if (unit) return JudgeUnit(patient, *unit);
  if (HasCrontab()) return {Good("boot", "by a line of the crontab")};
  if (!patient.closed.empty()) {
    return {Warn("boot", "it cannot be told whether anything is to be started at boot",
                 "run this as " + patient.Owner())};
  }
  if (!AnyWanted(patient)) return {Good("boot", "nothing is to be started at boot")};
  return {Warn("boot", "nothing starts services at boot, only the next slc command",
               HowToStartAtBoot())};
}

}  // namespace slc::ctl
