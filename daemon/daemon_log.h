// DaemonLog: slcd's own log, logs/slcd.log, at most 4 MB with its predecessors.
//
// Lines are written by a thread of its own, each with the time at which it was said: a disk that
// hangs stops no loop. Behind such a disk 256 lines wait; what comes after is dropped, and a line
// says how many were. A disk that refuses costs lines, which are counted too, and nothing else:
// slcd starts without a log, and has one as soon as there can be one. spdlog's own thread is not
// used: it wakes up every ten seconds for nothing.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/base/log.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"

namespace spdlog {
class logger;
}

namespace slc {

class DaemonLog {
 public:
  // To `directory`/slcd.log, or stderr if `foreground`.
  DaemonLog(uv::Loop& loop, const std::string& directory, bool foreground);
  ~DaemonLog();

  // From the loop's thread only.
  void Write(log::Level level, const std::string& line);
  // What was said so far is written, or could not be.
  bool idle() { return disk_.idle(); }

 private:
  using Clock = std::chrono::system_clock;

  void Queue(log::Level level, std::string line, Clock::time_point when);

  void Put(log::Level level, const std::string& line, Clock::time_point when);

  std::shared_ptr<spdlog::logger> logger_;
  int failed_ = 0;  // lines in a row that could not be written; the disk thread's, like reason_
  std::string reason_;
  int waiting_ = 0;
  int dropped_ = 0;
  uv::DiskThread disk_;
};

}  // namespace slc
