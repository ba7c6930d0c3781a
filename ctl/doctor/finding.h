// Finding: what the doctor says of one thing. Pure.
#pragma once

#include <string>
#include <vector>

namespace slc::ctl {

struct Finding {
  enum class Level { kOk, kWarn, kWrong };
  Level level = Level::kOk;
  std::string check;   // what was looked at: "home", "port of web"
  std::string text;    // how it is
  std::string advice;  // what to do; empty if nothing is
};
using Findings = std::vector<Finding>;

Finding Good(const std::string& check, const std::string& text);
Finding Warn(const std::string& check, const std::string& text, const std::string& advice);
Finding Wrong(const std::string& check, const std::string& text, const std::string& advice);

// "ok", "warn", "wrong"
const char* Name(Finding::Level level);
bool AnyWrong(const Findings& findings);
// A line per finding, in columns; below it, behind an arrow, what to do; and a line that sums up.
std::string FindingsText(const Findings& findings);

}  // namespace slc::ctl
