// Load by bin/slc-load, and its report (tests/bench/load/report.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "tests/system/harness/basics.h"
#include "tests/system/harness/processes.h"

namespace slc::test {

struct LoadFailure {
  Millis at = 0;     // CLOCK_BOOTTIME of its end
  std::string kind;  // as in LaneReport::failures
  std::string text;
};
struct LaneReport {
  std::string name;
  std::int64_t attempted = 0;
  std::int64_t sent = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;                       // all kinds
  std::map<std::string, std::int64_t> failures;  // by kind: refused, reset, cut, fin_crossed, ...
  std::vector<LoadFailure> first_failures;       // up to 1000
  std::int64_t closed_between = 0;
  std::int64_t reset_between = 0;
  std::int64_t connections = 0;
  std::optional<double> longest_gap_ms;
  Millis slowest = 0;     // of ok answers
  Millis slowest_at = 0;  // CLOCK_BOOTTIME of its end
  std::map<std::string, std::int64_t> requests_by_worker;
  std::map<std::string, std::int64_t> connections_by_worker;
};
struct LoadReport {
  bool passed = false;
  std::string text;  // the JSON as printed: INFO(report.text)
  std::vector<LaneReport> lanes;
  const LaneReport& lane(const std::string& name) const;
  std::int64_t ok() const;  // of all lanes
  std::int64_t failed() const;
};

class World;
class LoadClient {
 public:
  // Each lane as for slc-load: "url=http://127.0.0.1:3001/,connections=8". Runs until Stop().
  // Returns when it has a connection.
  LoadClient(World& world, const Words& lanes, const Words& options = {});
  // Stops it, waits for outstanding requests, gives the report.
  LoadReport Stop(Millis deadline = 60'000);
  std::size_t connections() const;  // established right now
  pid_t pid() const { return process_->pid(); }

 private:
  std::unique_ptr<Running> process_;
};

}  // namespace slc::test
