#include "ctl/interrupt.h"

namespace slc::ctl {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

}  // namespace

InterruptGuard::InterruptGuard(bool active, Extent extent)
    : count_(!active                    ? 0
             : extent == Extent::kCtrlC ? 1
                                        : kSignals.size()) {
  if (count_ > 0) interrupted = 0;
  struct sigaction action {};
  action.sa_handler = OnInterrupt;  // no SA_RESTART: waiting calls return
  for (std::size_t i = 0; i < count_; ++i) {
    ::sigaction(kSignals[i], &action, &before_[i]);
    // Who is started in the background of a script is not meant by the Ctrl-C of its terminal.
    if (before_[i].sa_handler == SIG_IGN) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < count_; ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

bool InterruptGuard::pressed() const { return count_ > 0 && interrupted != 0; }

}  // namespace slc::ctl
