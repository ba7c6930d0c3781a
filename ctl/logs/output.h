// What printing a log shares between `slc logs` and `slc ctl log-dump`: the stream it goes to, who
// may go away or fill up, and Ctrl-C while following.
#pragma once

#include <csignal>
#include <iosfwd>
#include <string>

#include "common/base/result.h"

namespace slc::ctl {

// A signal's disposition for as long as this object lives.
class SignalGuard {
 public:
  SignalGuard(int number, void (*handler)(int), int flags);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

// A reader that goes away must be seen as EPIPE.
class NoBrokenPipe : SignalGuard {
 public:
  NoBrokenPipe();
};

// The first Ctrl-C (or SIGTERM) ends following in good order; a second one, in case something
// blocks, for good. One object at a time.
class Interruptible {
 public:
  Interruptible();
  bool interrupted() const;

 private:
  SignalGuard interrupt_;
  SignalGuard terminate_;
};

// "slc: MESSAGE" on its own line.
void Complain(std::ostream& err, const std::string& message);

// Says on `err`, or as the value of `--json` on `out`, why a command cannot do it. Gives the exit
// code.
int ReportFailure(const Error& error, bool json, std::ostream& out, std::ostream& err);

// Writes what was printed. False: `out` does not take it, and errno is the reason, or 0.
bool Flushed(std::ostream& out);

// The exit code once `out` has failed. Nobody reading any more is no failure.
int WriteFailure(std::ostream& err);

}  // namespace slc::ctl
