#include "ctl/command_table.h"

#include <algorithm>

namespace slc::ctl {
namespace {

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

const std::vector<CommandInfo>& Programs() {
  static const std::vector<CommandInfo> table{
      {CommandId::kStart, "start", "", "[DIR|FILE] [-- ARGS...]", 0, 1,
       "Run the app of a folder, or a file, as a supervised cluster.",
       "In a folder the script is scripts.start of package.json when that is a plain `node X` "
       "call, else\n"
       "server.js, app.js, main of package.json, index.js. The same folder again updates the "
       "service:\n"
       "options that are not given stay as they are.\n"
       "Waits until every worker is ready. Ctrl-C detaches; the start goes on.\n"},
      {CommandId::kRun, "run", "", "[DIR|FILE] [-- ARGS...]", 0, 1,
       "The same in the foreground, for containers.",
       "Logs go to standard output; `slc ctl` works beside it. SIGTERM and SIGINT drain and end it "
       "with\n"
       "exit code 0, SIGHUP is a soft-restart. The app gets the whole environment of this command, "
       "and\n"
       "PORT of it if that is set.\n"},
      {CommandId::kLogs, "logs", "", "[SVC]", 0, 1,
       "Show and follow the logs of one or all services.",
       "Merges workers and streams by time, rotated files included. Without -n or --since: the "
       "last 20\n"
       "lines.\n"},
      {CommandId::kControl, "ctl", "", "[VERB ...]", 0, kAnyNumber,
       "Look at services and change them; alone it is `slc ctl status`.", ""},
  };
  return table;
}

const std::vector<CommandInfo>& Verbs() {
  static const std::vector<CommandInfo> table{
      {CommandId::kStatus, "status", "", "[SVC]", 0, 1,
       "Services with their environment, instances and processes.", ""},
      {CommandId::kList, "ls", "", "", 0, 0, "List the services.", ""},
      {CommandId::kInfo, "info", "", "", 0, 0, "About slcd, the daemon.", ""},
      {CommandId::kCreate, "create", "", "NAME", 1, 1, "Create a service that has no app yet.", ""},
      {CommandId::kStartService, "start", "", "SVC", 1, 1, "Start a stopped service.", ""},
      {CommandId::kStop, "stop", "", "SVC", 1, 1, "Stop a service at once.",
       "Its workers get their stop signal (SIGTERM) and 5 s, then their process trees are killed.\n"
       "A stopped service stays stopped, whatever restarts.\n"},
      {CommandId::kSoftStop, "soft-stop", "", "SVC", 1, 1,
       "Let a service finish its connections, then stop it.", ""},
      {CommandId::kRestart, "restart", "", "SVC", 1, 1, "Stop a service and start it again.", ""},
      {CommandId::kSoftRestart, "soft-restart", "", "SVC", 1, 1,
       "Replace the workers one by one, without a failed request.",
       "Each successor is ready before its predecessor drains. New code, environment and "
       "configuration\n"
       "are used. If a successor does not come up, the old workers go on.\n"},
      {CommandId::kClusterRestart, "cluster-restart", "", "SVC", 1, 1, "The same as soft-restart.",
       ""},
      {CommandId::kSetSize, "set-size", "", "SVC N|cpu", 2, 2,
       "Set the number of workers: 0 to 1024, or one per CPU.", ""},
      {CommandId::kEnvironmentGet, "env-get", "env", "SVC [KEY...]", 1, kAnyNumber,
       "Show environment variables of a service.", ""},
      {CommandId::kEnvironmentSet, "env-set", "", "SVC K=V...", 2, kAnyNumber,
       "Set environment variables; a running service is soft-restarted.", ""},
      {CommandId::kEnvironmentUnset, "env-unset", "", "SVC KEY...", 2, kAnyNumber,
       "Remove environment variables; a running service is soft-restarted.", ""},
      {CommandId::kLogDump, "log-dump", "", "[SVC]", 0, 1,
       "Print what was logged since the last dump, at most 1 MiB.", ""},
      {CommandId::kPackages, "npmls", "", "SVC [DEPTH]", 1, 2,
       "List the npm packages of a service.", "DEPTH 0 shows the direct dependencies only.\n"},
      {CommandId::kRemove, "remove", "", "SVC", 1, 1, "Stop a service and forget it.", ""},
      {CommandId::kShutdown, "shutdown", "", "", 0, 0,
       "Drain and stop all services, then slcd itself.",
       "The services are remembered: the next command starts slcd again, and with it those that "
       "ran.\n"},
  };
  return table;
}

const CommandInfo* FindCommand(const std::vector<CommandInfo>& table, const std::string& name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const CommandInfo& command) {
    return name == command.name || (command.alias[0] != '\0' && name == command.alias);
  });
  return found == table.end() ? nullptr : &*found;
}

std::string OverviewText() {
  std::string text =
      "usage: slc COMMAND [options]\n\n"
      "Runs Node.js applications and other services as supervised clusters.\n\nCommands:\n";
  for (const CommandInfo& command : Programs()) text += Columns(Synopsis(command), command.summary);
  text += "\n" + Columns("--version", "Print the version.") +
          Columns("--help", "This text; also after every command.");
  text +=
      "\nFirst steps, in the folder of an app:\n"
      "  slc start\n  slc ctl\n  slc logs -f\n  slc ctl soft-restart NAME\n\n";
  return text + kExitCodes;
}

std::string ControlHelpText() {
  std::string text =
      "usage: slc ctl [-C SOCKET] [--json] [VERB ...]\n\n"
      "SVC is the name or the id of a service, as `slc ctl ls` shows them. Without a verb: "
      "status.\n"
      "\nVerbs:\n";
  for (const CommandInfo& command : Verbs()) text += Columns(Synopsis(command), command.summary);
  text += "\nOptions of every verb:\n";
  text += Columns("-C, --control SOCKET", "Talk to the slcd at this unix socket; never start one.");
  text += Columns("--json", "Print one JSON value instead of text.");
  text += Columns("--help", "About the verb.");
  return text + "\n" + kExitCodes;
}

}  // namespace slc::ctl
