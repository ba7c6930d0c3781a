// Lane is a group of connections that do the same, with one schedule and one tally.
#pragma once

#include <memory>
#include <vector>

#include "tests/bench/load/connection.h"

namespace slc::load {

class Lane {
 public:
  // `options` and `tls` (null for http) must outlive the lane.
  Lane(const LaneOptions& options, const Endpoint& endpoint, const TlsContext* tls,
       Duration timeout, Reactor& reactor, Time start, std::uint64_t seed);

  void Start(Time now);
  // No new requests; outstanding ones go on.
  void Stop();
  // To be called now and then: notices that the lane's own end (`requests`) has come.
  void Update(Time now);
  bool done() const { return ended_; }

  const LaneOptions& options() const { return context_.options; }
  const Tally& tally() const { return context_.tally; }
  // From the start to the end of the last request; to `now` as long as it is not done.
  Duration elapsed(Time now) const { return ended_ ? elapsed_ : now - context_.start; }

 private:
  LaneContext context_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool stopped_ = false;
  bool ended_ = false;
  Duration elapsed_{0};
};

}  // namespace slc::load
