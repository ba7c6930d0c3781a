// NoSignals: as long as it lives this thread takes no signal; nor, for good, does a thread that it
// makes meanwhile. Signals belong to the loop's thread.
#pragma once

#include <csignal>

namespace slc {

class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace slc
