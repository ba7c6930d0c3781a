#include "ctl/logs/output.h"

#include <atomic>
#include <cerrno>
#include <ostream>

#include "common/base/text.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

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

int ReportFailure(const Error& error, bool json, std::ostream& out, std::ostream& err) {
  if (json) {
    out << ErrorJson(error, {}, {});
    if (!Flushed(out)) WriteFailure(err);
  } else {
    Complain(err, error.message);
  }
  return kFailed;
}

bool Flushed(std::ostream& out) {
  if (!out.good()) return false;
  errno = 0;
  out.flush();
  return out.good();
}

int WriteFailure(std::ostream& err) {
  const int reason = errno;
  if (reason == EPIPE) return kDone;
  const std::string what = "cannot write to standard output";
  Complain(err, reason == 0 ? what : SystemError(what, reason).message);
  return kFailed;
}

}  // namespace slc::ctl
