// LogPrinter: how the lines of several streams of several services look when printed as one.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "ctl/logs/line.h"
#include "ctl/logs/source.h"

namespace slc::ctl {

class LogPrinter {
 public:
  // json: an object per line. terminal: `out` is one, and is protected from what lines hold.
  struct Style {
    bool json = false;
    bool terminal = false;
  };
  // Several sources: each line begins with "NAME | ". All arguments outlive the printer.
  LogPrinter(const std::vector<LogSource>& sources, Style style, std::ostream& out);

  void Print(std::size_t source, const LogLine& line);

 private:
  const std::vector<LogSource>& sources_;
  const Style style_;
  std::ostream& out_;
  std::vector<std::string> prefixes_;
};

}  // namespace slc::ctl
