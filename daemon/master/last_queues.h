// LastQueues: workers that are to end as soon as nobody waits any more in a queue that only they
// take from. New connections are steered away from there, so the queue gets shorter; where the
// system does not let us steer, the time ends it.
//
// Nothing is kept in the snapshot: a successor is told to drain them again, and waits anew.
#pragma once

#include <functional>
#include <map>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

class LastQueues {
 public:
  // `is_left`: somebody waits there. `go_on` is called once for each worker.
  LastQueues(uv::Loop& loop, std::function<bool(WorkerId)> is_left,
             std::function<void(WorkerId)> go_on);

  // Calls go_on at once if nobody waits, else when nobody does, after `most` at the latest. A
  // worker that is awaited already goes on as it was.
  void Await(WorkerId worker, Millis most);

 private:
  void Look();

  uv::Loop& loop_;
  const std::function<bool(WorkerId)> is_left_;
  const std::function<void(WorkerId)> go_on_;
  std::map<WorkerId, Millis> until_;
  uv::Timer timer_;
};

}  // namespace slc
