#include "ctl/build/interrupts.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace slc::ctl {

Interrupts::Interrupts() {
  sigset_t held;
  ::sigemptyset(&held);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&held, signal);
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &pipe_before_);
  fd_.reset(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
}

Interrupts::~Interrupts() {
  ::sigaction(SIGPIPE, &pipe_before_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int Interrupts::caught() {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (caught_ == 0) caught_ = static_cast<int>(info.ssi_signo);
  }
  return caught_;
}

void Interrupts::GiveWay() {
  if (caught() == 0) return;
  ::signal(caught_, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  ::raise(caught_);
}

}  // namespace slc::ctl
