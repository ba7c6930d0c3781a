// slc service install, slc service uninstall: whether slcd is started at boot, by systemd.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/boot/systemd.h"
#include "ctl/boot/unit.h"
#include "ctl/commands/commands.h"
#include "ctl/connect.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Plan PlanService(const Surroundings& /*around*/) {
  auto value = std::make_shared<BootOptions>();
  Plan plan;
  plan.options.Flag("--user", "The unit is yours, not the machine's.", value->user);
  plan.options.Flag("--yes", "Do it; else it is only shown.", value->yes);
  plan.options.Flag("--force", "Replace a unit that slc has not written.", value->force);
  plan.options.Value("--name", "NAME", "Name of the unit (slc), for a second home.",
                     [value](const std::string& name) -> Status {
                       if (!IsUnitName(name)) {
                         return Error{ErrorCode::kUsage, "'" + Printable(name) +
                                                             "' is no name for a unit: letters, "
                                                             "digits and . _ - only"};
                       }
                       value->name = name;
                       return Ok();
                     });
  plan.options.Flag("--json", "Print one JSON value instead of text.", value->json);
  plan.make = [value](const Words& operands) -> Result<Command> {
    value->install = operands[0] == "install";
    if (!value->install && operands[0] != "uninstall") {
      return Error{ErrorCode::kUsage, "'" + Printable(operands[0]) +
                                          "' is neither install nor uninstall; services are shown "
                                          "and changed by `slc ctl`"};
    }
    return Command(*value);
  };
  return plan;
}

// What is shown, or was done.
struct Deed {
  std::string file;
  std::string text;  // of the unit; empty when it is removed
  std::vector<Words> before;
  std::vector<Words> after;
  std::vector<std::string> notes;
};

std::string NoSystemd(const Unit& unit) {
  return "this machine was not booted with systemd. A line in the crontab (crontab -e) starts what "
         "ran at boot as well: " +
         CrontabLine(unit);
}

Status CheckUser(const BootOptions& options) {
  const bool root = ::geteuid() == 0;
  if (root && options.user) {
    return Error{ErrorCode::kUsage,
                 "--user is for other users than root, whose unit is the machine's"};
  }
  if (!root && !options.user) {
    return Error{ErrorCode::kPermission,
                 "the machine's units are root's; yours: slc service " +
                     std::string(options.install ? "install" : "uninstall") + " --user"};
  }
  return Ok();
}

// Of a file that stands where the unit is to be.
enum class Found { kNothing, kOurs, kForeign };
Result<Found> LookAtFile(const std::string& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) != 0) {
    if (errno == ENOENT) return Found::kNothing;
    return SystemError("look at " + file, errno);
  }
  if (!S_ISREG(info.st_mode)) return Found::kForeign;
  auto text = ReadFile(file, 1U << 20);
  if (!text) return text.error();
  return IsOurUnit(*text) ? Found::kOurs : Found::kForeign;
}

Status WriteUnit(const std::string& file, const std::string& text) {
  const std::size_t slash = file.rfind('/');
  const std::string folder = file.substr(0, slash);
  const std::string name = file.substr(slash + 1);
  if (Status made = MakeDirectories(folder); !made) return made;
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return SystemError("open " + folder, errno);
  if (Status written = ReplaceFileAt(directory.get(), name, text, false); !written) {
    return written.error().During(folder);
  }
  // systemd complains of units that not everybody may read; there is no secret in it.
  if (::fchmodat(directory.get(), name.c_str(), 0644, 0) != 0) {
    return SystemError("chmod " + file, errno);
  }
  return Ok();
}

Status RunAll(const std::vector<Words>& commands, bool quiet) {
  for (const Words& command : commands) {
    if (!quiet) Print("  " + Join(command, " ") + "\n");
    if (Status ran = RunToEnd(command, quiet); !ran) return ran;
  }
  return Ok();
}

// The slcd of our home, if one answers.
std::optional<DaemonInfo> RunningDaemon() {
  Daemon daemon("", WhenAbsent::kStartIfServices);
  auto there = daemon.ConnectOnly();
  if (!there || !*there) return std::nullopt;
  Request request;
  request.id = NewRequestId();
  request.body = GetInfo{};
  constexpr Millis kPatience = 2000;
  if (!(**there).Send(request)) return std::nullopt;
  auto message = (**there).Receive(kPatience);
  const Reply* reply = message && *message ? std::get_if<Reply>(&(*message)->body) : nullptr;
  const auto* info = reply != nullptr ? std::get_if<DaemonInfo>(&reply->data) : nullptr;
  return info != nullptr ? std::optional<DaemonInfo>(*info) : std::nullopt;
}

std::string Indented(const std::string& text) {
  std::string indented;
  for (const std::string& line : Split(Trim(text), '\n')) {
    indented += (line.empty() ? "" : "    ") + line + "\n";
  }
  return indented;
}

void Show(const BootOptions& options, const Deed& deed) {
  if (options.json) {
    Print(BootJson({options.yes, deed.file, deed.text, deed.before, deed.after, deed.notes}));
    return;
  }
  std::string text;
  if (!options.yes) {
    const auto list = [&](const std::vector<Words>& commands) {
      for (const Words& command : commands) text += "    " + Join(command, " ") + "\n";
    };
    if (options.install) {
      text = "would write " + deed.file + ":\n\n" + Indented(deed.text) + "\nand run\n";
    } else {
      text = "would run\n";
      list(deed.before);
      text += "remove " + deed.file + "\nand run\n";
    }
    list(deed.after);
  }
  for (const std::string& note : deed.notes) text += note + "\n";
  if (!options.yes) text += "nothing was changed; --yes does it\n";
  Print(text);
}

int Install(const BootOptions& options, const Unit& unit) {
  Deed deed;
  deed.file = OwnUnitFile(unit);
  deed.text = UnitText(unit);
  deed.after = InstallCommands(unit);
  const auto found = LookAtFile(deed.file);
  if (!found) return ReportError(found.error(), options.json);
  if (*found == Found::kForeign && !options.force) {
    return ReportError(
        Error{ErrorCode::kConflict, deed.file + " is there and was not written by slc; --force "
                                                "replaces it, --name takes another name"},
        options.json);
  }
  const auto old = RunningDaemon();
  if (!options.yes) {
    if (old) {
      deed.notes.push_back("slcd (pid " + std::to_string(old->pid) +
                           ") would leave and systemd's take over from it; services go on");
    }
    Show(options, deed);
    return kDone;
  }
  if (Status written = WriteUnit(deed.file, deed.text); !written) {
    return ReportError(written.error().During("install the unit"), options.json);
  }
  if (!options.json) Print("wrote " + deed.file + "\n");
  if (Status ran = RunAll(deed.after, options.json); !ran) {
    return ReportError(ran.error().During("the unit " + deed.file + " was written, but"),
                       options.json);
  }
  const auto now = RunningDaemon();
  if (!now) {
    return ReportError(Error{ErrorCode::kUnreachable,
                             "the unit was started, but slcd does not answer; see: systemctl " +
                                 std::string(unit.user ? "--user " : "") + "status " + unit.name},
                       options.json);
  }
  deed.notes.push_back("systemd starts slcd at boot and whenever it ends; it runs (pid " +
                       std::to_string(now->pid) + ")");
  if (old) {
    deed.notes.push_back("it has taken over from slcd (pid " + std::to_string(old->pid) +
                         "); services went on, and stay outside of the unit's cgroup until their "
                         "next `slc ctl restart`");
  }
  Show(options, deed);
  return kDone;
}

int Uninstall(const BootOptions& options, const Unit& unit) {
  Deed deed;
  deed.file = OwnUnitFile(unit);
  deed.before = CommandsBeforeRemoval(unit);
  deed.after = CommandsAfterRemoval(unit);
  const auto found = LookAtFile(deed.file);
  if (!found) return ReportError(found.error(), options.json);
  if (*found == Found::kNothing) {
    return ReportError(Error{ErrorCode::kNotFound, "there is no " + deed.file}, options.json);
  }
  if (*found == Found::kForeign && !options.force) {
    return ReportError(
        Error{ErrorCode::kConflict, deed.file + " was not written by slc; --force removes it"},
        options.json);
  }
  if (!options.yes) {
    deed.notes.emplace_back("services would go on, under a slcd that nobody starts at boot");
    Show(options, deed);
    return kDone;
  }
  if (Status ran = RunAll(deed.before, options.json); !ran) {
    return ReportError(ran.error(), options.json);
  }
  if (::unlink(deed.file.c_str()) != 0) {
    return ReportError(SystemError("remove " + deed.file, errno), options.json);
  }
  if (!options.json) Print("removed " + deed.file + "\n");
  if (Status ran = RunAll(deed.after, options.json); !ran) {
    return ReportError(ran.error(), options.json);
  }
  // What runs must not be without a slcd until somebody happens to give a command.
  Daemon daemon("", WhenAbsent::kStartIfServices);
  if (auto client = daemon.Connect(); !client) return ReportError(client.error(), options.json);
  deed.notes.emplace_back("services go on; nothing starts them at boot any more");
  if (unit.user) deed.notes.emplace_back("lingering was left on: loginctl disable-linger");
  Show(options, deed);
  return kDone;
}

}  // namespace

constinit const CommandInfo kServiceCommand{
    .name = "service",
    .elsewhere = "startup unstartup pm-install",
    .operands = "install|uninstall",
    .least = 1,
    .most = 1,
    .summary = "Have systemd start slcd at boot, and again whenever it ends.",
    .details =
        "Shows the unit, and what would be run; with --yes it is done. Services go on over both,\n"
        "and so does what is wanted of them.\n",
    .here_only = "it is about the systemd of this machine; log in there and run it",
    .plan = PlanService,
};

int Run(const BootOptions& options) {
  if (Status good = CheckUser(options); !good) return ReportError(good.error(), options.json);
  auto unit = MakeUnit(options.name, options.user);
  if (!unit) return ReportError(unit.error(), options.json);
  if (!SystemdRuns()) {
    return ReportError(Error{ErrorCode::kNotFound, NoSystemd(*unit)}, options.json);
  }
  return options.install ? Install(options, *unit) : Uninstall(options, *unit);
}

}  // namespace slc::ctl
