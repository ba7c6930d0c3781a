// Which workers are told to be stuck or hung, and that those whose loops turn never are.
#include "daemon/master/core/heartbeat.h"

#include <algorithm>
#include <deque>
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

using Deed = Heartbeat::Deed;
using Deeds = std::vector<Deed>;

constexpr Millis kWithin = Heartbeat::kAnswersWithin;
constexpr Millis kReadFirst = Heartbeat::kReadFirst;

// Looks whenever it is due until `end`; what it is told, pings aside, and when the last of it was.
Deeds LookUntil(Heartbeat& heartbeat, Millis end, Millis* told_at = nullptr) {
  Deeds told;
  while (heartbeat.deadline() && *heartbeat.deadline() <= end) {
    const Millis now = *heartbeat.deadline();
    for (const Deed deed : heartbeat.Look(now)) {
      if (deed == Deed::kAsk) continue;
      told.push_back(deed);
      if (told_at != nullptr) *told_at = now;
    }
  }
  return told;
}

TEST_CASE("Heartbeat: nobody is asked without a reason") {
  Heartbeat heartbeat;
  CHECK_FALSE(heartbeat.Suspect(0));
  CHECK_FALSE(heartbeat.deadline());
  heartbeat.Begin(0, 0);
  CHECK_FALSE(heartbeat.deadline());
  CHECK(heartbeat.Look(1'000'000).empty());
}

TEST_CASE("Heartbeat: who stands still by our order is stuck, and not hung until it is over") {
  constexpr Millis kTimeout = 4000;
  constexpr Millis kExcuse = 60'000;
  Heartbeat heartbeat;
  heartbeat.Begin(kTimeout, 0);
  heartbeat.Excuse(kExcuse);
  heartbeat.Suspect(100);
  CHECK(LookUntil(heartbeat, kExcuse - 1) == Deeds{Deed::kTellStuck});
  Millis told_at = 0;
  CHECK(LookUntil(heartbeat, kExcuse * 2, &told_at) == Deeds{Deed::kTellHung});
  CHECK(told_at >= kExcuse);
  // It has been heard: the order has been carried out.
  heartbeat.Begin(kTimeout, 0);
  heartbeat.Excuse(kExcuse);
  heartbeat.Heard();
  CHECK(LookUntil(heartbeat, kExcuse - 1) == Deeds{Deed::kTellHung});
}

TEST_CASE("Heartbeat: who is suspected is asked once, and is stuck until it answers") {
  Heartbeat heartbeat;
  heartbeat.Begin(0, 0);
  CHECK(heartbeat.Suspect(100));
  CHECK_FALSE(heartbeat.Suspect(200));
  CHECK(heartbeat.asked_at() == 100);
  Millis told_at = 0;
  CHECK(LookUntil(heartbeat, 60'000, &told_at) == Deeds{Deed::kTellStuck});
  CHECK(told_at == 100 + kWithin + kReadFirst);
  CHECK_FALSE(heartbeat.Suspect(70'000));
  CHECK(heartbeat.asked_at() == 100);
  heartbeat.Heard();
  CHECK_FALSE(heartbeat.asked_at());
  CHECK_FALSE(heartbeat.deadline());
  CHECK(heartbeat.Suspect(80'000));
  heartbeat.End();
  CHECK_FALSE(heartbeat.deadline());
}

TEST_CASE("Heartbeat: with a timeout it is asked each quarter of it, all workers in one moment") {
  Heartbeat one;
  Heartbeat other;
  one.Begin(20'000, 1'234);
  other.Begin(20'000, 4'900);
  REQUIRE(one.deadline() == 5'000);
  CHECK(other.deadline() == one.deadline());
  CHECK(one.Look(4'999).empty());
  CHECK(one.Look(5'003) == Deeds{Deed::kAsk});
  one.Heard(false);
  CHECK(one.deadline() == 10'000);
  CHECK(one.Look(10'000) == Deeds{Deed::kAsk});
  Millis told_at = 0;
  CHECK(LookUntil(one, 200'000, &told_at) == Deeds{Deed::kTellHung});
  CHECK(told_at == 30'000 + kReadFirst);
  // One that was slow after all is watched on.
  one.Heard();
  CHECK(LookUntil(one, 300'000) == Deeds{Deed::kTellHung});
}

TEST_CASE("Heartbeat: with something waiting it is stuck first, then hung") {
  Heartbeat heartbeat;
  heartbeat.Begin(20'000, 0);
  CHECK(heartbeat.Look(5'000) == Deeds{Deed::kAsk});
  // It is asked already; what it has not answered so far counts.
  CHECK_FALSE(heartbeat.Suspect(12'000));
  CHECK(heartbeat.Look(12'000).empty());
  CHECK(heartbeat.Look(12'000 + kReadFirst) == Deeds{Deed::kTellStuck});
  CHECK(LookUntil(heartbeat, 200'000) == Deeds{Deed::kTellHung});
}

TEST_CASE("Heartbeat: one that is debugged does not hang, though it may be stuck") {
  Heartbeat heartbeat;
  heartbeat.Begin(2'000, 0);
  CHECK(heartbeat.Look(500) == Deeds{Deed::kAsk});
  heartbeat.Heard(true);
  CHECK(heartbeat.Look(1'000) == Deeds{Deed::kAsk});
  CHECK(LookUntil(heartbeat, 100'000).empty());
  CHECK_FALSE(heartbeat.Suspect(100'000));
  CHECK(LookUntil(heartbeat, 200'000) == Deeds{Deed::kTellStuck});
  // A connection that it took says nothing of the debugger.
  heartbeat.Heard();
  CHECK(LookUntil(heartbeat, 300'000).empty());
  heartbeat.Heard(false);
  CHECK(LookUntil(heartbeat, 400'000) == Deeds{Deed::kTellHung});
}

TEST_CASE("Heartbeat: who was not there to listen begins to wait anew") {
  Heartbeat heartbeat;
  heartbeat.Begin(2'000, 0);
  CHECK(heartbeat.Look(500) == Deeds{Deed::kAsk});
  // Stopped for a minute: the answer may have come long ago, and has not been read.
  CHECK(heartbeat.Look(60'000).empty());
  CHECK(heartbeat.deadline() == 62'000);
  CHECK(heartbeat.Look(62'000).empty());
  CHECK(heartbeat.Look(62'000 + kReadFirst) == Deeds{Deed::kTellHung});
  CHECK(heartbeat.asked_at() == 500);
}

// A worker whose loop stands still now and then, a master that is stopped now and then, a machine
// that sleeps now and then.
class StandstillWorld {
 public:
  StandstillWorld(Random& random, Millis timeout) : random_(random), timeout_(timeout) {
    heartbeat_.Begin(timeout, 0);
  }

  std::string Run(Millis span) {
    for (; now_ < span && wrong_.empty(); ++now_) {
      if (random_.Below(40'000) == 0) Sleep();
      if (now_ >= worker_until_ && random_.Below(5'000) == 0) {
        worker_until_ = now_ + random_.Between(1, 4 * std::max<Millis>(timeout_, 1'000));
        still_since_ = now_;
        disturbed_ = now_ < master_until_;
      }
      if (now_ >= master_until_ && random_.Below(10'000) == 0) {
        master_until_ = now_ + random_.Between(1, 30'000);
        disturbed_ = true;
      }
      if (now_ >= worker_until_) TurnWorker();
      if (now_ >= master_until_) TurnMaster();
    }
    return wrong_;
  }

 private:
  // Nobody runs, but time passes.
  void Sleep() {
    const Millis span = random_.Between(1, 60'000);
    now_ += span;
    still_since_ += span;
    worker_until_ += span;
    master_until_ += span;
    disturbed_ = true;
  }

  void TurnWorker() {
    if (asked_) ++answers_;
    asked_ = false;
    told_ = false;
  }

  // As libuv does: first what is due, then what has come.
  void TurnMaster() {
    if (random_.Below(8'000) == 0 && heartbeat_.Suspect(now_)) Ask();
    if (heartbeat_.deadline() && *heartbeat_.deadline() <= now_) {
      for (const Deed deed : heartbeat_.Look(now_)) On(deed);
    }
    for (; answers_ > 0; --answers_) heartbeat_.Heard(false);
    const Millis longest = timeout_ + timeout_ / 4 + 1 + kReadFirst + 1;
    const bool still = now_ < worker_until_ && now_ - still_since_ > longest;
    if (timeout_ > 0 && still && !disturbed_ && !told_) wrong_ = "a hung worker is not told of";
  }

  void Ask() {
    if (asked_) wrong_ = "asked twice";
    asked_ = true;
  }

  void On(Deed deed) {
    if (deed == Deed::kAsk) return Ask();
    const Millis still = now_ < worker_until_ ? now_ - still_since_ : 0;
    const Millis least = deed == Deed::kTellHung ? timeout_ : kWithin;
    if (still < least) wrong_ = "blamed after " + std::to_string(still) + " ms";
    if (deed == Deed::kTellHung) {
      if (told_) wrong_ = "told twice";
      told_ = true;
    }
  }

  Random& random_;
  Millis timeout_;
  Heartbeat heartbeat_;
  Millis now_ = 1;
  Millis worker_until_ = 0;  // its loop does not turn before
  Millis master_until_ = 0;
  Millis still_since_ = 0;
  bool disturbed_ = false;  // the master was away during the standstill
  bool asked_ = false;
  bool told_ = false;
  int answers_ = 0;  // sent, and not read
  std::string wrong_;
};

TEST_CASE("Heartbeat: nobody is blamed for less than it did, and who hangs is told of in time") {
  RunHistories(300, [](Random& random) {
    const Millis timeout = random.Chance(30) ? 0 : random.Between(1'000, 20'000);
    return StandstillWorld(random, timeout).Run(120'000);
  });
}

}  // namespace
}  // namespace slc
