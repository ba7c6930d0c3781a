#include "daemon/master/exit_reason.h"

#include <sys/wait.h>

#include <csignal>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

// Only a parent is told the status: of a worker of a master that died that is the slcd of then.
constexpr const char* kUnknown =
    "ended, exit status unknown (the master that had started it is gone, and the slcd that should "
    "have been told is too, or did not pass it on in time)";

// The line of a stack trace that says what went wrong: "SyntaxError: Unexpected token ')'".
std::string ErrorLine(const std::vector<std::string>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::size_t colon = line->find(": ");
    if (colon == std::string::npos) continue;
    const std::string_view head = std::string_view(*line).substr(0, colon);
    const bool bracketed = head.find(" [") != std::string_view::npos;
    const std::string_view name = head.substr(0, bracketed ? head.find(" [") : head.size());
    if (EndsWith(name, "Error") && name.find(' ') == std::string_view::npos) {
      return line->substr(0, 300);
    }
  }
  return {};
}

}  // namespace

bool IsCleanExit(std::optional<int> wait_status) {
  return wait_status && WIFEXITED(*wait_status) && WEXITSTATUS(*wait_status) == 0;
}

std::string ExplainExit(std::optional<int> wait_status, const std::string& failed_listen,
                        const std::vector<std::string>& last_lines,
                        std::optional<KillCause> cause) {
  std::string how = wait_status ? DescribeWaitStatus(*wait_status) : kUnknown;
  if (IsCleanExit(wait_status)) return how;
  if (cause) return how + ": " + DescribeKillCause(*cause);
  if (!failed_listen.empty()) return how + ": " + failed_listen;
  const std::string error = ErrorLine(last_lines);
  return error.empty() ? how : how + ": " + error;
}

}  // namespace slc
