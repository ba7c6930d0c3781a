// ThawGuard: a file system that was frozen is thawed whatever becomes of this program. Else whoever
// writes to it could not even be killed, and its loop device would be lost until a reboot.
#pragma once

#include "common/base/unique_fd.h"

namespace slc::test {

class ThawGuard {
 public:
  // Before it is frozen. `folder`: a descriptor of a folder of it.
  explicit ThawGuard(int folder);
  // The guard thaws it unless Leave() was called, and ends. As long as the guard lives, at most two
  // minutes, the file system is in use.
  ~ThawGuard() = default;
  ThawGuard(const ThawGuard&) = delete;
  ThawGuard& operator=(const ThawGuard&) = delete;

  // It is thawed.
  void Leave();

 private:
  UniqueFd ours_;  // whose end the guard waits for
};

}  // namespace slc::test
