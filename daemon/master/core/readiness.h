// ReadinessJudge: when may a starting worker be called ready? Pure; one per worker.
//
//   kListening, Node   it has said `listening` once and holds every listener its predecessor holds.
//   The
//                      first worker of a generation may differ from the old one (another PORT, a
//                      port that is gone): it is also ready kSettle after its first `listening`.
//   kListening, others alive for kAliveFor, or it has said READY=1
//   kMessage           process.send('ready'), as PM2's apps do; others: READY=1
//   kAlive             alive for kAliveFor
#pragma once

#include <optional>
#include <set>
#include <string>

#include "common/base/time.h"
#include "common/model/service.h"

namespace slc {

class ReadinessJudge {
 public:
  static constexpr Millis kSettle = 1000;
  static constexpr Millis kAliveFor = 1000;

  // `expected`: listener keys of the predecessor; `same_generation`: the predecessor is of the
  // worker's own generation, so a missing listener means "not yet".
  ReadinessJudge(Readiness mode, bool node, std::set<std::string> expected, bool same_generation,
                 Millis spawned_at)
      : mode_(mode),
        node_(node),
        expected_(std::move(expected)),
        same_generation_(same_generation),
        spawned_at_(spawned_at) {}

  // Of what was a spare: it takes over from another one than was thought when it was spawned.
  void Expect(std::set<std::string> keys, bool same_generation) {
    expected_ = std::move(keys);
    same_generation_ = same_generation;
  }
  void Opened(const std::string& key) { held_.insert(key); }
  void Closed(const std::string& key) { held_.erase(key); }
  void Listening(Millis now) {
    if (!listening_at_) listening_at_ = now;
  }
  void SaidReady() { said_ready_ = true; }

  bool Ready(Millis now) const;
  // When Ready() may become true by time alone.
  std::optional<Millis> deadline() const;

 private:
  bool HoldsExpected() const;

  Readiness mode_;
  bool node_;
  std::set<std::string> expected_;
  bool same_generation_;
  Millis spawned_at_;
  std::set<std::string> held_;
  std::optional<Millis> listening_at_;
  bool said_ready_ = false;
};

}  // namespace slc
