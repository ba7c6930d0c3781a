// LockHolder: who serves a home, as its lock file tells: "PID START_TIME\n", or with " kept"
// behind.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/process.h"

namespace slc {

struct LockHolder {
  ProcessIdentity process;
  // Whoever started it (systemd, the caller of `slc run`) looks after it, and nobody else may.
  bool kept = false;
};

std::string WriteLockHolder(const LockHolder& holder);
// Nothing if the text is not of that form: its writer has not come so far yet.
std::optional<LockHolder> ReadLockHolder(std::string_view text);

}  // namespace slc
