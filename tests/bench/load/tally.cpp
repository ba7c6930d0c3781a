#include "tests/bench/load/tally.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace slc::load {

void Tally::AddOk(Time last_byte, Duration latency) {
  if (ok() > 0) longest_gap_ = std::max<Duration>(longest_gap_, last_byte - last_ok_);
  // A close lane enters a response when its connection ends, so the order may differ a little.
  last_ok_ = std::max(last_ok_, last_byte);
  if (latency > latency_.max()) slowest_at_ = last_byte;
  latency_.Add(latency);
}

void Tally::AddFailure(Failure failure) {
  ++failures_[static_cast<std::size_t>(failure.kind)];
  if (first_failures_.size() < kKeptFailures) first_failures_.push_back(std::move(failure));
}

std::size_t Tally::AddWorker(std::string_view worker, bool first_on_connection, std::size_t hint) {
  std::size_t index = hint;
  if (index >= workers_.size() || workers_[index].name != worker) {
    auto found = std::find_if(workers_.begin(), workers_.end(),
                              [&](const WorkerCount& count) { return count.name == worker; });
    index = static_cast<std::size_t>(found - workers_.begin());
    if (found == workers_.end()) workers_.push_back({std::string(worker), 0, 0});
  }
  ++workers_[index].requests;
  if (first_on_connection) ++workers_[index].connections;
  return index;
}

std::uint64_t Tally::failures() const {
  return std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{0});
}

}  // namespace slc::load
