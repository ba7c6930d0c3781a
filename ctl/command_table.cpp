#include "ctl/command_table.h"

#include <algorithm>

#include "ctl/commands/commands.h"

namespace slc::ctl {
namespace {

constexpr CommandInfo kControlCommand{
    .name = "ctl",
    .operands = "[VERB ...]",
    .most = kAnyNumber,
    .summary = "Look at services and change them; alone it is `slc ctl status`.",
    .plan = nullptr,
};

std::string Columns(const std::string& left, const std::string& right) {
  constexpr std::size_t kLeft = 26;
  std::string line = "  " + left;
  if (line.size() + 1 > kLeft) return line + "\n" + std::string(kLeft, ' ') + right + "\n";
  return line + std::string(kLeft - line.size(), ' ') + right + "\n";
}

std::string Synopsis(const CommandInfo& command) {
  std::string text = command.name;
  if (command.alias[0] != '\0') text += std::string(", ") + command.alias;
  if (command.operands[0] != '\0') text += std::string(" ") + command.operands;
  return text;
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 slcd could not be reached or "
    "started,\n"
    "130 detached by Ctrl-C (the operation goes on).\n";

}  // namespace

CommandTable Programs() {
  static constexpr std::reference_wrapper<const CommandInfo> kTable[] = {
      kStartCommand,   kRunCommand,    kLogsCommand,    kEventsCommand,  kWhyCommand,
      kBuildCommand,   kDeployCommand, kControlCommand, kGatewayCommand, kTokenCommand,
      kServiceCommand, kDoctorCommand, kUpgradeCommand};
  return kTable;
}

CommandTable Verbs() {
  static constexpr std::reference_wrapper<const CommandInfo> kTable[] = {
      kStatusCommand,         kListCommand,
      kInfoCommand,           kCreateCommand,
      kStartServiceCommand,   kStopCommand,
      kSoftStopCommand,       kRestartCommand,
      kSoftRestartCommand,    kClusterRestartCommand,
      kSetSizeCommand,        kEnvironmentGetCommand,
      kEnvironmentSetCommand, kEnvironmentUnsetCommand,
      kLogDumpCommand,        kPackagesCommand,
      kReleasesCommand,       kRollbackCommand,
      kCpuStartCommand,       kCpuStopCommand,
      kHeapSnapshotCommand,   kObjectsStartCommand,
      kObjectsStopCommand,    kDebugStartCommand,
      kDebugStopCommand,      kProfilesCommand,
      kProfileGetCommand,     kProfileRemoveCommand,
      kPatchCommand,          kTracingStartCommand,
      kTracingStopCommand,    kRemoveCommand,
      kShutdownCommand};
  return kTable;
}

const CommandInfo* FindCommand(CommandTable table, const std::string& name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const CommandInfo& command) {
    return name == command.name || (command.alias[0] != '\0' && name == command.alias);
  });
  return found == table.end() ? nullptr : &found->get();
}

std::string OverviewText() {
  std::string text =
      "usage: slc COMMAND [options]\n\n"
      "Runs Node.js applications and other services as supervised clusters.\n\nCommands:\n";
  for (const CommandInfo& command : Programs()) text += Columns(Synopsis(command), command.summary);
  text +=
      "\n" +
      Columns("-C, --control URL", "Before a command: on another machine; see slc ctl --help.") +
      Columns("--version", "Print the version.") +
      Columns("--help", "This text; also after every command.");
  text +=
      "\nFirst steps, in the folder of an app:\n"
      "  slc start\n  slc ctl\n  slc logs -f\n  slc ctl soft-restart NAME\n\n";
  return text + kExitCodes;
}

std::string ControlHelpText() {
  std::string text =
      "usage: slc ctl [-C URL] [--json] [VERB ...]\n\n"
      "SVC is the name or the id of a service, as `slc ctl ls` shows them. Without a verb: "
      "status.\n"
      "WRK is the ID, PID or WID of a worker, as `slc ctl status` shows them, or SVC.WID.\n"
      "\nVerbs:\n";
  for (const CommandInfo& command : Verbs()) text += Columns(Synopsis(command), command.summary);
  text += "\nOptions of every verb:\n";
  text += Columns("-C, --control URL", "Another slcd, and never start one; also before `ctl`.");
  text += Columns("--cacert FILE", "Trust https servers of these authorities (PEM).");
  text += Columns("--cert, --key FILE", "Our certificate and its key, for servers that want one.");
  text += Columns("--json", "Print one JSON value instead of text.");
  text += Columns("--help", "About the verb.");
  text +=
      "\nURL is http://HOST:8701, https://HOST, http+ssh://[LOGIN@]HOST or unix:/PATH of a "
      "gateway, "
      "or the\npath of slcd's own socket; without, STRONGLOOP_MESH_API or STRONGLOOP_PM of the "
      "environment, else\nour own slcd. Credentials: USER:PASSWORD@ in the URL, or a token in "
      "SLC_TOKEN; files also in\nSLC_CACERT, SLC_CERT, SLC_KEY.\n";
  return text + "\n" + kExitCodes;
}

}  // namespace slc::ctl
