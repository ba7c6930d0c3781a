#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/text.h"
#include "ctl/doctor/checks.h"
#include "ctl/status_tables.h"

namespace slc::ctl {
namespace {

bool IsOurs(const Patient& patient, pid_t pid) {
  const auto is_it = [pid](const auto& process) { return process.pid == pid; };
  if (patient.holder && patient.holder->pid == pid) return true;
  if (std::any_of(patient.supervisors.begin(), patient.supervisors.end(), is_it)) return true;
  if (StartsWith(VariableOf(pid, kCookieVariable), patient.cookie)) return true;
  return std::any_of(patient.views.begin(), patient.views.end(), [&](const ServiceView& view) {
    return std::any_of(view.processes.begin(), view.processes.end(), is_it);
  });
}

bool AnyReady(const ServiceView& view) {
  return std::any_of(view.processes.begin(), view.processes.end(), [](const ProcessView& process) {
    return process.worker != 0 && process.state == "ready";
  });
}

bool HasFailed(const ServiceView& view) {
  return view.state == "failed" || view.state == "backoff" || view.state == "quarantined";
}

// Why nobody listens is told by the state.
Finding JudgeSilence(const Patient& patient, const Wish& wish, const ServiceView* view,
                     const std::string& number) {
  const std::string check = "port of " + wish.spec.name;
  const std::string text = number + ", nobody listens";
  if (!IsToRun(wish) || patient.past.shut_down) return Good(check, text);
  if (view != nullptr && view->state == "finished") return Good(check, text);
  // An app may listen elsewhere, or on nothing.
  if (view != nullptr && AnyReady(*view)) return Good(check, text + "; its workers are ready");
  const std::string cure = "see the state of " + wish.spec.name;
  const bool down = view != nullptr ? HasFailed(*view) : patient.MasterOf(wish.id) == nullptr;
  return down ? Wrong(check, text + ", though it is to run", cure)
              : Warn(check, text + " yet", cure);
}

Finding JudgePort(const Patient& patient, const Wish& wish, const ServiceView* view) {
  const std::string check = "port of " + wish.spec.name;
  const auto port = EffectivePort(wish);
  if (!port) {
    return Wrong(check, "3000 + its id is no port",
                 "slc ctl env-set " + wish.spec.name + " PORT=N");
  }
  const std::string number = std::to_string(*port);
  const auto holder = FindPortHolder(*port);
  if (!holder) return JudgeSilence(patient, wish, view, number);
  if (IsOurs(patient, holder->pid)) return Good(check, number);
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
  const int reason = ::access(folder.c_str(), W_OK) == 0 ? 0 : errno;
  if (reason == EROFS) {
    return Wrong(check, folder + ": " + std::strerror(reason), "remount it read-write");
  }
  if ((info.st_mode & S_IWUSR) == 0 || reason != 0) {
    return Wrong(check, folder + " cannot be written in", "chmod u+w " + folder);
  }
  return Good(check, folder);
}

Finding JudgeView(const Wish& wish, const ServiceView& view) {
  const std::string check = "state of " + wish.spec.name;
  if (!wish.run || view.state == "running" || view.state == "finished") {
    return Good(check, view.state);
  }
  const std::string remark = view.reason.empty() ? view.state : view.state + ", " + view.reason;
  const std::string look = "slc logs " + wish.spec.name + " --err";
  return HasFailed(view) ? Wrong(check, remark, look) : Warn(check, remark, look);
}

// Without slcd only /proc tells.
Finding JudgeUnseen(const Patient& patient, const Wish& wish) {
  const std::string check = "state of " + wish.spec.name;
  if (const Supervisor* master = patient.MasterOf(wish.id)) {
    return Good(check, "its master lives (pid " + std::to_string(master->pid) +
                           "), only slcd could tell more");
  }
  if (patient.past.shut_down) {
    return Warn(check, "down since slcd was told to shut down", "see slcd above");
  }
  return Wrong(check, "it is to run and does not: it has no master", "see slcd above");
}

// A crash that comes later than --min-uptime is no reason for a back-off, and looks like health.
std::optional<Finding> JudgeEnds(const Patient& patient, const Wish& wish) {
  constexpr std::uint64_t kSeveral = 3;
  const auto ends = patient.past.ends.find(wish.id);
  if (ends == patient.past.ends.end() || ends->second < kSeveral) return std::nullopt;
  return Warn("ends of " + wish.spec.name,
              std::to_string(ends->second) + " workers ended unasked in the last hour",
              "slc why " + wish.spec.name);
}

}  // namespace

Findings CheckServices(const Patient& patient) {
  Findings findings;
  for (const Wish& wish : patient.wishes) {
    if (wish.spec.script.empty() || wish.removing) continue;
    const ServiceView* view = patient.ViewOf(wish.spec.name);
    if (view != nullptr) {
      findings.push_back(JudgeView(wish, *view));
    } else if (!patient.daemon && IsToRun(wish)) {
      findings.push_back(JudgeUnseen(patient, wish));
    }
    if (!wish.run) continue;
    if (auto ends = JudgeEnds(patient, wish)) findings.push_back(std::move(*ends));
    for (Finding& finding : CheckApp(wish, view)) findings.push_back(std::move(finding));
    findings.push_back(JudgePort(patient, wish, view));
    findings.push_back(JudgeLog(patient, wish, view));
    if (view != nullptr && !view->schedule_trouble.empty()) {
      findings.push_back(Warn("--restart-at of " + wish.spec.name, view->schedule_trouble,
                              "slc start with --restart-at as it should be, or none"));
    }
    if (view != nullptr && !view->watch_trouble.empty()) {
      findings.push_back(Warn("--watch of " + wish.spec.name, view->watch_trouble,
                              "see there, or slc start with --watch-only or --no-watch"));
    }
  }
  return findings;
}

}  // namespace slc::ctl
