// Interrupts: Ctrl-C and its like, held back so that what was begun can be cleaned up. As long as
// it lives SIGINT, SIGTERM and SIGHUP only make caught() true; programs that we start get them as
// ever. Writing to a program that has ended is an error (EPIPE), no signal.
#pragma once

#include <csignal>

#include "common/base/unique_fd.h"

namespace slc::ctl {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // The first of them that came; 0 if none has.
  int caught();
  // Readable when one has come that caught() has not seen.
  int fd() const { return fd_.get(); }
  // Ends the program as that signal would have, if one was caught.
  void GiveWay();

 private:
  sigset_t before_{};
  struct sigaction pipe_before_ {};
  UniqueFd fd_;
  int caught_ = 0;
};

}  // namespace slc::ctl
