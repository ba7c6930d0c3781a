#include "common/base/installation.h"

#include <unistd.h>

namespace slc {

std::string Installation::agent() const {
  for (const char* place : {"/agent.cjs", "/../lib/slc/agent.cjs"}) {
    std::string path = directory + place;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return {};
}

}  // namespace slc
