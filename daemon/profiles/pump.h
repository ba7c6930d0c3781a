// Pump: takes a result (common/wire/result_stream.h) from the socket it comes by to its file. It
// blocks, for as long as the worker takes: each has a thread of its own. Of the result there is a
// piece in memory, whatever its size.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "common/base/time.h"

namespace slc::profiles {

struct PumpLimits {
  std::uint64_t bytes = 0;  // of a result
  // Nothing comes for so long: a worker that stands still this long counts as hung.
  Millis silence = 10 * 60'000;
  // In all: one that comes drop by drop holds a thread.
  Millis longest = 60 * 60'000;
};

class Pump {
 public:
  // Neither descriptor is owned.
  Pump(int source, int file, const PumpLimits& limits)
      : source_(source), file_(file), limits_(limits) {}

  // Until the result is whole, written and on the disk; or why it will not be, for people.
  std::string Run();
  // From any thread: Run() returns soon, unless the disk hangs.
  void Stop();
  // The same: of the result, so far.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string Take();
  // Empty: there is something to be read.
  std::string Wait(Millis until) const;
  std::string SoFar() const;

  int source_;
  int file_;
  const PumpLimits limits_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace slc::profiles
