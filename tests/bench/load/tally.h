// Tally is the book-keeping of one lane: what was asked, what came of it. Pure.
//
// The promise that makes "0 failures" mean something: each attempt is entered exactly once, and
// ends exactly once, as ok or as one failure. Balances() checks it; the report refuses books that
// do not.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/load/clock.h"
#include "tests/bench/load/failure.h"
#include "tests/bench/load/histogram.h"

namespace slc::load {

// What the worker with one value of `x-worker` got.
struct WorkerCount {
  std::string name;
  std::uint64_t connections = 0;  // whose first response it gave
  std::uint64_t requests = 0;     // complete responses of any status
};

class Tally {
 public:
  // Enough to tell of each when it was, also in ten minutes of blows of which many may fail some
  // (1086 of one lane were seen); a run that fails more often needs no such list.
  static constexpr std::size_t kKeptFailures = 10'000;
  static constexpr std::size_t kNoWorker = static_cast<std::size_t>(-1);

  // Free counters, entered by the connection as things happen.
  std::uint64_t attempted = 0;  // requests that were due, whether or not a connection came about
  std::uint64_t sent = 0;       // of which at least one byte was handed to the kernel
  std::uint64_t opened = 0;     // connections (with TLS: after the handshake)
  std::uint64_t served = 0;     // of which a whole answer came: a worker has them
  std::uint64_t closed_between =
      0;                            // by the server, no request outstanding, or `Connection: close`
  std::uint64_t reset_between = 0;  // RST with no request outstanding; no failure, but no manners
  Duration connect_max{0};          // TCP connect plus TLS handshake

  void AddOk(Time last_byte, Duration latency);
  void AddFailure(Failure failure);
  // Counts a response of `worker` and, if `first_on_connection`, its connection. `hint` is what the
  // last call for the same connection returned, or kNoWorker.
  std::size_t AddWorker(std::string_view worker, bool first_on_connection, std::size_t hint);

  std::uint64_t ok() const { return latency_.count(); }
  std::uint64_t failures(FailureKind kind) const {
    return failures_[static_cast<std::size_t>(kind)];
  }
  std::uint64_t failures() const;
  bool Balances() const { return attempted == ok() + failures(); }
  const Histogram& latency() const { return latency_; }
  // When the answer ended that took longest.
  Time slowest_at() const { return slowest_at_; }
  // Between the last bytes of two ok responses that follow each other.
  Duration longest_gap() const { return longest_gap_; }
  const std::vector<Failure>& first_failures() const { return first_failures_; }
  // In order of appearance.
  const std::vector<WorkerCount>& workers() const { return workers_; }

 private:
  std::array<std::uint64_t, kFailureKinds> failures_{};
  Histogram latency_;
  Time last_ok_{};
  Time slowest_at_{};
  Duration longest_gap_{0};
  std::vector<Failure> first_failures_;
  std::vector<WorkerCount> workers_;
};

}  // namespace slc::load
