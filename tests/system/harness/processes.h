// Processes that tests start, look at and kill.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/process.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::test {

// How a program ended.
struct Ran {
  int code = -1;  // exit code; 128 + signal
  std::string out;
  std::string err;
  Millis took = 0;
};

// A program that runs beside the test. Its output goes to files. Killed by the destructor.
class Running {
 public:
  Running(Running&&) noexcept;
  Running& operator=(Running&&) = delete;
  ~Running();

  pid_t pid() const { return identity_.pid; }
  ProcessIdentity identity() const { return identity_; }
  void Signal(int signal);
  bool HasEnded() const;
  std::string out(std::size_t from = 0) const;  // so far, from this byte on
  std::string err() const;
  // Waits for its end; fails the test after `deadline` ms.
  const Ran& Wait(Millis deadline = 60'000);

 private:
  friend class World;
  Running() = default;
  std::string command_;
  std::string out_path_;
  std::string err_path_;
  ProcessIdentity identity_;
  UniqueFd pidfd_;
  Millis started_ = 0;
  std::optional<Ran> ran_;
};

bool IsAlive(const ProcessIdentity& identity);  // a zombie is not
bool IsAlive(pid_t pid);
// SIGKILL (or `signal`) to exactly this process, by pidfd; fails the test if it is gone already.
void Kill(const ProcessIdentity& identity, int signal = 9);
// What the descriptors of a process refer to, sorted: "socket", "/home/...": without numbers, so
// two lists can be compared.
std::vector<std::string> OpenFiles(pid_t pid);
std::size_t CountOpenFiles(pid_t pid);
// Targets of /proc/PID/fd/*, as they are; empty if the process is gone or a zombie.
std::vector<std::string> DescriptorTargets(pid_t pid);
// Of a symbolic link; "" if it cannot be read.
std::string LinkTarget(const std::string& path);

}  // namespace slc::test
