// The one clock of the load client: steady, in nanoseconds. Pure code gets the time as a parameter.
#pragma once

#include <chrono>

namespace slc::load {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = std::chrono::nanoseconds;

inline double ToMs(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
inline double ToSeconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace slc::load
