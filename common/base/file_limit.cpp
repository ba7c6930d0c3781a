#include "common/base/file_limit.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kFound = "SLC_FOUND_NOFILE";

}  // namespace

rlimit RaiseFileLimit() {
  rlimit found{};
  if (::getrlimit(RLIMIT_NOFILE, &found) != 0) return {1024, 1024};
  rlimit raised = found;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  const std::string self = std::to_string(::getpid()) + " ";
  const char* told = std::getenv(kFound);
  const std::string text = told != nullptr ? told : "";
  if (StartsWith(text, self)) {
    const auto soft = ParseInteger(text.substr(self.size()), 0, INT64_MAX);
    if (soft) found.rlim_cur = std::min(static_cast<rlim_t>(*soft), found.rlim_max);
  }
  ::setenv(kFound, (self + std::to_string(found.rlim_cur)).c_str(), 1);
  return found;
}

}  // namespace slc
