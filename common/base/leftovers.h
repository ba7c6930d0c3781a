// What a supervised process has left running. Every process has its supervisor's cookie in its
// environment from exec on, and its children inherit it, however often they fork and whatever
// session they begin; so the whole of /proc is looked through for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/process.h"

namespace slc {

// All processes (except the caller) whose environment at exec held SLC_COOKIE=`cookie`; a cookie
// that ends in '.' stands for all that begin with it (INSTANCE.WORKER: one worker's processes,
// INSTANCE. all of the instance). Blocks: some 2 ms per hundred processes of the machine, and up to
// 50 more when one is in the middle of an exec, where it shows no environment. For the tests, which
// look at what is left without killing it: what one look finds may have forked meanwhile, so
// whoever wants to be rid of it needs KillByCookie() or a LeftoverSweep.
std::vector<ProcessIdentity> FindByCookie(const std::string& cookie);

// The cookies of all processes (except the caller) that begin with `prefix`, each once. Blocks as
// FindByCookie() does.
std::set<std::string> CookiesFrom(const std::string& prefix);

// Kills what carries `cookie`, and with `leader` also what is in the session it leads or led:
// programs may start others with an environment of their own. Blocks through all rounds of a
// LeftoverSweep. Returns how many were signalled.
int KillByCookie(const std::string& cookie,
                 const std::optional<ProcessIdentity>& leader = std::nullopt);

// Kills the leftovers of any number of targets in slices, for a loop that must not stand still.
//
// It goes through all processes in rounds and signals (SIGKILL) what belongs to a target. A round
// finds what the last one's victims forked before they died, so a target is done when a whole
// round, begun after it was added, has found nothing new of it: then all of it is dead or dying,
// and none of it forks any more. Who is met in the middle of an exec is looked at again before the
// round ends.
class LeftoverSweep {
 public:
  using Clock = std::chrono::steady_clock;
  // Of a cookie that begins with the one that is looked for: the rest of it.
  using Spares = std::function<bool(const std::string& rest)>;

  // `key` is the caller's name for it; adding a key again starts its search anew. Cookie and leader
  // as for KillByCookie().
  void Add(std::uint64_t key, const std::string& cookie,
           const std::optional<ProcessIdentity>& leader);

  // The same for all whose cookie begins with `cookie`, which ends in '.', but for those that
  // `spares` returns true for at that moment.
  void AddAllBut(std::uint64_t key, const std::string& cookie, Spares spares);

  struct Done {
    std::uint64_t key = 0;
    int signalled = 0;
  };
  // Goes on for `slice`: looks at one process at least, and at none once that time is over, or if
  // only those in the middle of an exec are left. Returns the targets that are done.
  std::vector<Done> Step(Clock::duration slice);
  // Blocks until all are.
  std::vector<Done> Finish();

  // Nothing is searched for.
  bool idle() const { return targets_.empty(); }

 private:
  struct Target {
    std::string variable;  // SLC_COOKIE=...
    std::optional<ProcessIdentity> leader;
    Spares spares;
    std::vector<ProcessIdentity> signalled;
    int rounds = 0;         // begun
    bool found_new = true;  // in this round
  };

  void LookAt(pid_t pid);
  std::vector<Done> EndRound();

  std::map<std::uint64_t, Target> targets_;
  std::unique_ptr<ProcessWalk> round_;  // where this round has come to; none between rounds
  std::deque<pid_t> executing_;         // met in the middle of an exec
  Clock::time_point settle_by_;         // how long they are waited for
};

}  // namespace slc
