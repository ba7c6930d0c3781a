// slc ctl info, slc ctl shutdown: about slcd itself.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <map>

#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/lock_holder.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/base/version.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Plan PlanInfo(const Surroundings& around) {
  return Verb<InfoOptions>(around).Make(NoOperands<InfoOptions>);
}

Plan PlanShutdown(const Surroundings& around) {
  return Verb<ShutdownOptions>(around).Make(NoOperands<ShutdownOptions>);
}

// "3 of version 0.2.0, 1 of version 0.1.0 (my-app)": those that are not of the version of most are
// named.
std::string MastersText(const std::vector<MasterInfo>& masters) {
  std::map<std::string, std::vector<std::string>> names;
  for (const MasterInfo& master : masters) {
    names[master.version.empty() ? "not told" : master.version].push_back(master.service);
  }
  if (names.empty()) return "none";
  const auto most = std::max_element(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.second.size() < b.second.size();
  });
  std::vector<std::string> parts;
  for (const auto& [version, services] : names) {
    std::string part = std::to_string(services.size()) + " of version " + version;
    if (version != most->first) part += " (" + Join(services, ", ") + ")";
    parts.push_back(std::move(part));
  }
  return Printable(Join(parts, ", "));
}

// slcd has answered and is on its way out. Whoever starts another one next, as `slc run` in a
// script does, must not meet its lock; whoever unmounts the home must not meet its files, which it
// has for some milliseconds more: success when the lock is free and its process has ended.
Status AwaitEnd() {
  constexpr Millis kPatience = 5'000;
  constexpr int kPause = 5;
  const auto paths = LocateOwnHome();
  if (!paths) return Ok();
  const UniqueFd run(::open(paths->run.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Millis deadline = BootNow() + kPatience;
  const Error late{ErrorCode::kTimeout, "its process has not ended yet"};
  const auto text = ReadFileAt(run.get(), kDaemonLock, 4096);
  const auto holder = text ? ReadLockHolder(*text) : std::nullopt;
  const UniqueFd process = holder ? OpenProcess(holder->process) : UniqueFd();
  while (run) {
    const auto locked = IsLockedAt(run.get(), kDaemonLock);
    if (!locked) return locked.error().During("whether its process has ended cannot be told");
    if (!*locked) break;
    if (BootNow() > deadline) return late;
    ::poll(nullptr, 0, kPause);
  }
  if (process && !HasEnded(process, kPatience)) return late;
  return Ok();
}

}  // namespace

constinit const CommandInfo kInfoCommand{
    .name = "info",
    .summary = "About slcd, the daemon.",
    .plan = PlanInfo,
};

constinit const CommandInfo kShutdownCommand{
    .name = "shutdown",
    .elsewhere = "kill",
    .summary = "Drain and stop all services, then slcd itself.",
    .details =
        "The services are remembered: the next command starts slcd again, and with it those that "
        "ran.\n",
    .plan = PlanShutdown,
};

int Run(const InfoOptions& options) {
  const Answer answer = Look(options.control, GetInfo{});
  if (answer.kind == Answer::Kind::kNoServices) {
    Print(options.control.json
              ? NotRunningJson(answer.place)
              : std::string("Server Name:     slcd\nServer Version:  ") + OwnVersion().text +
                    "\nHome:            " + Printable(answer.place) +
                    "\nDriver Status:   not running, no services exist\n");
    return kDone;
  }
  if (!IsGood(answer)) {
    return ReportFailure(answer, "ask slcd about itself", "", options.control.json);
  }
  const auto* info = std::get_if<DaemonInfo>(&answer.reply.data);
  if (info == nullptr) {
    return ReportError(Error{ErrorCode::kProtocol, "slcd did not say anything about itself"},
                       options.control.json);
  }
  if (options.control.json) {
    Print(InfoJson(*info));
    return kDone;
  }
  Print(
      "Server Name:     slcd\n"
      "Server Version:  " +
      Printable(info->version) +
      "\n"
      "Server PID:      " +
      std::to_string(info->pid) +
      "\n"
      "API Version:     " +
      std::to_string(info->protocol) +
      "\n"
      "API Socket:      " +
      Printable(info->socket) +
      "\n"
      "Home:            " +
      Printable(info->home) +
      "\n"
      "Running since:   " +
      FormatIso(info->started_wall) + " (" + FormatSpan(info->uptime) +
      ")\n"
      "CPUs:            " +
      std::to_string(info->cpus) +
      "\n"
      "Services:        " +
      std::to_string(info->services) +
      "\n"
      "Storage:         " +
      (info->storage.empty() ? std::string("changes are recorded") : Printable(info->storage)) +
      "\n"
      "Masters:         " +
      MastersText(info->masters) +
      "\n"
      "Driver Status:   running\n" +
      (info->trouble.empty() ? "" : "Trouble:         " + Printable(info->trouble) + "\n"));
  RemarkNotes(answer.reply);
  return kDone;
}

int Run(const ShutdownOptions& options) {
  Question question;
  question.control = options.control;
  question.when_absent = WhenAbsent::kStartIfMasters;
  question.body = Shutdown{};
  question.doing = "shutting down";
  question.quiet = options.control.json;
  const Answer answer = Ask(question);
  const bool absent = answer.kind == Answer::Kind::kNoServices;
  if (!absent && (answer.kind != Answer::Kind::kReply || answer.reply.error)) {
    return ReportFailure(answer, "shut down", "", options.control.json);
  }
  if (!absent && options.control.ours()) {
    const Status ended = AwaitEnd();
    if (!ended) Complain("slcd has stopped all services, but " + ended.error().message);
  }
  if (options.control.json) {
    Print(DoneJson(answer.reply, answer.took));
    return kDone;
  }
  std::string text = absent ? "slcd was not running\n" : "slcd was shut down\n";
  for (const std::string& note : answer.reply.notes) text += "  " + Printable(note) + "\n";
  Print(text);
  return kDone;
}

}  // namespace slc::ctl
