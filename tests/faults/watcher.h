// Watcher looks at a world every 100 ms, in a thread of its own, for what must hold at any moment.
//
// Whatever slcd says, even if it is dead or stopped, from the system's own list of processes:
//
//   - one worker lives in a slot; two in that of a service that may roll, for no longer than
//     kHandOver; a third, or a second elsewhere, only for as long as the end of one takes (kDying);
//   - a service has one master, but for those that are stopped: they act no more;
//   - one slcd: a second one has lost against the lock, and is gone, within kStart; beside a
//   stopped
//     one, which it is to replace, within kSecondDaemon;
//   - slcd and masters stay below kMostDescriptors and kMostBytes each.
//
// Of what slcd answers:
//
//   - one worker starts or serves in a slot; two, of different generations, while the service rolls
//     (or, of a service being adopted, has done so last);
//   - no process has a cookie of this home for longer than kStrangerPatience without being a worker
//     that slcd shows, or a descendant of one;
//   - the epoch of slcd only grows.
//
// It never waits for slcd for long, and says so when it could look less often than every second
// time.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/wire/messages.h"
#include "tests/system/harness.h"

namespace slc::test {

class Watcher {
 public:
  // `never_roll`: services that no command rolls.
  explicit Watcher(World& world, std::set<std::string> never_roll = {});
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Ends the looking; returns what was broken, one line each, empty if nothing.
  std::string Stop();
  // How often it has looked, and how often slcd answered.
  int looks() const { return looks_; }
  int answers() const { return answers_; }

 private:
  void Run();
  void Look();
  void CheckSlots();
  void CheckSupervisors();
  void CheckDaemons(std::size_t present, std::size_t awake);
  void CheckShown(const ServiceView& view);
  void CheckStrangers(const std::vector<ServiceView>& views);
  // Nothing: it is down, or busy.
  std::optional<Reply> Ask(const RequestBody& what);
  void CheckEpoch(const DaemonInfo& info);
  void Complain(const std::string& what);

  World& world_;
  const std::set<std::string> never_roll_;
  const Millis began_ = BootNow();
  std::atomic<bool> ends_{false};
  std::atomic<int> looks_{0};
  std::atomic<int> answers_{0};
  std::uint64_t epoch_ = 0;
  // Since when there is more than one; 0: there is not.
  Millis two_daemons_since_ = 0;
  Millis two_awake_since_ = 0;
  std::map<ServiceId, std::string> names_;  // as far as slcd has told
  std::map<std::string, bool> rolls_;       // by service, as slcd said last
  std::map<pid_t, Millis> strangers_;       // since when
  std::map<std::string, int> broken_;       // and how often
  std::thread thread_;
};

}  // namespace slc::test
