// LogWatch: waits until something happens in one of several log directories, which need not exist
// (yet).
#pragma once

#include <string>
#include <vector>

#include "common/base/unique_fd.h"

namespace slc::ctl {

class LogWatch {
 public:
  explicit LogWatch(std::vector<std::string> directories);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  // kChanged also after a second without anything, since not every file system tells.
  enum class Outcome { kChanged, kInterrupted, kHungUp };
  // kInterrupted: a signal handler has run. kHungUp: nobody reads any more what is written to
  // `out_fd` (-1: not watched).
  Outcome Wait(int out_fd);

 private:
  void AddMissing();

  std::vector<std::string> directories_;
  std::vector<int> watches_;  // -1: not watched (yet)
  UniqueFd inotify_;          // empty: the system has none left; then we look once a second
};

}  // namespace slc::ctl
