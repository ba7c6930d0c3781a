// Loop: owns the event loop of a thread. Declared first in main, destroyed last. Its destructor
// runs what is left of closing handles and aborts the program with a list if a handle was leaked.
// Where the system has no room for a loop the program ends with 1 and says so.
#pragma once

#include <functional>
#include <memory>

#include "common/base/time.h"

struct uv_loop_s;

namespace slc::uv {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until Stop().
  void Run();
  void Stop();

  // CLOCK_BOOTTIME, frozen for the turn: everything that happens in one turn has one `now`.
  Millis now() const;

  uv_loop_s* raw() { return loop_.get(); }

 private:
  std::unique_ptr<uv_loop_s> loop_;
  struct Clock;
  std::unique_ptr<Clock> clock_;
};

}  // namespace slc::uv
