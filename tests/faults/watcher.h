// Watcher looks at a world every 100 ms, in a thread of its own, for what must hold at any moment:
//
//   - one worker starts or serves in a slot; two, of different generations, while slcd says that
//   the
//     service rolls (or, of a service being adopted, has said so last);
//   - no process has a cookie of this home for longer than kStrangerPatience without being a worker
//     that slcd shows, or a descendant of one;
//   - one slcd: a second one (it waits for the lock, or fences) is gone within kSecondDaemon;
//   - the epoch of slcd only grows;
//   - slcd and masters stay below kMostDescriptors and kMostBytes each.
//
// It never waits for slcd for long, and says so when it could look less often than every second
// time.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/wire/messages.h"
#include "tests/system/harness.h"

namespace slc::test {

class Watcher {
 public:
  explicit Watcher(World& world);
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
  void CheckSlots(const ServiceView& view);
  void CheckStrangers(const std::vector<ServiceView>& views);
  void CheckSupervisors();
  // Nothing: it is down, or busy.
  std::optional<Reply> Ask(const RequestBody& what);
  void CheckEpoch(const DaemonInfo& info);
  void Complain(const std::string& what);

  World& world_;
  const Millis began_ = BootNow();
  std::atomic<bool> ends_{false};
  std::atomic<int> looks_{0};
  std::atomic<int> answers_{0};
  std::uint64_t epoch_ = 0;
  Millis two_daemons_since_ = 0;
  std::map<std::string, bool> rolls_;  // by service, as slcd said last
  std::map<pid_t, Millis> strangers_;  // since when
  std::map<std::string, int> broken_;  // and how often
  std::thread thread_;
};

}  // namespace slc::test
