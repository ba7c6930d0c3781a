#include "daemon/master/last_queues.h"

#include <utility>
#include <vector>

namespace slc {
namespace {

constexpr Millis kLookAgain = 20;

}  // namespace

LastQueues::LastQueues(uv::Loop& loop, std::function<bool(WorkerId)> is_left,
                       std::function<void(WorkerId)> go_on)
    : loop_(loop),
      is_left_(std::move(is_left)),
      go_on_(std::move(go_on)),
      timer_(loop, [this] { Look(); }) {}

void LastQueues::Await(WorkerId worker, Millis most) {
  if (until_.count(worker) > 0) return;
  if (!is_left_(worker)) return go_on_(worker);
  until_[worker] = loop_.now() + most;
  timer_.StartIn(kLookAgain);
}

void LastQueues::Look() {
  std::vector<WorkerId> over;
  for (const auto& [worker, until] : until_) {
    if (loop_.now() >= until || !is_left_(worker)) over.push_back(worker);
  }
  for (const WorkerId worker : over) {
    until_.erase(worker);
    go_on_(worker);
  }
  if (!until_.empty()) timer_.StartIn(kLookAgain);
}

}  // namespace slc
