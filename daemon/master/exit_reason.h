// Why a worker has ended, in one line for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/oom.h"

namespace slc {

// True if it left by itself with exit code 0.
bool IsCleanExit(std::optional<int> wait_status);

// "exit code 1: SyntaxError: Unexpected token ')'". After an end that was not clean the cause is
// named as well: why its last listen was refused (`failed_listen`, may be empty), or else the error
// that stands in the last lines it has printed. No status: it is not known. `cause`: of a SIGKILL
// that we had not sent, or perhaps of an unknown end.
std::string ExplainExit(std::optional<int> wait_status, const std::string& failed_listen,
                        const std::vector<std::string>& last_lines,
                        std::optional<KillCause> cause = {});

}  // namespace slc
