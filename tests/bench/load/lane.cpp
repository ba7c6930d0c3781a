#include "tests/bench/load/lane.h"

namespace slc::load {

Lane::Lane(const LaneOptions& options, const Endpoint& endpoint, const TlsContext* tls,
           Duration timeout, Reactor& reactor, Time start, std::uint64_t seed)
    : context_(options, endpoint, tls, timeout, reactor, start, seed) {
  for (int i = 0; i < options.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(context_));
  }
}

void Lane::Start(Time now) {
  for (auto& connection : connections_) connection->Start(now);
}

void Lane::Stop() {
  if (stopped_) return;
  stopped_ = true;
  context_.schedule.Stop();
  for (auto& connection : connections_) connection->OnLaneStopped();
}

void Lane::Update(Time now) {
  if (context_.schedule.finished()) Stop();
  if (ended_ || context_.retired != context_.options.connections) return;
  ended_ = true;
  elapsed_ = now - context_.start;
}

}  // namespace slc::load
