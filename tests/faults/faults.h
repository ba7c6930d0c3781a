// What the fault tests share: how often, who is struck, who is served meanwhile, what must hold.
//
// A fault test breaks something for real while services are used, and counts: what README promises
// in "What survives what". `tests/faults/run --long` strikes as often as each test says in Blows(),
// --ci a tenth of that.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/system/dice.h"
#include "tests/system/harness.h"

namespace slc::test {

// SLC_LONG=1.
bool Long();
// `full` blows in the long form, a tenth of them (at least one) otherwise.
int Blows(int full);

// Four services of two workers each, which nobody changes: Express over http, over https, a plain
// Node server, and one that is not Node. Loaded by keep-alive and by one connection per request.
class FourServices {
 public:
  explicit FourServices(World& world);

  const std::vector<App>& apps() const { return apps_; }
  Words lanes() const;
  // Pids of the workers of all four, by service.
  std::map<std::string, std::vector<int>> Pids() const;
  // Pids of their masters, by service.
  std::map<std::string, int> Masters() const;
  // All four are running with two workers, and no other process carries their cookies.
  void CheckWhole() const;

 private:
  World& world_;
  std::vector<App> apps_;
};

// One line per lane: answers, failures by kind, latencies.
std::string Figures(const LoadReport& report);

// No request failed, in any lane, and each got answers.
void CheckNoneFailed(const LoadReport& report);

// All masters of this home that live.
std::vector<ProcessIdentity> Masters(World& world);

// The value that `percent` of these do not exceed.
Millis Percentile(std::vector<Millis> values, int percent);

}  // namespace slc::test
