#include "common/base/installation.h"

#include <unistd.h>

namespace slc {

namespace {

// In a build tree, or installed.
std::string Find(const std::string& directory, const char* name, int how) {
  for (const char* place : {"/", "/../lib/slc/"}) {
    std::string path = directory + place + name;
    if (::access(path.c_str(), how) == 0) return path;
  }
  return {};
}

}  // namespace

std::string Installation::agent() const { return Find(directory, "agent.cjs", R_OK); }
std::string Installation::https() const { return Find(directory, "slc-https", X_OK); }

std::string Installation::git_hooks() const {
  const std::string hook = Find(directory, "git-hooks/pre-receive", X_OK);
  return hook.substr(0, hook.rfind('/') == std::string::npos ? 0 : hook.rfind('/'));
}

}  // namespace slc
