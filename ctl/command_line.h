// Command line: from argv to plain options. Pure but for the files it never reads: paths stay as
// typed.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ctl/options.h"

namespace slc::ctl {

// Something to print instead of a command: help, the version, or what is wrong with the command
// line.
struct Printout {
  std::string text;
  bool is_error = false;
  bool json = false;  // an error of a command line that asked for JSON
};

// `arguments` without the program's own name.
std::variant<Command, Printout> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace slc::ctl
