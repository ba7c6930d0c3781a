#include "ctl/logs/output.h"

#include <atomic>
#include <cerrno>
#include <ostream>

#include "common/base/result.h"
#include "common/base/text.h"

namespace slc::ctl {
namespace {

// Lock-free, so a handler may write it.
std::atomic<bool> signal_came = false;

void Note(int) { signal_came = true; }

// Not SA_RESTART: waiting is to end.
constexpr int kOnce = static_cast<int>(SA_RESETHAND);

}  // namespace

SignalGuard::SignalGuard(int number, void (*handler)(int), int flags) : number_(number) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(number, &action, &before_);
}
SignalGuard::~SignalGuard() { ::sigaction(number_, &before_, nullptr); }

NoBrokenPipe::NoBrokenPipe() : SignalGuard(SIGPIPE, SIG_IGN, 0) {}

Interruptible::Interruptible() : interrupt_(SIGINT, Note, kOnce), terminate_(SIGTERM, Note, kOnce) {
  signal_came = false;
}
bool Interruptible::interrupted() const { return signal_came; }

void Complain(std::ostream& err, const std::string& message) {
  err << "slc: " << Printable(message) << "\n";
}

bool Flushed(std::ostream& out) {
  if (!out.good()) return false;
  errno = 0;
  out.flush();
  return out.good();
}

int WriteFailure(std::ostream& err) {
  const int reason = errno;
  if (reason == EPIPE) return 0;
  Complain(err, reason == 0 ? "cannot write the output" : SystemError("write", reason).message);
  return 1;
}

}  // namespace slc::ctl
