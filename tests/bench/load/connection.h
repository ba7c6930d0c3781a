// Connection is one virtual user of a lane: it sends a request, judges the answer, pauses, and so
// on, on one TCP connection after the other.
//
// Each request that becomes due is one *attempt*. It ends exactly once: as ok or as one failure.
// What happens to the connection between attempts is no failure; the attempt then opens a new
// connection. All attempts start with a look for an EOF that is already there, so that a failure on
// a connection that had served before is one that no client could have avoided by looking.
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/load/channel.h"
#include "tests/bench/load/clock.h"
#include "tests/bench/load/failure.h"
#include "tests/bench/load/http_response.h"
#include "tests/bench/load/options.h"
#include "tests/bench/load/reactor.h"
#include "tests/bench/load/request.h"
#include "tests/bench/load/schedule.h"
#include "tests/bench/load/tally.h"

namespace slc::load {

// What the connections of a lane share. Outlives them.
struct LaneContext {
  LaneContext(const LaneOptions& lane_options, const Endpoint& lane_endpoint,
              const TlsContext* lane_tls, Duration request_timeout, Reactor& loop, Time start_time,
              std::uint64_t seed)
      : options(lane_options),
        endpoint(lane_endpoint),
        tls(lane_tls),
        timeout(request_timeout),
        reactor(loop),
        start(start_time),
        request(lane_options),
        schedule(lane_options, start_time, seed) {}

  const LaneOptions& options;
  Endpoint endpoint;
  const TlsContext* tls;  // null for http
  Duration timeout;
  Reactor& reactor;
  Time start;
  Request request;
  Schedule schedule;
  Tally tally;
  int retired = 0;  // connections that will do nothing more
};

class Connection final : private Reactor::Handler {
 public:
  explicit Connection(LaneContext& lane)
      : lane_(lane), channel_(lane.endpoint, lane.tls, lane.options.url.host) {}
  ~Connection() override { lane_.reactor.CancelTimer(*this); }

  void Start(Time now);
  // The lane's schedule has been stopped: retires now or when the outstanding request is done.
  void OnLaneStopped();

 private:
  enum class Phase {
    kPausing,     // no attempt; the channel may be open or not
    kQueueing,    // the same, the pause is over but not the wait for the lane's rate
    kOpening,     // attempt: TCP connect, TLS handshake
    kExchanging,  // attempt: request on its way, answer awaited, or the close that has to follow it
    kRetired,
  };

  void OnEvents(std::uint32_t events) override;
  void OnTimer(Time now) override;

  // Between attempts.
  void PauseUntil(Time until, Time now);
  void Queue(Time now);
  void Retire();
  void CheckIdle();
  bool IsPausing() const { return phase_ == Phase::kPausing || phase_ == Phase::kQueueing; }

  // An attempt, in this order.
  void Begin(Time now);
  void Open();
  void OnOpenProgress(const IoResult& result);
  void OnOpened();
  void Send();
  void PumpRequest();
  // These four: true while the answer is still awaited, false once the attempt has ended (and the
  // next one may already be on its way).
  bool PumpResponse();
  bool OnBytes(std::string_view bytes);
  bool OnEof();
  bool OnStreamError(int error);
  bool RequestDone() const;

  // Its end.
  // The response is complete: the verdict on it. `connection_over`: no further request can use it.
  void Settle(bool connection_over);
  void Fail(FailureKind kind, int error, std::string text);
  void Record(FailureKind kind, int error, std::string text);
  void Next(Duration at_least);

  void LoseBetween(const IoResult& how);
  void Drop();
  void UpdateWatch();
  std::string Progress() const;
  std::string WithTlsError(const std::string& text) const;

  LaneContext& lane_;
  Channel channel_;
  Phase phase_ = Phase::kPausing;
  bool watched_ = false;
  bool watches_write_ = false;

  // Of the connection.
  Time open_started_{};
  Time opened_at_{};
  std::uint64_t requests_on_connection_ = 0;  // begun to be sent
  std::size_t worker_ = Tally::kNoWorker;

  // Of the attempt.
  Time sent_at_{};
  Time last_byte_at_{};
  std::uint64_t written_ = 0;
  bool write_failed_ = false;
  bool answered_ = false;  // the response is complete
  bool surplus_ = false;   // bytes came after it
  ResponseParser response_;
};

}  // namespace slc::load
