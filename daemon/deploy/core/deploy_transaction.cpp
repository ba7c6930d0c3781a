#include "daemon/deploy/core/deploy_transaction.h"

#include <algorithm>
#include <utility>

namespace slc::deploy {

std::vector<DeployAction> DeployTransaction::Begin(Millis now) {
  actions_.clear();
  if (options_.existing) {
    phase_ = Phase::kInstalling;
    Handle(InstallEnded{}, now);
  } else {
    child_ = true;
    actions_.push_back(StartUnpack{});
    Enter(Phase::kUploading, now + options_.upload_limit);
  }
  return std::move(actions_);
}

std::vector<DeployAction> DeployTransaction::Resume(const DeployResumed& found, Millis now) {
  actions_.clear();
  const std::string ended = "slcd ended on the way";
  switch (found.step) {
    case DeployStep::kPreparing:
      Fail(ended);
      break;
    case DeployStep::kCanary:
      switched_ = true;
      Fail(ended);
      break;
    case DeployStep::kRolling:
      switched_ = true;
      if (found.wish_is_new && found.same_boot) {
        actions_.push_back(StartRoll{});
        Enter(Phase::kRolling, now + options_.roll_limit);
      } else {
        Fail(ended);
      }
      break;
    case DeployStep::kRollingBack:
      switched_ = true;
      Fail("it failed before slcd ended");
      break;
    case DeployStep::kCommitted:
      switched_ = true;
      if (found.wish_is_new) {
        Commit();
      } else {
        Fail(ended);
      }
      break;
  }
  Settle();
  return std::move(actions_);
}

std::vector<DeployAction> DeployTransaction::On(const DeployEvent& event, Millis now) {
  actions_.clear();
  if (over()) return {};
  std::visit([this, now](const auto& each) { Handle(each, now); }, event);
  OnTime(now);
  Settle();
  return std::move(actions_);
}

void DeployTransaction::Handle(const UnpackEnded& event, Millis /*now*/) {
  if (phase_ != Phase::kUploading) return;
  if (!std::exchange(child_, false)) return;
  if (!event.failure.empty()) return Fail(event.failure);
  if (!failure_.empty()) return;
  Enter(Phase::kPlacing, std::nullopt);
  AskRecord(DeployStep::kPreparing);
}

void DeployTransaction::Handle(const Placed& event, Millis now) {
  if (!std::exchange(placing_, false)) return;
  if (!event.failure.empty()) return Fail(event.failure);
  if (!failure_.empty()) return;
  child_ = true;
  actions_.push_back(StartInstall{});
  Enter(Phase::kInstalling, now + options_.install_limit);
}

void DeployTransaction::Handle(const InstallEnded& event, Millis /*now*/) {
  if (phase_ != Phase::kInstalling) return;
  child_ = false;
  if (!event.failure.empty()) return Fail(event.failure);
  if (!failure_.empty()) return;
  Enter(options_.runs ? Phase::kCanary : Phase::kRolling, std::nullopt);
  AskRecord(options_.runs ? DeployStep::kCanary : DeployStep::kRolling);
}

void DeployTransaction::Handle(const Recorded& event, Millis now) {
  if (!recording_) return;
  const DeployStep step = *std::exchange(recording_, std::nullopt);
  // Back it goes, on a disk that takes nothing as well.
  if (step == DeployStep::kRollingBack) {
    actions_.push_back(RollBack{});
    return Enter(Phase::kRollingBack, now + options_.roll_limit);
  }
  if (!event.failure.empty()) return Fail(event.failure);
  if (!failure_.empty()) return;
  switch (step) {
    case DeployStep::kPreparing:
      placing_ = true;
      actions_.push_back(Place{});
      return;
    case DeployStep::kCanary:
      switched_ = true;
      actions_.push_back(StartCanary{});
      return Enter(Phase::kCanary, now + options_.ready_limit);
    case DeployStep::kRolling:
      switched_ = true;
      actions_.push_back(StartRoll{});
      return Enter(Phase::kRolling, now + options_.roll_limit);
    case DeployStep::kRollingBack:
    case DeployStep::kCommitted:
      return Commit();
  }
}

void DeployTransaction::Handle(const CanaryReady& /*event*/, Millis now) {
  if (phase_ != Phase::kCanary || !switched_ || canary_ready_) return;
  canary_ready_ = true;
  limit_ = now + options_.canary_time;
  if (options_.health) next_probe_ = now;
}

void DeployTransaction::Handle(const CanaryFailed& event, Millis /*now*/) {
  // Once the roll has begun it is a worker among others.
  if (phase_ == Phase::kCanary && switched_) Fail(event.failure);
}

void DeployTransaction::Handle(const Probed& event, Millis now) {
  if (!std::exchange(probe_until_, std::nullopt)) return;
  healthy_ = event.failure.empty();
  probe_failures_ = healthy_ ? 0 : probe_failures_ + 1;
  next_probe_ = now + kProbeInterval;
  if (phase_ == Phase::kCanary && probe_failures_ >= kMostProbeFailures) Fail(event.failure);
}

void DeployTransaction::Handle(const RollEnded& event, Millis /*now*/) {
  if (phase_ != Phase::kRolling || recording_ || !failure_.empty()) return;
  if (!event.failure.empty()) return Fail(event.failure);
  Enter(Phase::kCommitting, std::nullopt);
  AskRecord(DeployStep::kCommitted);
}

void DeployTransaction::Handle(const RolledBack& event, Millis /*now*/) {
  if (phase_ != Phase::kRollingBack || recording_) return;
  trouble_ = event.failure;
  TellFailure();
  CleanUp();
}

void DeployTransaction::Handle(const Removed& /*event*/, Millis /*now*/) {
  if (phase_ != Phase::kCleaning) return;
  actions_.push_back(Forget{});
  Enter(Phase::kOver, std::nullopt);
}

void DeployTransaction::Handle(const CancelDeploy& event, Millis /*now*/) {
  // All of the new release is in force: it only remains to be written down.
  if (phase_ != Phase::kCommitting) Fail(event.reason);
}

void DeployTransaction::Handle(const DeployTick& /*event*/, Millis /*now*/) {}

void DeployTransaction::Enter(Phase phase, std::optional<Millis> limit) {
  phase_ = phase;
  limit_ = limit;
}

void DeployTransaction::AskRecord(DeployStep step) {
  recording_ = step;
  actions_.push_back(Record{step});
}

// The first reason counts: what follows comes of it.
void DeployTransaction::Fail(const std::string& reason) {
  if (!failure_.empty()) return;
  failure_ = reason.empty() ? "it failed" : reason;
  limit_.reset();
}

void DeployTransaction::OnTime(Millis now) {
  if (phase_ == Phase::kCanary && canary_ready_ && failure_.empty()) return WatchCanary(now);
  if (!limit_ || now < *limit_) return;
  limit_.reset();
  switch (phase_) {
    case Phase::kUploading:
      return Fail("the archive has not come, and been unpacked, within " +
                  FormatSpan(options_.upload_limit));
    case Phase::kInstalling:
      return Fail("npm did not end within " + FormatSpan(options_.install_limit));
    case Phase::kCanary:
      return Fail("its canary was not ready within " + FormatSpan(options_.ready_limit));
    case Phase::kRolling:
      return Fail("the roll did not end within " + FormatSpan(options_.roll_limit));
    case Phase::kRollingBack:
      // Nobody waits longer for the answer; what is being brought back still is.
      late_ = true;
      return TellFailure();
    case Phase::kPlacing:
    case Phase::kCommitting:
    case Phase::kCleaning:
    case Phase::kOver:
      return;
  }
}

void DeployTransaction::WatchCanary(Millis now) {
  if (recording_) return;
  if (probe_until_ && now >= *probe_until_) {
    Handle(Probed{"its health was not told within " + FormatSpan(kProbeLimit)}, now);
    if (!failure_.empty()) return;
  }
  const bool long_enough = limit_ && now >= *limit_;
  if (long_enough && (!options_.health || (healthy_ && !probe_until_))) {
    Enter(Phase::kRolling, std::nullopt);
    return AskRecord(DeployStep::kRolling);
  }
  if (options_.health && !probe_until_ && next_probe_ && now >= *next_probe_) {
    next_probe_.reset();
    probe_until_ = now + kProbeLimit;
    actions_.push_back(Probe{});
  }
}

// Gets a failed deploy to its end, as soon as nothing of it is in the middle of something.
void DeployTransaction::Settle() {
  if (failure_.empty() || phase_ == Phase::kRollingBack || phase_ == Phase::kCleaning || over()) {
    return;
  }
  if (child_ && !std::exchange(child_ending_, true)) actions_.push_back(EndChild{});
  if (child_ || placing_ || recording_) return;
  if (switched_) {
    Enter(Phase::kRollingBack, std::nullopt);
    return AskRecord(DeployStep::kRollingBack);
  }
  TellFailure();
  CleanUp();
}

void DeployTransaction::Commit() {
  answered_ = true;
  actions_.push_back(Answer{true, {}});
  actions_.push_back(Prune{});
  actions_.push_back(Forget{});
  Enter(Phase::kOver, std::nullopt);
}

void DeployTransaction::TellFailure() {
  if (std::exchange(answered_, true)) return;
  std::string text = failure_ + "; ";
  if (options_.old_name.empty()) {
    text += "no release is in service, as before";
  } else {
    const std::string after = " after " + FormatSpan(options_.roll_limit);
    text += "release " + options_.old_name +
            (late_       ? " is still being brought back" + after
             : switched_ ? std::string(" is back in service")
                         : std::string(" stays in service"));
  }
  if (!trouble_.empty()) text += ", but " + trouble_;
  actions_.push_back(Answer{false, text});
}

void DeployTransaction::CleanUp() {
  if (options_.existing) {
    actions_.push_back(Forget{});
    return Enter(Phase::kOver, std::nullopt);
  }
  actions_.push_back(Remove{});
  Enter(Phase::kCleaning, std::nullopt);
}

std::optional<Millis> DeployTransaction::deadline() const {
  if (phase_ != Phase::kCanary || !canary_ready_ || !options_.health || !failure_.empty() ||
      recording_) {
    return limit_;
  }
  // A canary that is not healthy when its time is over gets another probe, not a deadline.
  std::optional<Millis> next = probe_until_ ? probe_until_ : next_probe_;
  if (limit_ && healthy_ && !probe_until_) next = next ? std::min(*next, *limit_) : *limit_;
  return next;
}

const char* DeployTransaction::phase() const {
  switch (phase_) {
    case Phase::kUploading:
      return "uploading";
    case Phase::kPlacing:
      return "placing";
    case Phase::kInstalling:
      return "installing";
    case Phase::kCanary:
      return "canary";
    case Phase::kRolling:
      return "rolling";
    case Phase::kCommitting:
      return "committing";
    case Phase::kRollingBack:
      return "rolling back";
    case Phase::kCleaning:
      return "cleaning up";
    case Phase::kOver:
      break;
  }
  return "over";
}

}  // namespace slc::deploy
