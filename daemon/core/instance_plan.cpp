#include "daemon/core/instance_plan.h"

#include <algorithm>

#include "common/base/backoff.h"

namespace slc {
namespace {

constexpr Millis kHelloPatience = 5000;
// What a master holds for its workers is lost with it unless it was sent here first. One that is
// only stopped or starved gets this long, after kHelloPatience, to come back and send it.
constexpr Millis kFoundPatience = 55000;
constexpr Millis kPingEvery = 10000;
constexpr Millis kPongPatience = 2000;
constexpr Millis kLongestPause = 5000;
// After a master that has worked: new connections wait in the kernel's queue meanwhile, and
// whoever opened them has some seconds of patience. One launch costs some 10 ms of CPU.
constexpr Millis kLongestAfterWork = 1000;
// A master that is lost sooner after its launch has not held.
constexpr Millis kEarly = 1000;
// A hang of the whole machine (suspend, a stopped VM) looks like silence; a master that has not
// ended this long after its SIGKILL is in an uninterruptible wait and can only be waited for.
constexpr Millis kEndPatience = 5000;

constexpr const char* kSilent = "it does not answer";

// 0, 100, 200, 400 ms ...
Millis Pause(Millis failures, Millis longest) { return BackoffPause(100, longest, failures); }

// A master that works is followed within half a second even when its predecessors were killed, too,
// so long as they were not killed faster than one can look: as long as nobody is in charge nobody
// accepts connections. 0, 100, 200, 200 ms ..., and from the tenth on longer, a second at most.
Millis PauseAfterWork(Millis early_ends) {
  constexpr Millis kShort = 2;
  constexpr Millis kPatient = 8;
  const Millis failures =
      early_ends <= kPatient ? std::min(early_ends, kShort) : kShort + early_ends - kPatient;
  return Pause(failures, kLongestAfterWork);
}

}  // namespace

std::vector<PlanAction> InstancePlan::On(const PlanEvent& event, Millis now) {
  actions_.clear();
  if (const auto* wish = std::get_if<PlanWish>(&event)) {
    run_ = wish->run;
    left_ = left_ && run_ && !wish->renewed;
    if (state_ == State::kAbsent && run_ && !launch_pending_ && !left_) {
      failures_ = 0;
      early_ends_ = 0;
      unfit_ = 0;
      Launch(now);
    } else if (state_ == State::kAbsent && launch_pending_) {
      if (!Needed()) Leave();
    } else if (state_ == State::kInCharge) {
      stopped_ = false;
      Order();
    }
  } else if (std::holds_alternative<SearchBegun>(event)) {
    state_ = State::kSearching;
  } else if (const auto* searched = std::get_if<MasterSearched>(&event)) {
    if (searched->found) {
      run_ = searched->run;
      state_ = State::kSearching;
      workers_ = true;
      patience_ = now + kHelloPatience;
    } else if (searched->kept) {
      workers_ = true;
      Launch(now);
    } else {
      Leave();
      if (run_) Launch(now);
    }
  } else if (const auto* launched = std::get_if<MasterLaunched>(&event)) {
    if (launched->started) {
      patience_ = now + kHelloPatience;
    } else {
      ++failures_;
      if (previous_) ++unfit_;
      LaunchOrLeave(now);
    }
  } else if (std::holds_alternative<NothingToStart>(event)) {
    Leave();
  } else if (const auto* spoke = std::get_if<MasterSpoke>(&event)) {
    Heard(*spoke, now);
  } else if (std::holds_alternative<MasterAnswered>(event)) {
    ping_open_ = false;
    if (state_ == State::kInCharge) patience_.reset();
  } else if (const auto* stopped = std::get_if<MasterStopped>(&event)) {
    stopped_ = true;
    // It was told to stop, or it was sent SIGTERM: then it stays down until the next command. If
    // that command has crossed its last words, it is not down for long.
    left_ = run_ && stopped->obeyed;
    if (state_ == State::kInCharge) {
      state_ = State::kEnding;
      patience_ = now + kEndPatience;
    }
  } else if (const auto* taken = std::get_if<DescriptorsTaken>(&event)) {
    if (state_ == State::kSearching) Taken(taken->all, now);
  } else if (std::holds_alternative<MasterForeign>(event)) {
    if (state_ == State::kSearching) {
      state_ = State::kForeign;
      patience_.reset();
    } else if (state_ == State::kLaunching) {
      faulty_ = true;
      Lost("its version speaks no protocol of this slcd", now);
    }
  } else if (std::holds_alternative<LinkLost>(event)) {
    if (state_ == State::kInCharge || state_ == State::kSearching || state_ == State::kLaunching) {
      Lost("its connection to slcd has ended", now);
    }
  } else if (const auto* ended = std::get_if<MasterEnded>(&event)) {
    Gone(*ended, now);
  }

  if (patience_ && *patience_ <= now) OutOfPatience(now);
  if (state_ == State::kInCharge && next_ping_ <= now) {
    next_ping_ = now - now % kPingEvery + kPingEvery;
    if (!ping_open_) {
      ping_open_ = true;
      actions_.push_back(PingMaster{});
      patience_ = now + kPongPatience;
    }
  }
  if (launch_pending_ && launch_at_ <= now) {
    launch_pending_ = false;
    state_ = State::kLaunching;
    working_ = false;
    faulty_ = false;
    patience_ = now + kHelloPatience;
    // Either may be the one that does not get on with what the machine is now.
    constexpr int kTryPrevious = 2;
    previous_ = unfit_ >= kTryPrevious && (unfit_ - kTryPrevious) % 2 == 0;
    actions_.push_back(LaunchMaster{workers_, previous_});
  }
  deadline_ = patience_;
  const auto consider = [&](Millis at) {
    if (!deadline_ || at < *deadline_) deadline_ = at;
  };
  if (state_ == State::kInCharge) consider(next_ping_);
  if (launch_pending_) consider(launch_at_);
  return std::move(actions_);
}

void InstancePlan::Heard(const MasterSpoke& spoke, Millis now) {
  ping_open_ = false;
  working_ = working_ || spoke.in_charge;
  if (working_) failures_ = 0;
  if (state_ == State::kInCharge) {
    patience_.reset();
  } else if (state_ == State::kSearching && !spoke.in_charge) {
    // Whoever launched it died before it was told what to do: what it was to take over is lost, and
    // workers that it knows nothing of may live.
    Lost("it was launched by a slcd that is gone, and not told what to do", now);
  } else if (state_ == State::kLaunching || state_ == State::kSearching) {
    state_ = State::kInCharge;
    stopped_ = false;
    patience_.reset();
    next_ping_ = now - now % kPingEvery + kPingEvery;
    Order();
  }
}

void InstancePlan::OutOfPatience(Millis now) {
  patience_.reset();
  if (state_ == State::kFencing || state_ == State::kEnding) {
    actions_.push_back(FenceMaster{"it was to end, and has not ended in 5 s"});
    patience_ = now + kEndPatience;
  } else if (state_ == State::kSearching && !ping_open_) {
    actions_.push_back(TakeDescriptors{});
  } else {
    faulty_ = true;
    Lost(kSilent, now);
  }
}

void InstancePlan::Taken(bool all, Millis now) {
  if (all) return Lost(kSilent, now);
  ping_open_ = true;
  actions_.push_back(PingMaster{});
  patience_ = now + kFoundPatience;
}

void InstancePlan::Order() {
  workers_ = workers_ || run_;
  actions_.push_back(SendOrder{});
}

void InstancePlan::Leave() {
  state_ = State::kAbsent;
  launch_pending_ = false;
  workers_ = false;
  patience_.reset();
  actions_.push_back(CleanUp{});
}

// Somebody must look after workers, be it only to stop them.
void InstancePlan::LaunchOrLeave(Millis now) {
  if (Needed()) {
    Launch(now);
  } else {
    Leave();
  }
}

void InstancePlan::Launch(Millis now) {
  launch_pending_ = true;
  launch_at_ = now + std::max(Pause(failures_, kLongestPause), PauseAfterWork(early_ends_));
  state_ = State::kAbsent;
  patience_.reset();
  left_ = false;
}

// The master is not to be trusted any more: make sure that it is gone before anybody takes its
// place.
void InstancePlan::Lost(const char* why, Millis now) {
  early_ = IsEarly(now);
  CountIfEarly(now);
  state_ = State::kFencing;
  patience_ = now + kEndPatience;
  ping_open_ = false;
  actions_.push_back(FenceMaster{why});
}

void InstancePlan::Gone(const MasterEnded& ended, Millis now) {
  patience_.reset();
  ping_open_ = false;
  if (state_ == State::kAbsent) return;
  JudgeBinary(ended, now);
  CountIfEarly(now);
  const bool done = stopped_;
  stopped_ = false;
  if (!done) return LaunchOrLeave(now);
  Leave();
  // The wish may have turned while it was on its way out.
  if (run_ && !left_) Launch(now);
}

// A master that tells no facts (it finds its lock taken, its files unreadable), or is lost at once,
// is a failed try: without a pause the next one would most likely do the same, as fast as the
// machine can. One that told facts works, whatever has killed it. What tells a crash at each start
// from kills at random is how long they live: 250 ms in charge pay off one early end, so kills
// twice a second stay without a long pause, and crashes within 250 ms of the start do not.
void InstancePlan::CountIfEarly(Millis now) {
  constexpr Millis kPaysOff = 250;
  if (state_ == State::kLaunching || (state_ == State::kInCharge && !working_)) {
    ++failures_;
  } else if (state_ == State::kInCharge) {
    const Millis lived = now - launch_at_;
    early_ends_ = std::max<Millis>(0, early_ends_ - lived / kPaysOff) + (lived < kEarly ? 1 : 0);
  }
}

bool InstancePlan::IsEarly(Millis now) const {
  if (state_ == State::kInCharge && working_) return now - launch_at_ < kEarly;
  return state_ == State::kInCharge || state_ == State::kLaunching;
}

// Whoever kills masters, or cannot start any, finds the same with every binary. (A copy of before
// that is gone by now is an exception, see MasterLaunched.)
void InstancePlan::JudgeBinary(const MasterEnded& ended, Millis now) {
  const bool early = state_ == State::kFencing ? early_ : IsEarly(now);
  if (!early) {
    unfit_ = 0;
  } else if (faulty_ || !ended.killed) {
    ++unfit_;
  }
}

}  // namespace slc
