// QuietMoment: when may a master that is to go on as another image execute it? Pure.
//
// Waits until nothing is half done, then has nothing more accepted until the workers have answered
// for the connections they were given. New connections wait in the kernel's queue meanwhile: for
// kLongestHold at most, whatever happens. If something becomes half done while they do, accepting
// goes on and the next attempt comes kBetweenHolds later.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace slc {

class QuietMoment {
 public:
  // For all of it; an upgrade of many masters takes them one after another.
  static constexpr Millis kPatience = 2000;
  // A connection is answered for within a few milliseconds; what is not by then goes along.
  static constexpr Millis kLongestHold = 100;
  static constexpr Millis kBetweenHolds = 100;

  enum class Deed {
    kWait,     // look again soon
    kHold,     // accept nothing more, look again soon
    kRelease,  // accept again, look again soon
    kExecute,
    kGiveUp,  // `busy` is the reason
  };

  explicit QuietMoment(Millis now) : began_(now) {}

  // `busy`: what is half done, empty if nothing is. `in_flight`: connections without an answer.
  Deed Look(const std::string& busy, std::size_t in_flight, Millis now);

 private:
  Millis began_;
  std::optional<Millis> held_;  // since when nothing is accepted
  Millis not_before_ = 0;       // the next hold
};

}  // namespace slc
