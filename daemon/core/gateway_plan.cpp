#include "daemon/core/gateway_plan.h"

#include "common/base/backoff.h"

namespace slc {

void GatewayPlan::Enter(State state, std::optional<Millis> deadline) {
  state_ = state;
  deadline_ = deadline;
}

// What it takes may wait for a disk, for as long as that likes.
void GatewayPlan::Launch(std::vector<GatewayDeed>& deeds) {
  Enter(State::kLaunching, std::nullopt);
  deeds.push_back(GatewayDeed::kLaunch);
}

void GatewayPlan::End(std::vector<GatewayDeed>& deeds, Millis now) {
  Enter(State::kEnding, now + kPatience);
  deeds.push_back(GatewayDeed::kTerminate);
}

void GatewayPlan::Pause(Millis now) {
  ++failures_;
  Enter(State::kPausing, now + BackoffPause(kFirstPause, kLongestPause, failures_));
}

std::vector<GatewayDeed> GatewayPlan::On(const GatewayEvent& event, Millis now) {
  std::vector<GatewayDeed> deeds;
  if (const auto* wanted = std::get_if<GatewayWanted>(&event)) {
    run_ = wanted->run;
    const bool lives = state_ == State::kStarting || state_ == State::kUp;
    if (lives && (!run_ || wanted->anew)) {
      failures_ = 0;
      End(deeds, now);
    } else if (run_ && (state_ == State::kOff || (state_ == State::kPausing && wanted->anew))) {
      failures_ = 0;
      Launch(deeds);
    } else if (!run_ && state_ == State::kPausing) {
      Enter(State::kOff, std::nullopt);
    }
  } else if (const auto* launched = std::get_if<GatewayLaunched>(&event)) {
    if (state_ != State::kLaunching) return deeds;
    if (launched->started) {
      Enter(State::kStarting, now + kStartTime);
      if (!run_) End(deeds, now);
    } else if (run_) {
      Pause(now);
    } else {
      Enter(State::kOff, std::nullopt);
    }
  } else if (std::holds_alternative<GatewayUp>(event)) {
    if (state_ != State::kStarting) return deeds;
    Enter(State::kUp, std::nullopt);
    up_since_ = now;
  } else if (std::holds_alternative<GatewayEnded>(event)) {
    if (state_ == State::kEnding) {
      Enter(State::kOff, std::nullopt);
      if (run_) Launch(deeds);
    } else if (state_ == State::kStarting || state_ == State::kUp) {
      if (state_ == State::kUp && now - up_since_ >= kHolds) failures_ = 0;
      Pause(now);
    }
  } else if (deadline_ && now >= *deadline_) {
    if (state_ == State::kPausing) {
      Launch(deeds);
    } else {
      // Its end is still to come.
      deadline_.reset();
      deeds.push_back(GatewayDeed::kKill);
    }
  }
  return deeds;
}

}  // namespace slc
