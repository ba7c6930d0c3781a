// SupervisorEnds: how slcd and masters have ended since, so that a crash is seen even where a
// successor hides it at once.
#pragma once

#include <vector>

#include "common/base/process.h"
#include "common/base/unique_fd.h"
#include "tests/system/harness.h"

namespace slc::test {

class SupervisorEnds {
 public:
  // Watches those that live now.
  explicit SupervisorEnds(World& world);

  // A line for each that a signal has ended which slcd does not send, SIGKILL, by which it fences
  // masters. Of one that has begun meanwhile the journal tells, unless it was being stopped. Where
  // the kernel does not tell (before 6.15) of the end of another's child, the journal alone does.
  std::string Crashes() const;
  // How many of those watched have ended, whatever the way.
  int Count() const;

 private:
  struct Watched {
    pid_t pid;
    UniqueFd pidfd;
  };
  World& world_;
  std::vector<Watched> watched_;
  std::size_t journal_bytes_;
};

}  // namespace slc::test
