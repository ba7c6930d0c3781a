// InstancePlan: what slcd does about the master of one service. Pure: facts in, deeds out.
//
//     Absent -> Launching -> InCharge            a fresh start
//     Searching -> InCharge | Absent             slcd has come up: is there a living master?
//     InCharge -> Fencing -> Launching           the master died, hangs, or hung up: its successor
//     Searching -> Foreign -> Absent             a living master of a version too far away: it is
//                                                left alone until it ends
//     InCharge -> Ending -> Absent               it has stopped everything and leaves
//
// Promises: a successor is launched only after the end of its predecessor was seen; nobody is
// launched for a service that is to be stopped and whose workers are gone; tries are paced. Where
// masters of one binary do not hold, the version before is tried, in turns with it. A
// silent master found by the search has not given its descriptors to this slcd: they are taken from
// it before it is fenced. If that cannot be it is waited for longer than others, since its workers
// are lost with it.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "common/base/time.h"

namespace slc {

// Facts.
struct PlanWish {  // what is wanted has changed
  bool run = false;
  bool renewed = false;  // by a command, as opposed to a repeat
};
struct SearchBegun {};   // slcd has come up and looks for a living master
struct MasterSearched {  // the result of that
  bool found = false;    // a link was made; its hello is awaited
  bool run = false;      // what is wanted of one that was found; others are started by a PlanWish
  bool kept = false;     // what one has left is at hand though it was not found
};
struct MasterLaunched {
  bool started = false;  // false: it could not even be executed
};
struct NothingToStart {};  // the launch would be a fresh start, and nobody knows of what
struct MasterSpoke {
  bool in_charge = false;  // by facts or descriptors it has sent; false: the hello of a fresh one
};
struct MasterAnswered {};  // a pong
struct MasterStopped {     // it said that everything has stopped and that it leaves
  bool obeyed = true;      // false: it had not seen the newest order
};
struct DescriptorsTaken {  // what TakeDescriptors has come to
  bool all = false;
};
struct MasterForeign {};  // it speaks no protocol of ours
struct LinkLost {};
struct MasterEnded {    // its process has ended
  bool killed = false;  // by SIGKILL, perhaps ours: that says nothing about the binary
};
// By its wait status; nothing: not known.
MasterEnded EndedWith(const std::optional<int>& status);
struct PlanTick {};
using PlanEvent = std::variant<PlanWish, SearchBegun, MasterSearched, MasterLaunched,
                               NothingToStart, MasterSpoke, MasterAnswered, MasterStopped,
                               DescriptorsTaken, MasterForeign, LinkLost, MasterEnded, PlanTick>;

// Deeds.
struct LaunchMaster {
  bool adopt = false;  // hand it what the keeper holds; else kill leftovers and start afresh
  bool previous_binary = false;  // the version before, where there is one to go back to
};
struct FenceMaster {     // SIGKILL; its end is reported as MasterEnded
  const char* why = "";  // a literal, for people
};
struct TakeDescriptors {};  // of a master that is silent; DescriptorsTaken tells how it went
struct SendOrder {};        // the master is (newly) in charge: tell it the wish
struct PingMaster {};
struct CleanUp {};  // no master: kill leftovers, forget what was kept
using PlanAction =
    std::variant<LaunchMaster, FenceMaster, TakeDescriptors, SendOrder, PingMaster, CleanUp>;

class InstancePlan {
 public:
  enum class State { kAbsent, kSearching, kLaunching, kInCharge, kFencing, kEnding, kForeign };

  std::vector<PlanAction> On(const PlanEvent& event, Millis now);
  std::optional<Millis> deadline() const { return deadline_; }
  State state() const { return state_; }
  // The master was sent SIGTERM and has ended its instance; it stays so until the next command.
  bool left() const { return left_; }

 private:
  bool Needed() const { return run_ || workers_; }
  void CountIfEarly(Millis now);
  bool IsEarly(Millis now) const;
  void JudgeBinary(const MasterEnded& ended, Millis now);
  void Order();
  void Launch(Millis now);
  void Leave();
  void Heard(const MasterSpoke& spoke, Millis now);
  void OutOfPatience(Millis now);
  void Taken(bool all, Millis now);
  void LaunchOrLeave(Millis now);
  void Lost(const char* why, Millis now);
  void Gone(const MasterEnded& ended, Millis now);

  State state_ = State::kAbsent;
  bool run_ = false;
  bool stopped_ = false;   // the master said so
  bool left_ = false;      // it left though the wish says run: SIGTERM by the operator
  bool workers_ = false;   // there may be some: an order was given, and no end of them was seen
  bool working_ = false;   // the master has told facts: it got through its start
  int failures_ = 0;       // launches in a row of masters that told no facts
  Millis early_ends_ = 0;  // of masters that worked and died soon; paid off by those that last
  int unfit_ = 0;          // masters in a row that were executed and did not hold by themselves
  bool previous_ = false;  // the version before was launched last, if there is one
  bool early_ = false;     // the one that is fenced was lost soon after its launch
  bool faulty_ = false;    // and by its own fault: it did not answer, or speaks no protocol of ours
  Millis launch_at_ = 0;   // not before
  bool launch_pending_ = false;
  std::optional<Millis> deadline_;
  std::optional<Millis> patience_;  // until the hello, the end, or the pong
  Millis next_ping_ = 0;
  bool ping_open_ = false;
  std::vector<PlanAction> actions_;
};

}  // namespace slc
