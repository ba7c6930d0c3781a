#include "daemon/core/upgrade_start.h"

#include <utility>

namespace slc {
namespace {

// A master that is being started or taken over goes on as well after the exec, but has to be taken
// over once more. One that never gets into charge must not keep the version that would repair it
// away.
constexpr Millis kQuietPatience = 5000;
// A disk that works takes what slcd has for it within some 10 ms; one that syncs a lot for others,
// within a second or two.
constexpr Millis kWritePatience = 3000;
constexpr Millis kLookAgain = 5;
// Some megabytes are copied and synced.
constexpr Millis kKeepPatience = 10000;

Error HindranceIn(const UpgradeScene& scene) {
  if (scene.foreground) {
    return {ErrorCode::kConflict,
            "this slcd belongs to an `slc run`; start that anew with the new version"};
  }
  if (scene.stopping) return {ErrorCode::kConflict, "all services are being stopped"};
  // What is in force and not yet on the disk would be forgotten.
  return {ErrorCode::kStorage, scene.storage_trouble};
}

bool Hinders(const UpgradeScene& scene) {
  return scene.foreground || scene.stopping || !scene.storage_trouble.empty();
}

}  // namespace

std::vector<StartAction> UpgradeStart::On(const StartEvent& event, const UpgradeScene& scene,
                                          Millis now) {
  actions_.clear();
  Status failed = Ok();
  if (std::holds_alternative<UpgradeAsked>(event)) {
    phase_ = Phase::kChecking;
    if (!Hinders(scene)) actions_.emplace_back(CheckDaemon{});
  } else if (const auto* daemon = std::get_if<DaemonChecked>(&event)) {
    failed = daemon->could_run;
    if (failed) actions_.emplace_back(CheckMaster{});
  } else if (const auto* master = std::get_if<MasterChecked>(&event)) {
    failed = master->could_run;
    phase_ = Phase::kKeeping;
    give_up_at_ = now + kKeepPatience;
    if (failed) actions_.emplace_back(KeepVersion{});
  } else if (const auto* kept = std::get_if<VersionKept>(&event)) {
    failed = kept->kept;
    kept_ = failed && kept->is_new;
    phase_ = Phase::kQuiet;
    give_up_at_ = now + kQuietPatience;
    if (failed && !kept->is_new && !Hinders(scene)) {
      phase_ = Phase::kOver;
      actions_.emplace_back(UpgradeMasters{});
    }
  } else if (const auto* execution = std::get_if<ExecutionFailed>(&event)) {
    failed = execution->error;
  }
  if (!failed) {
    Refuse(failed.error());
  } else if (phase_ != Phase::kOver && Hinders(scene)) {
    Refuse(HindranceIn(scene));
  } else {
    Settle(scene, now);
  }
  return std::move(actions_);
}

void UpgradeStart::Settle(const UpgradeScene& scene, Millis now) {
  look_at_.reset();
  if (phase_ == Phase::kKeeping) {
    if (now < give_up_at_) {
      look_at_ = give_up_at_;
      return;
    }
    // Perhaps it is done in the end, and with it a trial begun.
    kept_ = true;
    return Refuse({ErrorCode::kStorage,
                   "the disk has not taken a copy of what runs now within 10 s; when it takes "
                   "anything again: slc upgrade"});
  }
  if (phase_ == Phase::kQuiet && (scene.settled || now >= give_up_at_)) {
    phase_ = Phase::kWriting;
    give_up_at_ = now + kWritePatience;
    actions_.emplace_back(WriteOut{});
    // What has just been written out has its turn first.
    look_at_ = now;
    return;
  }
  if (phase_ == Phase::kWriting) {
    if (scene.unwritten.empty()) {
      phase_ = Phase::kExecuting;
      actions_.emplace_back(ExecuteDaemon{});
      return;
    }
    if (now >= give_up_at_) {
      return Refuse({ErrorCode::kStorage, "the disk does not take " + scene.unwritten +
                                              " within 3 s; when it does again: slc upgrade"});
    }
    actions_.emplace_back(WriteOut{});
  }
  if (phase_ == Phase::kQuiet || phase_ == Phase::kWriting) look_at_ = now + kLookAgain;
}

void UpgradeStart::Refuse(Error error) {
  phase_ = Phase::kOver;
  look_at_.reset();
  actions_.clear();
  actions_.emplace_back(RefuseUpgrade{std::move(error), kept_});
}

}  // namespace slc
