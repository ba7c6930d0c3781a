// Schedule says when the next request of a lane is due and when there are no more. Pure.
//
// Think time is drawn per request. `rate` spaces the requests of all connections of the lane
// evenly; what it lost to a busy moment is made up for, but never more than 10 ms of it at once.
#pragma once

#include <cstdint>
#include <random>

#include "tests/bench/load/clock.h"
#include "tests/bench/load/options.h"

namespace slc::load {

class Schedule {
 public:
  Schedule(const LaneOptions& options, Time start, std::uint64_t seed);

  // How long a new connection waits for its first request: anything up to the longest think time,
  // so that the lane does not march in step.
  Duration FirstThink();
  // How long a connection pauses after a request.
  Duration Think();
  // When a connection whose pause is over may send by the rate of the lane. Each call takes one
  // place in the queue. In the past or `now`: at once.
  Time TakeSlot(Time now);
  // Takes one request off the lane's budget; false when there are no more.
  bool TryStart();
  void Stop() { stopped_ = true; }
  bool finished() const { return stopped_ || left_ == 0; }

 private:
  Duration Random(Duration low, Duration high);

  Duration think_min_;
  Duration think_max_;
  Duration interval_;  // zero without a rate
  Time next_slot_;
  std::uint64_t left_;
  bool stopped_ = false;
  std::mt19937_64 random_;
};

}  // namespace slc::load
