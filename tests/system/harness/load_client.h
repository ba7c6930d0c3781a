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
  bool keeps = false;  // its connections, from one request to the next
  std::int64_t connections_at_once = 0;
  // Requests per second if answers took no time; nothing where only the answers set the pace.
  std::optional<double> pace;
  double elapsed_s = 0;
  std::int64_t attempted = 0;
  std::int64_t sent = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;                       // all kinds
  std::map<std::string, std::int64_t> failures;  // by kind: refused, reset, cut, fin_crossed, ...
  std::vector<LoadFailure> first_failures;       // up to 10,000
  std::int64_t closed_between = 0;
  std::int64_t reset_between = 0;
  std::int64_t connections = 0;
  std::int64_t served = 0;  // connections that a whole answer came on
  std::optional<double> longest_gap_ms;
  Millis slowest = 0;     // of ok answers
  Millis slowest_at = 0;  // CLOCK_BOOTTIME of its end
  // Until a connection could take its first request. With https that is where it waits for a
  // worker, for the handshake is a worker's.
  Millis slowest_connect = 0;
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
  // The report of what has ended so far.
  LoadReport SoFar();
  // Until each connection that is kept has had an answer: no master has it in its hands any more.
  void AwaitKept();
  // Until each lane has got so many answers more: those with a rate need the time for it. Fails the
  // test when a lane takes three times as long as its pace.
  void AwaitAnswers(std::int64_t more);
  // Stops it, waits for outstanding requests, gives the report.
  LoadReport Stop(Millis deadline = 60'000);
  std::size_t connections() const;  // established right now
  pid_t pid() const { return process_->pid(); }

 private:
  bool HasConnected();

  std::unique_ptr<Running> process_;
  std::size_t seen_ = 0;  // bytes of its output
};

}  // namespace slc::test
