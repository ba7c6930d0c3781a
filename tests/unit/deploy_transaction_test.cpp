#include "daemon/deploy/core/deploy_transaction.h"

#include <deque>
#include <functional>
#include <utility>

#include <doctest/doctest.h>

#include "daemon/deploy/deploy_record.h"
#include "tests/unit/histories.h"

using namespace slc;
using namespace slc::deploy;

namespace {

// "StartUnpack Record:canary Answer:bad(...)", for a glance.
std::string Show(const std::vector<DeployAction>& actions) {
  std::string text;
  for (const DeployAction& action : actions) {
    if (!text.empty()) text += ' ';
    if (const auto* record = std::get_if<Record>(&action)) {
      text += std::string("Record:") + Name(record->step);
    } else if (const auto* answer = std::get_if<Answer>(&action)) {
      text += answer->good ? "Answer:good" : "Answer:bad(" + answer->text + ")";
    } else {
      constexpr const char* kNames[] = {
          "StartUnpack", "Place",    "StartInstall", "EndChild", "Record", "StartCanary", "Probe",
          "StartRoll",   "RollBack", "Answer",       "Remove",   "Prune",  "Forget"};
      text += kNames[action.index()];
    }
  }
  return text;
}

DeployOptions Options() {
  DeployOptions options;
  options.old_name = "1";
  options.canary_time = 1000;
  return options;
}

// A deploy whose canary has just been started, at 0.
DeployTransaction AtCanary(const DeployOptions& options) {
  DeployTransaction deploy(options);
  deploy.Begin(0);
  deploy.On(UnpackEnded{}, 0);
  deploy.On(Recorded{}, 0);
  deploy.On(Placed{}, 0);
  deploy.On(InstallEnded{}, 0);
  CHECK(Show(deploy.On(Recorded{}, 0)) == "StartCanary");
  return deploy;
}

}  // namespace

TEST_CASE("a deploy goes from the upload to the commit, each step recorded before it is taken") {
  DeployTransaction deploy(Options());
  CHECK(Show(deploy.Begin(0)) == "StartUnpack");
  CHECK(deploy.phase() == std::string("uploading"));
  CHECK(deploy.deadline() == 15 * 60'000);
  CHECK(Show(deploy.On(UnpackEnded{}, 600)) == "Record:preparing");
  CHECK_FALSE(deploy.deadline());
  CHECK(Show(deploy.On(Recorded{}, 610)) == "Place");
  CHECK(Show(deploy.On(Placed{}, 620)) == "StartInstall");
  CHECK(deploy.deadline() == 600'620);
  CHECK(Show(deploy.On(InstallEnded{}, 700)) == "Record:canary");
  CHECK(Show(deploy.On(Recorded{}, 710)) == "StartCanary");
  CHECK(deploy.deadline() == 40'710);
  CHECK(Show(deploy.On(CanaryReady{}, 1000)) == "");
  CHECK(deploy.deadline() == 2000);
  CHECK(Show(deploy.On(DeployTick{}, 1999)) == "");
  CHECK(Show(deploy.On(DeployTick{}, 2000)) == "Record:rolling");
  CHECK(Show(deploy.On(Recorded{}, 2010)) == "StartRoll");
  CHECK(Show(deploy.On(RollEnded{}, 3000)) == "Record:committed");
  CHECK(Show(deploy.On(CancelDeploy{"too late"}, 3001)) == "");
  CHECK(Show(deploy.On(Recorded{}, 3010)) == "Answer:good Prune Forget");
  CHECK(deploy.over());
  CHECK_FALSE(deploy.deadline());
  CHECK(Show(deploy.On(CancelDeploy{"too late"}, 3020)) == "");
}

TEST_CASE("a service that is stopped is deployed without a canary, and stays stopped") {
  DeployOptions options = Options();
  options.runs = false;
  DeployTransaction deploy(options);
  deploy.Begin(0);
  deploy.On(UnpackEnded{}, 0);
  deploy.On(Recorded{}, 0);
  deploy.On(Placed{}, 0);
  CHECK(Show(deploy.On(InstallEnded{}, 0)) == "Record:rolling");
  CHECK(Show(deploy.On(Recorded{}, 0)) == "StartRoll");
  CHECK(Show(deploy.On(RollEnded{}, 0)) == "Record:committed");
}

TEST_CASE("a deploy that fails before the canary leaves the service alone") {
  DeployTransaction deploy(Options());
  deploy.Begin(0);
  const std::string stays = "; release 1 stays in service)";
  SUBCASE("the archive is refused while it still comes") {
    CHECK(Show(deploy.On(UnpackEnded{"a/.. leads out"}, 1)) ==
          "Answer:bad(a/.. leads out" + stays + " Remove");
  }
  SUBCASE("the archive does not come") {
    CHECK(Show(deploy.On(DeployTick{}, *deploy.deadline())) == "EndChild");
    CHECK(Show(deploy.On(DeployTick{}, 10'000'000)) == "");
    CHECK(Show(deploy.On(UnpackEnded{"killed"}, 10'000'000)) ==
          "Answer:bad(the archive has not come, and been unpacked, within 15m0s" + stays +
              " Remove");
  }
  SUBCASE("the sender goes while the record is written") {
    deploy.On(UnpackEnded{}, 1);
    CHECK(Show(deploy.On(CancelDeploy{"the sender has gone"}, 2)) == "");
    CHECK(Show(deploy.On(Recorded{}, 3)) == "Answer:bad(the sender has gone" + stays + " Remove");
  }
  SUBCASE("the disk is full") {
    deploy.On(UnpackEnded{}, 1);
    CHECK(Show(deploy.On(Recorded{"the disk is full"}, 3)) ==
          "Answer:bad(the disk is full" + stays + " Remove");
  }
  SUBCASE("npm fails") {
    deploy.On(UnpackEnded{}, 1);
    deploy.On(Recorded{}, 1);
    deploy.On(Placed{}, 1);
    CHECK(Show(deploy.On(InstallEnded{"npm ci ended with exit code 1"}, 2)) ==
          "Answer:bad(npm ci ended with exit code 1" + stays + " Remove");
  }
  SUBCASE("npm does not end") {
    deploy.On(UnpackEnded{}, 1);
    deploy.On(Recorded{}, 1);
    deploy.On(Placed{}, 1);
    CHECK(Show(deploy.On(DeployTick{}, *deploy.deadline())) == "EndChild");
    CHECK(Show(deploy.On(InstallEnded{}, 700'000)) ==
          "Answer:bad(npm did not end within 10m0s" + stays + " Remove");
  }
  CHECK_FALSE(deploy.over());
  CHECK(Show(deploy.On(Removed{}, 20'000'000)) == "Forget");
  CHECK(deploy.over());
}

TEST_CASE("a deploy that fails from the canary on brings the old release back before it says so") {
  DeployTransaction deploy = AtCanary(Options());
  std::string reason;
  const auto roll = [&deploy] {
    deploy.On(CanaryReady{}, 10);
    deploy.On(DeployTick{}, 1010);
    CHECK(Show(deploy.On(Recorded{}, 1020)) == "StartRoll");
  };
  const std::string back = "Record:rolling_back";
  SUBCASE("the canary ends") {
    reason = "exit code 1";
    CHECK(Show(deploy.On(CanaryFailed{reason}, 10)) == back);
  }
  SUBCASE("the canary ends after it was ready") {
    reason = "exit code 1";
    deploy.On(CanaryReady{}, 5);
    CHECK(Show(deploy.On(CanaryFailed{reason}, 1004)) == back);
  }
  SUBCASE("the canary is not ready in time") {
    reason = "its canary was not ready within 40 s";
    CHECK(Show(deploy.On(DeployTick{}, 40'000)) == back);
  }
  SUBCASE("it is stopped") {
    reason = "the service was stopped";
    CHECK(Show(deploy.On(CancelDeploy{reason}, 10)) == back);
  }
  SUBCASE("the roll cannot be recorded") {
    reason = "the disk is full";
    deploy.On(CanaryReady{}, 10);
    deploy.On(DeployTick{}, 1010);
    CHECK(Show(deploy.On(Recorded{reason}, 1020)) == back);
  }
  SUBCASE("the roll fails") {
    reason = "worker 7 did not get ready";
    roll();
    CHECK(Show(deploy.On(RollEnded{reason}, 2000)) == back);
  }
  SUBCASE("the roll does not end") {
    reason = "the roll did not end within 10m0s";
    roll();
    CHECK(Show(deploy.On(DeployTick{}, 1020 + 600'000)) == back);
  }
  SUBCASE("the commit cannot be recorded") {
    reason = "the disk is full";
    roll();
    deploy.On(RollEnded{}, 2000);
    CHECK(Show(deploy.On(Recorded{reason}, 2010)) == back);
  }
  // Whether that can be written or not.
  CHECK(Show(deploy.On(Recorded{"the disk is full"}, 700'000)) == "RollBack");
  CHECK(deploy.phase() == std::string("rolling back"));
  CHECK(Show(deploy.On(CancelDeploy{"again"}, 700'010)) == "");
  CHECK(Show(deploy.On(RolledBack{}, 700'020)) ==
        "Answer:bad(" + reason + "; release 1 is back in service) Remove");
  CHECK(Show(deploy.On(Removed{"busy"}, 700'030)) == "Forget");
  CHECK(deploy.over());
}

TEST_CASE("an old release that does not come up again is told of") {
  DeployTransaction deploy = AtCanary(Options());
  deploy.On(CanaryFailed{"no"}, 10);
  CHECK(Show(deploy.On(Recorded{}, 20)) == "RollBack");
  const std::string back = "Answer:bad(no; release 1 is back in service, but ";
  SUBCASE("it fails") {
    CHECK(Show(deploy.On(RolledBack{"worker 9 crashes"}, 30)) == back + "worker 9 crashes) Remove");
  }
  SUBCASE("it takes too long, and nothing is removed under workers") {
    CHECK(Show(deploy.On(DeployTick{}, *deploy.deadline())) ==
          "Answer:bad(no; release 1 is still being brought back after 10m0s)");
    CHECK_FALSE(deploy.deadline());
    CHECK(Show(deploy.On(RolledBack{}, 9'000'000)) == "Remove");
  }
  CHECK(Show(deploy.On(Removed{}, 9'000'010)) == "Forget");
}

TEST_CASE("a first deploy that fails says that there is nothing to go back to") {
  DeployTransaction deploy{DeployOptions{}};
  deploy.Begin(0);
  CHECK(Show(deploy.On(UnpackEnded{"no"}, 1)) ==
        "Answer:bad(no; no release is in service, as before) Remove");
}

TEST_CASE("a canary's health is asked for each second, and one bad answer is forgiven") {
  DeployOptions options = Options();
  options.health = true;
  DeployTransaction deploy = AtCanary(options);
  CHECK(Show(deploy.On(CanaryReady{}, 100)) == "Probe");
  CHECK(deploy.deadline() == 5100);
  CHECK(Show(deploy.On(Probed{"503"}, 200)) == "");
  // Not yet known to be healthy: the end of its time does not count.
  CHECK(deploy.deadline() == 1200);
  CHECK(Show(deploy.On(DeployTick{}, 1200)) == "Probe");
  SUBCASE("it gets healthy") { CHECK(Show(deploy.On(Probed{}, 1300)) == "Record:rolling"); }
  SUBCASE("it does not") {
    CHECK(Show(deploy.On(Probed{"503"}, 1300)) == "");
    CHECK(Show(deploy.On(DeployTick{}, 2300)) == "Probe");
    CHECK(Show(deploy.On(Probed{"GET /health: 503"}, 2400)) == "Record:rolling_back");
  }
  SUBCASE("it does not answer") {
    CHECK(Show(deploy.On(DeployTick{}, 6200)) == "");
    CHECK(Show(deploy.On(Probed{}, 6300)) == "");
    CHECK(Show(deploy.On(DeployTick{}, 7200)) == "Probe");
    CHECK(Show(deploy.On(DeployTick{}, 12'200)) == "Record:rolling_back");
  }
}

TEST_CASE("a healthy canary is watched for its whole time") {
  DeployOptions options = Options();
  options.health = true;
  options.canary_time = 2500;
  DeployTransaction deploy = AtCanary(options);
  CHECK(Show(deploy.On(CanaryReady{}, 0)) == "Probe");
  CHECK(Show(deploy.On(Probed{}, 10)) == "");
  CHECK(Show(deploy.On(DeployTick{}, 1010)) == "Probe");
  CHECK(Show(deploy.On(Probed{}, 1020)) == "");
  CHECK(Show(deploy.On(DeployTick{}, 2020)) == "Probe");
  CHECK(Show(deploy.On(Probed{}, 2030)) == "");
  CHECK(deploy.deadline() == 2500);
  CHECK(Show(deploy.On(DeployTick{}, 2500)) == "Record:rolling");
}

TEST_CASE("a rollback to a release that is there goes the same way and removes nothing") {
  DeployOptions options = Options();
  options.existing = true;
  DeployTransaction deploy(options);
  CHECK(Show(deploy.Begin(0)) == "Record:canary");
  CHECK(Show(deploy.On(Recorded{}, 1)) == "StartCanary");
  CHECK(Show(deploy.On(CanaryFailed{"no"}, 2)) == "Record:rolling_back");
  CHECK(Show(deploy.On(Recorded{}, 3)) == "RollBack");
  CHECK(Show(deploy.On(RolledBack{}, 4)) == "Answer:bad(no; release 1 is back in service) Forget");
  CHECK(deploy.over());
}

TEST_CASE("the next slcd ends what this one began, on the side that the record says") {
  const auto resume = [](DeployStep step, bool wish_is_new, bool same_boot) {
    DeployTransaction deploy(Options());
    return Show(deploy.Resume({step, wish_is_new, same_boot}, 0));
  };
  const std::string back = "Record:rolling_back";
  CHECK(resume(DeployStep::kPreparing, false, true) ==
        "Answer:bad(slcd ended on the way; release 1 stays in service) Remove");
  CHECK(resume(DeployStep::kCanary, true, true) == back);
  CHECK(resume(DeployStep::kCanary, false, true) == back);
  CHECK(resume(DeployStep::kRolling, true, true) == "StartRoll");
  CHECK(resume(DeployStep::kRolling, true, false) == back);
  CHECK(resume(DeployStep::kRolling, false, true) == back);
  CHECK(resume(DeployStep::kRollingBack, true, true) == back);
  CHECK(resume(DeployStep::kCommitted, true, false) == "Answer:good Prune Forget");
  CHECK(resume(DeployStep::kCommitted, false, true) == back);
}

TEST_CASE("the record of a deploy is read back, and names no folder that is none") {
  DeployRecord record;
  record.step = DeployStep::kRolling;
  record.request = "abc";
  record.release = std::string(40, 'a');
  record.existing = true;
  record.old_name = "4";
  record.wish_before = "{\n\"wish\": 1}";
  record.boot_id = "boot";
  record.by = "me";
  record.begun = 5;
  CHECK(*DecodeDeployRecord(EncodeDeployRecord(record)) == record);
  std::string damaged = EncodeDeployRecord(record);
  damaged.replace(damaged.find("\"rolling\""), 9, "\"canary\"");
  CHECK_FALSE(DecodeDeployRecord(damaged).ok());
  record.release = "../..";
  CHECK_FALSE(DecodeDeployRecord(EncodeDeployRecord(record)).ok());
}

namespace {

// What a deploy works on: a disk that outlives slcd, a master that outlives it unless the machine
// goes down, and slcd itself, which may be killed at any point.
class World {
 public:
  explicit World(Random& random) : random_(random) {
    options_.existing = random_.Chance(20);
    options_.runs = random_.Chance(80);
    options_.health = random_.Chance(40);
    options_.old_name = "1";
    // Much goes well in some histories, nothing in others.
    failures_ = random_.Chance(50) ? 1 : 0;
    disk_ = random_.Chance(50) ? 0 : random_.Chance(50) ? 5 : 40;
    cancels_ = random_.Chance(30) ? 3 : 0;
    kills_ = random_.Chance(70) ? static_cast<int>(random_.Between(1, 8)) : 0;
    delays_ = random_.Chance(30) ? 10 : 0;
    new_release_ = options_.existing;
  }

  // What went wrong; empty if nothing did.
  std::string Run() {
    deploy_.emplace(options_);
    answers_ = 0;
    Take(deploy_->Begin(now_));
    for (int step = 0; step < 2000 && wrong_.empty(); ++step) {
      if (!deploy_ || deploy_->over()) return CheckEnd();
      if (crashes_ < 4 && random_.Chance(kills_)) {
        Crash();
      } else {
        Step();
      }
    }
    return wrong_.empty() ? "it does not end, in " + std::string(deploy_->phase()) : wrong_;
  }
  bool committed() const { return wish_is_new_; }

 private:
  enum class Force { kNone, kOld, kMixed, kNew };

  void Take(const std::vector<DeployAction>& actions) {
    for (const DeployAction& action : actions) pending_.push_back(action);
  }
  void Tell(const DeployEvent& event) {
    if (deploy_) Take(deploy_->On(event, now_));
  }
  std::string Failure(int percent) {
    return random_.Chance(percent * failures_) ? "it failed" : "";
  }

  void Step() {
    // Deeds are done one after another, what they lead to comes when it comes.
    if (!pending_.empty() && random_.Chance(70)) {
      const DeployAction action = pending_.front();
      pending_.pop_front();
      return std::visit([this](const auto& each) { Do(each, true); }, action);
    }
    if (!coming_.empty() && random_.Chance(60)) {
      const std::size_t which = random_.Below(static_cast<unsigned>(coming_.size()));
      const auto come = coming_[which];
      coming_.erase(coming_.begin() + static_cast<std::ptrdiff_t>(which));
      return come();
    }
    if (random_.Chance(cancels_)) return Tell(CancelDeploy{"cancelled"});
    const auto deadline = deploy_->deadline();
    // Time goes on, now and then beyond a deadline.
    if (deadline && (random_.Chance(delays_) || (pending_.empty() && coming_.empty()))) {
      now_ = std::max(now_, *deadline + random_.Between(-1, 5));
    } else {
      now_ += random_.Between(0, 300);
    }
    Tell(DeployTick{});
  }

  void Later(std::function<void()> what) { coming_.push_back(std::move(what)); }

  // `told`: slcd lives to hear of it.
  void Do(const StartUnpack&, bool told) {
    staging_ = child_ = true;
    if (!told) return;
    Later([this] {
      if (!std::exchange(child_, false)) return;
      Tell(UnpackEnded{Failure(10)});
    });
  }
  void Do(const StartInstall&, bool told) {
    child_ = true;
    if (!told) return;
    Later([this] {
      if (!std::exchange(child_, false)) return;
      Tell(InstallEnded{Failure(10)});
    });
  }
  void Do(const EndChild&, bool) {}  // what ends it is under way anyhow
  void Do(const Place&, bool told) {
    const std::string failure = Failure(5);
    if (failure.empty() || random_.Chance(50)) {
      staging_ = false;
      new_release_ = true;
    }
    if (told) Later([this, failure] { Tell(Placed{failure}); });
  }
  void Do(const Record& record, bool told) {
    const std::string failure = random_.Chance(disk_) ? "the disk is full" : "";
    // A write that is reported as failed may have come through.
    if (failure.empty() || random_.Chance(50)) record_ = record.step;
    if (told) Later([this, failure] { Tell(Recorded{failure}); });
  }
  void Do(const StartCanary&, bool told) {
    wish_is_new_ = true;
    if (!told && random_.Chance(50)) return;
    force_ = Force::kMixed;
    if (!told) return;
    if (random_.Chance(10 * failures_)) return Later([this] { Tell(CanaryFailed{"crashed"}); });
    Later([this] { Tell(CanaryReady{}); });
    if (random_.Chance(20 * failures_)) Later([this] { Tell(CanaryFailed{"crashed"}); });
  }
  void Do(const Probe&, bool) {
    if (!random_.Chance(5 * failures_)) Later([this] { Tell(Probed{Failure(30)}); });
  }
  void Do(const StartRoll&, bool told) {
    wish_is_new_ = true;
    if (!told && random_.Chance(50)) return;
    force_ = Force::kMixed;
    const std::string failure = Failure(15);
    const auto order = ++order_;
    Later([this, failure, order] {
      if (order != order_) return;
      if (failure.empty()) force_ = Force::kNew;
      Tell(RollEnded{failure});
    });
  }
  void Do(const RollBack&, bool told) {
    wish_is_new_ = false;
    if (!told && random_.Chance(50)) return;
    const auto order = ++order_;
    if (force_ != Force::kOld) force_ = Force::kMixed;
    Later([this, order] {
      if (order != order_) return;
      force_ = Force::kOld;
      Tell(RolledBack{Failure(10)});
    });
  }
  void Do(const Answer& answer, bool told) {
    if (!told) return;
    ++answers_;
    good_ = answer.good;
    if (answer.good && (force_ != Force::kNew || record_ != DeployStep::kCommitted)) {
      // After a restart of the machine the new side is started from the wish.
      if (force_ != Force::kNone) Wrong("success is told before it is there");
    }
    const bool slow = answer.text.find("still being brought back") != std::string::npos;
    if (!answer.good && force_ != Force::kOld && !slow) {
      Wrong("the old release is said to be back before it is");
    }
  }
  void Do(const Remove&, bool told) {
    if (force_ != Force::kOld) Wrong("a release is removed under its workers");
    if (options_.existing) Wrong("a release that was there before is removed");
    if (told && child_ && crashes_ == 0) Wrong("a release is removed while it is being made");
    child_ = staging_ = new_release_ = false;
    if (told) Later([this] { Tell(Removed{Failure(10)}); });
  }
  void Do(const Prune&, bool) {
    if (record_ != DeployStep::kCommitted || !wish_is_new_) {
      Wrong("old releases are removed before the new one is committed");
    }
  }
  void Do(const Forget&, bool) { record_.reset(); }

  // slcd is killed, perhaps in the middle of a deed; perhaps the machine goes down.
  void Crash() {
    ++crashes_;
    if (answers_ > 1) Wrong("answered more than once");
    deploy_.reset();
    if (!pending_.empty() && random_.Chance(50)) {
      const DeployAction action = pending_.front();
      std::visit([this](const auto& each) { Do(each, false); }, action);
    }
    pending_.clear();
    const bool reboot = random_.Chance(30);
    if (reboot) {
      force_ = Force::kNone;
      child_ = false;
    }
    // The master goes on without slcd, for a while.
    if (!reboot && random_.Chance(50)) {
      for (const auto& come : std::exchange(coming_, {})) come();
    }
    coming_.clear();
    ++order_;
    Start(!reboot);
  }

  void Start(bool same_boot) {
    answers_ = 0;
    staging_ = false;  // Leftovers
    if (!record_) {
      if (!wish_is_new_ && !options_.existing) new_release_ = child_ = false;
      return;
    }
    deploy_.emplace(options_);
    Take(deploy_->Resume({*record_, wish_is_new_, same_boot}, now_));
    // No master: who has not been told of it yet is started from the wish.
    if (!same_boot && deploy_->over()) force_ = wish_is_new_ ? Force::kNew : Force::kOld;
    if (!same_boot && *record_ == DeployStep::kPreparing) force_ = Force::kOld;
  }

  std::string CheckEnd() {
    while (!pending_.empty() && wrong_.empty()) {
      const DeployAction action = pending_.front();
      pending_.pop_front();
      std::visit([this](const auto& each) { Do(each, true); }, action);
    }
    if (force_ == Force::kNone) force_ = wish_is_new_ ? Force::kNew : Force::kOld;
    if (!wrong_.empty()) return wrong_;
    if (force_ == Force::kMixed) return "both are in force at the end";
    if ((force_ == Force::kNew) != wish_is_new_) return "what runs is not what is wished";
    if (record_) return "the record is left";
    if (staging_ || child_) return "something of the deploy is left";
    if (wish_is_new_ && !new_release_) return "what is in service was removed";
    if (!wish_is_new_ && !options_.existing && new_release_) return "what failed is left";
    if (deploy_ && answers_ != 1) return std::to_string(answers_) + " answers";
    if (deploy_ && good_ != wish_is_new_) return "the answer is not what happened";
    return {};
  }

  void Wrong(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  Random& random_;
  DeployOptions options_;
  int failures_ = 0;  // 1: things fail
  int disk_ = 0;      // percent of writes that do
  int cancels_ = 0;   // percent of steps, as the next two
  int kills_ = 0;
  int delays_ = 0;
  Millis now_ = 0;
  // On the disk.
  std::optional<DeployStep> record_;
  bool wish_is_new_ = false;
  bool staging_ = false;
  bool new_release_ = false;
  // Processes.
  Force force_ = Force::kOld;
  bool child_ = false;
  int order_ = 0;  // of the master; what an older one leads to is void
  // slcd.
  std::optional<DeployTransaction> deploy_;
  std::deque<DeployAction> pending_;
  std::vector<std::function<void()>> coming_;
  int answers_ = 0;
  bool good_ = false;
  int crashes_ = 0;
  std::string wrong_;
};

}  // namespace

TEST_CASE("Deploys end wholly on the old or the new release, whenever slcd is killed") {
  int committed = 0;
  int failed = 0;
  RunHistories(100'000, [&](Random& random) {
    World world(random);
    std::string wrong = world.Run();
    ++(world.committed() ? committed : failed);
    return wrong;
  });
  // Neither is so rare that it was not looked at.
  CHECK(committed > failed / 10);
  CHECK(failed > committed / 10);
}
