// Heartbeat: does a worker's event loop turn? Pure; one per worker.
//
// Its agent answers a ping from the loop. It is asked when something waits for it (Suspect), and
// with --hang-timeout every quarter of that; the moments are the same for all workers, so that one
// wake-up serves them all. At most one question is open.
//
//   stuck  something waits for it, and it has not answered within kAnswersWithin
//   hung   it has not answered for the timeout, so its loop has stood still for that long at least.
//          Not while a debugger was attached to it when it answered last: who looks at a breakpoint
//          stops the loop. Nor while it is excused, since it shows something of itself.
//
// What counts is time in which we could have read an answer: when a look comes late (the machine
// slept, this process was stopped or got no CPU) the wait begins anew, and what is overdue is
// judged only after another turn of the loop, in which what had come is read.
#pragma once

#include <optional>
#include <vector>

#include "common/base/time.h"

namespace slc {

class Heartbeat {
 public:
  static constexpr Millis kAnswersWithin = 1000;
  // For a look that comes so much later than it was due nobody else is to blame.
  static constexpr Millis kLate = 500;
  static constexpr Millis kReadFirst = 50;
  // For so long at most one that shows itself stands still before it counts as hung.
  static constexpr Millis kLongestExcuse = 10 * 60'000;

  enum class Deed {
    kAsk,  // send a ping
    kTellStuck,
    kTellHung,
  };

  // It serves from now on, and its agent can answer. `hang_timeout` 0: only suspicion counts.
  void Begin(Millis hang_timeout, Millis now);
  // It is leaving, or gone.
  void End();

  // Something waits for it. True: it is to be asked at once.
  bool Suspect(Millis now);
  // It did what only a loop that turns does. `debugged`: nothing if it did not say.
  void Heard(std::optional<bool> debugged = std::nullopt);

  // It stands still by our order: until it is heard again, or then, it is not hung.
  void Excuse(Millis until) { excused_until_ = until; }

  // What is due.
  std::vector<Deed> Look(Millis now);
  std::optional<Millis> deadline() const;
  // When the question was asked that it has not answered; nothing if none is open.
  std::optional<Millis> asked_at() const { return asked_at_; }

 private:
  std::optional<Millis> NextVerdict() const;
  void PlanNext(Millis now);

  bool active_ = false;
  Millis timeout_ = 0;
  Millis next_ = 0;  // question (with a timeout only)
  bool debugged_ = false;
  std::optional<Millis> suspected_at_;
  std::optional<Millis> asked_at_;
  std::optional<Millis> counted_from_;  // the same, but for time in which we could not listen
  Millis excused_until_ = 0;
  std::optional<Millis> overdue_at_;  // when a look found it so
  bool told_stuck_ = false;
  bool told_hung_ = false;
};

}  // namespace slc
