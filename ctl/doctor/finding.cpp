#include "ctl/doctor/finding.h"

#include <algorithm>

#include "common/base/text.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

std::size_t Count(const Findings& findings, Finding::Level level) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [level](const Finding& finding) { return finding.level == level; }));
}

}  // namespace

Finding Good(const std::string& check, const std::string& text) {
  return Finding{Finding::Level::kOk, check, text, {}};
}
Finding Warn(const std::string& check, const std::string& text, const std::string& advice) {
  return Finding{Finding::Level::kWarn, check, text, advice};
}
Finding Wrong(const std::string& check, const std::string& text, const std::string& advice) {
  return Finding{Finding::Level::kWrong, check, text, advice};
}

const char* Name(Finding::Level level) {
  switch (level) {
    case Finding::Level::kOk:
      return "ok";
    case Finding::Level::kWarn:
      return "warn";
    case Finding::Level::kWrong:
      return "wrong";
  }
  return "";
}

bool AnyWrong(const Findings& findings) { return Count(findings, Finding::Level::kWrong) > 0; }

std::string FindingsText(const Findings& findings) {
  // "wrong  "; what follows a name that is longer than its column has a line of its own.
  constexpr std::size_t kLevelWidth = 7;
  constexpr std::size_t kCheckWidth = 20;
  const std::string indent(kLevelWidth, ' ');
  std::string lines;
  for (const Finding& finding : findings) {
    const std::string check = Printable(finding.check);
    const std::size_t width = DisplayWidth(check);
    std::string level = Name(finding.level);
    level.resize(kLevelWidth, ' ');
    lines += level + check;
    lines += width + 2 <= kCheckWidth ? std::string(kCheckWidth - width, ' ') : "\n" + indent;
    lines += Printable(finding.text) + "\n";
    if (!finding.advice.empty()) lines += indent + "-> " + Printable(finding.advice) + "\n";
  }
  const std::size_t warnings = Count(findings, Finding::Level::kWarn);
  const std::size_t wrong = Count(findings, Finding::Level::kWrong);
  std::string sum = "all is well";
  if (warnings + wrong > 0) {
    sum = std::to_string(wrong) + " wrong, " + std::to_string(warnings) +
          (warnings == 1 ? " warning" : " warnings");
  }
  return lines + sum + "\n";
}

}  // namespace slc::ctl
