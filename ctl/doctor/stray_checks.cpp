#include <unistd.h>

#include <algorithm>

#include "common/base/text.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

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

// slcd may have started it since it was asked: of that it could not tell. The kernel counts starts
// in ticks.
bool IsYounger(pid_t pid, Millis moment) {
  const auto identity = IdentifyProcess(pid);
  if (!identity) return true;  // it has ended
  const auto ticks = static_cast<Millis>(::sysconf(_SC_CLK_TCK));
  return (static_cast<Millis>(identity->start_time) + 1) * 1000 / ticks >= moment;
}

std::string Pids(const std::vector<pid_t>& pids, const char* separator) {
  std::vector<std::string> texts;
  for (const pid_t pid : pids) texts.push_back(std::to_string(pid));
  return Join(texts, separator);
}

// slcd tells of all its masters. An ended one may have been seen in between.
bool IsStray(const Patient& patient, const Supervisor& supervisor) {
  if (!patient.daemon || !IdentifyProcess(supervisor.pid)) return false;
  if (!supervisor.master) {
    if (supervisor.pid == patient.daemon->pid) return false;
    // What slcd starts is a copy of it for a moment.
    const auto usage = ReadUsage(supervisor.pid);
    return usage && usage->parent != patient.daemon->pid;
  }
  const auto& masters = patient.daemon->masters;
  return std::none_of(masters.begin(), masters.end(),
                      [&](const MasterInfo& master) { return master.pid == supervisor.pid; });
}

// slcd has not told, or not yet, which workers the service has; or a master that slcd does not know
// has them.
bool IsUntold(const Patient& patient, ServiceId service) {
  if (patient.views.size() < patient.daemon->services) return true;
  const bool stray = std::any_of(
      patient.supervisors.begin(), patient.supervisors.end(), [&](const Supervisor& supervisor) {
        return supervisor.master && supervisor.service == service && IsStray(patient, supervisor);
      });
  const auto view = std::find_if(patient.views.begin(), patient.views.end(),
                                 [service](const ServiceView& each) { return each.id == service; });
  return stray || (view != patient.views.end() &&
                   (view->state == "adopting" || view->state == "quarantined"));
}

std::string NameOf(const Patient& patient, ServiceId service) {
  for (const Wish& wish : patient.wishes) {
    if (wish.id == service) return wish.spec.name;
  }
  return "service " + std::to_string(service);
}

}  // namespace

Findings CheckStrays(const Patient& patient) {
  Findings findings;
  for (const Supervisor& supervisor : patient.supervisors) {
    if (!IsStray(patient, supervisor)) continue;
    const std::string pid = std::to_string(supervisor.pid);
    if (!supervisor.master) {
      findings.push_back(Wrong(
          "slcd", "another one lives for this home (pid " + pid + "), which no command reaches",
          "it leaves by itself; if it does not: kill -9 " + pid));
      continue;
    }
    const std::string name = NameOf(patient, supervisor.service);
    std::vector<pid_t> workers;
    for (const Marked& marked : FindMarked(patient)) {
      const bool its = marked.service == supervisor.service && !IsKnown(patient, marked);
      if (its) workers.push_back(marked.pid);
    }
    findings.push_back(
        Wrong("master of " + name,
              "one lives (pid " + pid + ") that slcd does not know" +
                  (workers.empty() ? "" : "; its workers may serve: pid " + Pids(workers, ", ")),
              "look again in a minute; if it is still there: kill -9 " + pid +
                  ", then slc ctl restart " + name));
  }
  return findings;
}

Findings CheckOrphans(const Patient& patient) {
  if (!patient.closed.empty()) {
    return {Warn("orphans", "it cannot be told", "run this as " + patient.Owner())};
  }
  const std::vector<Marked> marked = patient.exists ? FindMarked(patient) : std::vector<Marked>{};
  if (marked.empty()) return {Good("orphans", "none")};
  if (!patient.daemon) {
    const std::string count = std::to_string(marked.size());
    return {Warn("orphans",
                 (marked.size() == 1 ? "1 process of a service runs"
                                     : count + " processes of services run") +
                     std::string(", and nobody can tell whether they are known, since slcd does "
                                 "not answer"),
                 "slc ctl status")};
  }
  std::vector<pid_t> gone;
  std::size_t untold = 0;
  for (const Marked& each : marked) {
    if (IsKnown(patient, each) || IsYounger(each.pid, patient.asked)) continue;
    if (IsUntold(patient, each.service)) {
      ++untold;
    } else {
      gone.push_back(each.pid);
    }
  }
  if (!gone.empty()) {
    return {Wrong("orphans", "processes of workers that are gone: pid " + Pids(gone, ", "),
                  "kill " + Pids(gone, " ") + ", unless they are on their way out")};
  }
  if (untold > 0) {
    return {Warn("orphans",
                 "of " + std::to_string(untold) + (untold == 1 ? " process" : " processes") +
                     " of services slcd cannot tell yet whether they serve: leave them alone",
                 "look again in a minute")};
  }
  return {Good("orphans", "none")};
}

}  // namespace slc::ctl
