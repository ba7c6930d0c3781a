// Command table: what slc understands, with the texts of its help.
#pragma once

#include <string>
#include <vector>

namespace slc::ctl {

enum class CommandId {
  kStart,
  kRun,
  kLogs,
  kControl,  // `slc ctl` itself
  kStatus,
  kList,
  kInfo,
  kCreate,
  kStartService,
  kStop,
  kSoftStop,
  kRestart,
  kSoftRestart,
  kClusterRestart,
  kSetSize,
  kEnvironmentGet,
  kEnvironmentSet,
  kEnvironmentUnset,
  kLogDump,
  kPackages,
  kRemove,
  kShutdown,
};

struct CommandInfo {
  CommandId id;
  const char* name;
  const char* alias;     // another name, or ""
  const char* operands;  // as shown: "SVC K=V..."
  std::size_t least;     // number of operands
  std::size_t most;
  const char* summary;  // one line
  const char* details;  // more lines for its own help, or ""
};

inline constexpr std::size_t kAnyNumber = 1U << 20;

// start, run, logs, ctl
const std::vector<CommandInfo>& Programs();
// status, ls, ...: what may follow `slc ctl`
const std::vector<CommandInfo>& Verbs();

// By name or alias; null if there is none.
const CommandInfo* FindCommand(const std::vector<CommandInfo>& table, const std::string& name);

// `slc --help` and `slc ctl --help`.
std::string OverviewText();
std::string ControlHelpText();

}  // namespace slc::ctl
