// Reporter: tells slcd how the instance is doing: facts (the summary, whenever it has changed) and
// notices (single happenings, for the people who wait for them). Looks at the other parts and
// changes none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/uv/loop.h"
#include "common/wire/link.h"
#include "daemon/master/control_link.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/listener_desk.h"
#include "daemon/master/log_pump.h"
#include "daemon/master/workers.h"

namespace slc {

class Reporter {
 public:
  Reporter(const uv::Loop& loop, ControlLink& link, const Fleet& fleet, const Workers& workers,
           const ListenerDesk& desk, const LogPump& logs)
      : loop_(loop), link_(link), fleet_(fleet), workers_(workers), desk_(desk), logs_(logs) {}

  // Keeps what the worker of a new failure has printed last; to be called whenever the fleet has
  // judged, for those lines are forgotten with the worker.
  void NoteFailure();
  // Sends the facts if they differ from those sent last.
  void TellFacts();
  // A new daemon has been told nothing yet.
  void ForgetTold() { told_.reset(); }

  // `kind`: worker_started, worker_ready, worker_draining, spare_started, spare_takes_slot.
  void Notify(const std::string& kind, WorkerId worker);
  // `unasked`: nobody of us had asked it to end.
  void NotifyEnd(WorkerId worker, const WorkerEnd& end, bool unasked);
  // `kind`: worker_given_up, worker_hung. Why stands in its slot.
  void NotifyGivenUp(const std::string& kind, WorkerId worker);
  // `what`: for people.
  void NotifyOutgrown(WorkerId worker, const std::string& what);
  void NotifySlotGivenUp(SlotNumber slot, const std::string& why);
  // The output of the workers is taken slowly from now on.
  void NotifyFlood();
  // It had not ended `waited` after its stop signal.
  void NotifyKilled(WorkerId worker, Millis waited);
  // What slcd's journal should know of the time in which there was no slcd: the last 64 of these.
  void TellMissed();

 private:
  link::Notice NoticeOf(const std::string& kind, WorkerId worker) const;
  void Send(link::Notice notice);

  const uv::Loop& loop_;
  ControlLink& link_;
  const Fleet& fleet_;
  const Workers& workers_;
  const ListenerDesk& desk_;
  const LogPump& logs_;

  std::vector<link::Notice> missed_;
  std::uint64_t missed_lost_ = 0;
  std::optional<link::Facts> told_;
  std::vector<std::string> failure_tail_;
  std::uint64_t failure_order_ = 0;  // of the failure the tail belongs to
};

}  // namespace slc
