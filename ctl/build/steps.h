// Steps: runs the programs that a build consists of, one after the other, says which, and keeps
// what they print for the case that one fails.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/result.h"
#include "ctl/build/interrupts.h"
#include "ctl/option_parser.h"

namespace slc::ctl {

struct Step {
  Words command;            // its program is looked up in PATH
  std::string folder;       // where it runs
  Environment environment;  // beyond our own
  std::string advice;       // what to do when it fails
  bool told = true;         // "Running `...`" is printed
  // What tells most when it fails stands at the beginning of its errors, not at the end of all.
  bool begins_with_reason = false;
  int output = -1;  // gets its standard output; -1: Run() gives that back
  // Writes its standard input to the descriptor, and may fail; else it gets none.
  std::function<Status(int fd)> feed;
};

class Steps {
 public:
  // `quiet`: nothing is printed.
  Steps(Interrupts& interrupts, bool quiet) : interrupts_(interrupts), quiet_(quiet) {}

  // Waits for its end and gives what it printed on standard output. An error names the step and how
  // it ended, and what to do; output() then has the last lines of it. kCancelled: a signal came.
  Result<std::string> Run(const Step& step);
  // Whether it ended with exit code 0; prints nothing.
  bool Try(Step step);

  // A line for the reader, if he is there.
  void Say(const std::string& line) const;
  // What the reader should know in the end; also in the JSON.
  void Note(const std::string& note) { notes_.push_back(note); }

  // At most 20 lines of the step that failed, fit for a terminal.
  const std::vector<std::string>& output() const { return output_; }
  const std::vector<std::string>& notes() const { return notes_; }
  Interrupts& interrupts() { return interrupts_; }

 private:
  Interrupts& interrupts_;
  bool quiet_;
  std::vector<std::string> output_;
  std::vector<std::string> notes_;
};

// The command as it is shown: "npm run build".
std::string Shown(const Words& command);

}  // namespace slc::ctl
