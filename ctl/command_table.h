// Command table: what slc understands, and the help about all of it.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "ctl/command.h"

namespace slc::ctl {

using CommandTable = std::span<const std::reference_wrapper<const CommandInfo>>;

// start, run, logs, ctl
CommandTable Programs();
// status, ls, ...: what may follow `slc ctl`
CommandTable Verbs();

// By name or alias; null if there is none.
const CommandInfo* FindCommand(CommandTable table, const std::string& name);

// `slc --help` and `slc ctl --help`.
std::string OverviewText();
std::string ControlHelpText();

}  // namespace slc::ctl
