// InterruptGuard: while one lives, Ctrl-C sets a flag instead of ending the program. One at a time.
#pragma once

#include <array>
#include <csignal>

namespace slc::ctl {

class InterruptGuard {
 public:
  enum class Extent {
    kCtrlC,
    kAllEnds,  // and what else asks a program to end: SIGTERM, SIGHUP
  };
  // Does nothing unless `active`.
  explicit InterruptGuard(bool active, Extent extent = Extent::kCtrlC);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool pressed() const;

 private:
  static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};
  std::size_t count_;  // of kSignals
  std::array<struct sigaction, 3> before_{};
};

}  // namespace slc::ctl
