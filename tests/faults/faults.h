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
#include "tests/system/load_checks.h"

namespace slc::test {

// `full` blows in the long form, a tenth of them (at least one) otherwise.
int Blows(int full);

// Four services of two workers each, which nobody changes: Express over http, over https, a plain
// Node server, and one that is not Node. Loaded by keep-alive and by one connection per request.
class FourServices {
 public:
  // All are started with `options` too.
  explicit FourServices(World& world, const Words& options = {});

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

// Waits until another master than `old`, which has died or must not act any more, is in charge of
// the service; returns how long that took. Never two in charge: the old one is gone before another
// one is shown.
Millis AwaitSuccessor(World& world, const std::string& service, const ProcessIdentity& old);

// All masters of this home that live.
std::vector<ProcessIdentity> Masters(World& world);

// The value that `percent` of these do not exceed.
Millis Percentile(std::vector<Millis> values, int percent);

}  // namespace slc::test
