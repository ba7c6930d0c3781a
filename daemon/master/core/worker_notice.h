// WorkerNotice: what a program that is not Node tells of itself, in the words of sd_notify(3): a
// datagram of VARIABLE=VALUE lines. Pure. Variables that mean nothing here are passed over.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace slc {

struct WorkerNotice {
  bool ready = false;                 // READY=1: it serves, or does so again
  bool reloading = false;             // RELOADING=1: until it says READY=1
  bool stopping = false;              // STOPPING=1: it is about to end
  std::optional<std::string> status;  // STATUS=: for people, at most kLongestStatus bytes
  std::optional<int> errno_value;     // ERRNO=: what has gone wrong
  std::optional<Millis> more_time;    // EXTEND_TIMEOUT_USEC=: asked for from now on

  bool operator==(const WorkerNotice&) const = default;
};

inline constexpr std::size_t kLongestNotice = 4096;  // bytes of a datagram; longer ones are ignored
inline constexpr std::size_t kLongestStatus = 200;

WorkerNotice ParseWorkerNotice(std::string_view datagram);

}  // namespace slc
