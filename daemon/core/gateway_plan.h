// GatewayPlan: when slcd starts and ends the process of its gateway. Pure: facts in, deeds out.
//
//     Off -> Launching -> Starting -> Up          it is to run
//     Starting | Up -> Pausing -> Launching       it has ended by itself
//     Starting | Up -> Ending -> Off | Launching  it is not to run any more, or as something else
//
// Promises: one process at a time; tries are paced; one that does not end when it is told to, or
// does not come up, is killed; nothing is asked of a process that there is not.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "common/base/time.h"

namespace slc {

// Facts.
struct GatewayWanted {
  bool run = false;
  bool anew = false;  // the one that runs will not do
};
struct GatewayLaunched {  // answers kLaunch
  bool started = false;   // false: it could not even be executed, or is not wanted any more
};
struct GatewayUp {};     // it has asked what to serve
struct GatewayEnded {};  // its process has
struct GatewayTick {};
using GatewayEvent =
    std::variant<GatewayWanted, GatewayLaunched, GatewayUp, GatewayEnded, GatewayTick>;

enum class GatewayDeed { kLaunch, kTerminate, kKill };

class GatewayPlan {
 public:
  enum class State { kOff, kLaunching, kStarting, kUp, kPausing, kEnding };
  static constexpr Millis kFirstPause = 100;
  static constexpr Millis kLongestPause = 5'000;
  static constexpr Millis kHolds = 10'000;      // up for so long, a gateway has not failed
  static constexpr Millis kPatience = 5'000;    // with one that is to end, and still sends answers
  static constexpr Millis kStartTime = 10'000;  // that one may take to come up

  std::vector<GatewayDeed> On(const GatewayEvent& event, Millis now);
  std::optional<Millis> deadline() const { return deadline_; }
  State state() const { return state_; }

 private:
  void Enter(State state, std::optional<Millis> deadline);
  void Launch(std::vector<GatewayDeed>& deeds);
  void End(std::vector<GatewayDeed>& deeds, Millis now);
  void Pause(Millis now);

  State state_ = State::kOff;
  bool run_ = false;
  Millis failures_ = 0;  // in a row
  Millis up_since_ = 0;
  std::optional<Millis> deadline_;
};

}  // namespace slc
