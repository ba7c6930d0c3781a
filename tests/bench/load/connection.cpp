#include "tests/bench/load/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

namespace slc::load {
namespace {

// After a connect that failed: a server that is down fails every attempt at once, and thousands of
// attempts per second would say no more than a hundred.
constexpr Duration kPauseAfterFailedConnect = std::chrono::milliseconds(10);

// One buffer for all: bodies are counted, not kept, and there is one thread.
std::array<char, 64 * 1024> read_buffer;

}  // namespace

void Connection::Start(Time now) { PauseUntil(now + lane_.schedule.FirstThink(), now); }

void Connection::OnLaneStopped() {
  if (IsPausing()) Retire();
}

void Connection::OnEvents(std::uint32_t events) {
  switch (phase_) {
    case Phase::kPausing:
    case Phase::kQueueing:
      return CheckIdle();
    case Phase::kOpening:
      return OnOpenProgress(channel_.ContinueOpen());
    case Phase::kExchanging:
      if ((events & EPOLLOUT) != 0) PumpRequest();
      if (phase_ == Phase::kExchanging && (events & ~unsigned{EPOLLOUT}) != 0) PumpResponse();
      return;
    case Phase::kRetired:
      return;
  }
}

void Connection::OnTimer(Time now) {
  switch (phase_) {
    case Phase::kPausing:
      return Queue(now);
    case Phase::kQueueing:
      return Begin(now);
    case Phase::kOpening:
      return Fail(FailureKind::kTimeout, 0, "while connecting");
    case Phase::kExchanging:
      // If it was we who slept, the answer may be there.
      if (PumpResponse()) Fail(FailureKind::kTimeout, 0, Progress());
      return;
    case Phase::kRetired:
      return;
  }
}

// `until` in the past still goes through the timer, so that failures cannot recurse.
void Connection::PauseUntil(Time until, Time now) {
  if (lane_.schedule.finished()) return Retire();
  phase_ = Phase::kPausing;
  lane_.reactor.SetTimer(*this, std::max(until, now));
}

void Connection::Queue(Time now) {
  Time slot = lane_.schedule.TakeSlot(now);
  if (slot <= now) return Begin(now);
  phase_ = Phase::kQueueing;
  lane_.reactor.SetTimer(*this, slot);
}

void Connection::Retire() {
  lane_.reactor.CancelTimer(*this);
  Drop();
  phase_ = Phase::kRetired;
  ++lane_.retired;
}

// Something happened on a connection that owes us nothing.
void Connection::CheckIdle() {
  IoResult found = channel_.Probe();
  if (found.status == IoStatus::kBlocked) return;
  if (found.status == IoStatus::kOk) {
    // No request was due, yet this must not go unnoticed: it counts as an attempt that failed.
    ++lane_.tally.attempted;
    return Fail(FailureKind::kOther, 0, "bytes came while no request was outstanding");
  }
  LoseBetween(found);
}

void Connection::Begin(Time now) {
  if (!lane_.schedule.TryStart()) return Retire();
  ++lane_.tally.attempted;
  lane_.reactor.SetTimer(*this, now + lane_.timeout);
  if (!channel_.is_open()) return Open();

  IoResult found = channel_.Probe();
  if (found.status == IoStatus::kBlocked) return Send();
  if (found.status == IoStatus::kOk) {
    return Fail(FailureKind::kOther, 0, "bytes came while no request was outstanding");
  }
  LoseBetween(found);
  Open();
}

void Connection::Open() {
  phase_ = Phase::kOpening;
  requests_on_connection_ = 0;
  worker_ = Tally::kNoWorker;
  open_started_ = Clock::now();
  OnOpenProgress(channel_.Open());
}

void Connection::OnOpenProgress(const IoResult& result) {
  switch (result.status) {
    case IoStatus::kOk:
      return OnOpened();
    case IoStatus::kBlocked:
      return UpdateWatch();
    case IoStatus::kEof:
      return Fail(FailureKind::kCut, 0, "EOF in the TLS handshake");
    case IoStatus::kFailed:
      return Fail(ClassifyConnectError(result.error), result.error,
                  WithTlsError("while connecting"));
  }
}

void Connection::OnOpened() {
  opened_at_ = Clock::now();
  ++lane_.tally.opened;
  lane_.tally.connect_max = std::max<Duration>(lane_.tally.connect_max, opened_at_ - open_started_);
  phase_ = Phase::kExchanging;
  IoResult found = channel_.Probe();
  switch (found.status) {
    case IoStatus::kBlocked:
      return Send();
    case IoStatus::kOk:
      return Fail(FailureKind::kOther, 0, "bytes came before the first request");
    case IoStatus::kEof:
      return Fail(FailureKind::kCut, 0, "closed before the first request was sent");
    case IoStatus::kFailed:
      return Fail(ClassifyStreamError(found.error), found.error,
                  WithTlsError("before the first request was sent"));
  }
}

void Connection::Send() {
  phase_ = Phase::kExchanging;
  response_.Reset();
  written_ = 0;
  write_failed_ = false;
  answered_ = false;
  surplus_ = false;
  ++requests_on_connection_;
  sent_at_ = Clock::now();
  PumpRequest();
}

void Connection::PumpRequest() {
  while (written_ < lane_.request.size()) {
    IoResult result = channel_.Write(lane_.request.PieceAt(written_));
    if (result.status == IoStatus::kBlocked) return UpdateWatch();
    if (result.status == IoStatus::kFailed) {
      if (written_ == 0 && requests_on_connection_ > 1) {
        // It went away between our look and the write, and saw nothing of this request.
        LoseBetween(result.error == EPIPE ? IoResult{IoStatus::kEof, 0, 0} : result);
        return Open();
      }
      write_failed_ = true;
      UpdateWatch();
      PumpResponse();
      return;
    }
    if (written_ == 0) ++lane_.tally.sent;
    written_ += result.bytes;
  }
  IoResult flushed = channel_.Flush();
  write_failed_ = flushed.status == IoStatus::kFailed;
  UpdateWatch();
  if (write_failed_) {
    PumpResponse();
    return;
  }
  // An answer may come before the upload is complete; the connection is free only after both.
  if (RequestDone() && answered_ && !lane_.options.close) Settle(false);
}

bool Connection::PumpResponse() {
  while (true) {
    IoResult result = channel_.Read(read_buffer);
    switch (result.status) {
      case IoStatus::kBlocked:
        return true;
      case IoStatus::kEof:
        return OnEof();
      case IoStatus::kFailed:
        return OnStreamError(result.error);
      case IoStatus::kOk: {
        if (!OnBytes({read_buffer.data(), result.bytes})) return false;
        // A read that did not fill the buffer emptied the socket; what comes later is a new event.
        bool emptied = result.bytes < read_buffer.size() && !channel_.has_buffered();
        if (emptied && !answered_ && !write_failed_) return true;
      }
    }
  }
}

bool Connection::OnBytes(std::string_view bytes) {
  std::size_t taken = 0;
  if (!answered_) {
    taken = response_.Feed(bytes);
    if (response_.failed()) {
      Fail(FailureKind::kOther, 0, "malformed response: " + response_.error());
      return false;
    }
    if (!response_.complete()) return true;
    answered_ = true;
    last_byte_at_ = Clock::now();
  }
  surplus_ = taken < bytes.size();
  bool connection_over = surplus_ || !response_.keeps_alive() || write_failed_;
  // A lane that closes waits for the server's FIN, any other for the end of its own upload.
  bool wait = lane_.options.close ? !surplus_ : !connection_over && !RequestDone();
  if (wait) return true;
  Settle(connection_over);
  return false;
}

bool Connection::OnEof() {
  if (!answered_ && response_.ends_at_eof() && channel_.eof_is_whole()) {
    response_.FeedEof();
    answered_ = true;
    last_byte_at_ = Clock::now();
  }
  if (answered_) {
    Settle(true);
    return false;
  }
  FailureKind kind = ClassifyEof(requests_on_connection_ > 1, response_.started());
  std::string text = Progress();
  if (kind == FailureKind::kFinCrossed) {
    text += channel_.reset_after_eof() ? "; an RST answered it" : "; no RST, the server took it";
  }
  Fail(kind, 0, std::move(text));
  return false;
}

bool Connection::OnStreamError(int error) {
  if (answered_) {
    ++lane_.tally.reset_between;
    Settle(true);
  } else {
    Fail(ClassifyStreamError(error), error, WithTlsError(Progress()));
  }
  return false;
}

bool Connection::RequestDone() const {
  return written_ == lane_.request.size() && !channel_.wants_write();
}

void Connection::Settle(bool connection_over) {
  const LaneOptions& options = lane_.options;
  if (requests_on_connection_ == 1) ++lane_.tally.served;
  if (!response_.worker().empty()) {
    bool first = worker_ == Tally::kNoWorker;
    worker_ = lane_.tally.AddWorker(response_.worker(), first, worker_);
  }
  if (response_.status() != 200) {
    Record(FailureKind::kNon200, 0, "status " + std::to_string(response_.status()));
  } else if (surplus_) {
    Record(FailureKind::kBadBody, 0, "bytes follow the end of the response");
  } else if (options.expect && response_.body_bytes() != *options.expect) {
    Record(FailureKind::kBadBody, 0,
           std::to_string(response_.body_bytes()) + " bytes instead of " +
               std::to_string(*options.expect));
  } else {
    lane_.tally.AddOk(last_byte_at_, last_byte_at_ - sent_at_);
  }
  if (connection_over || options.close) {
    if (!options.close && !surplus_) ++lane_.tally.closed_between;
    Drop();
  }
  Next(Duration::zero());
}

void Connection::Fail(FailureKind kind, int error, std::string text) {
  Duration pause = phase_ == Phase::kOpening ? kPauseAfterFailedConnect : Duration::zero();
  Record(kind, error, std::move(text));
  Drop();
  Next(pause);
}

void Connection::Record(FailureKind kind, int error, std::string text) {
  Time now = Clock::now();
  Failure failure;
  failure.at = now - lane_.start;
  if (channel_.is_open()) failure.connection_age = now - opened_at_;
  failure.requests_on_connection = requests_on_connection_;
  failure.kind = kind;
  failure.error = error;
  failure.text = std::move(text);
  lane_.tally.AddFailure(std::move(failure));
}

void Connection::Next(Duration at_least) {
  Time now = Clock::now();
  Duration pause = std::max(at_least, lane_.schedule.Think());
  // A connection that is still good goes on at once; it has to wait for an event before it can get
  // here again, so this does not recurse.
  if (pause == Duration::zero() && channel_.is_open()) {
    phase_ = Phase::kPausing;
    return Queue(now);
  }
  PauseUntil(now + pause, now);
}

void Connection::LoseBetween(const IoResult& how) {
  ++(how.status == IoStatus::kEof ? lane_.tally.closed_between : lane_.tally.reset_between);
  Drop();
}

void Connection::Drop() {
  channel_.Close();
  watched_ = false;
}

void Connection::UpdateWatch() {
  bool want_write = channel_.wants_write();
  if (phase_ == Phase::kExchanging) {
    want_write = !write_failed_ && (want_write || written_ < lane_.request.size());
  }
  if (watched_ && want_write == watches_write_) return;
  if (watched_) {
    lane_.reactor.Rewatch(channel_.fd(), *this, want_write);
  } else {
    lane_.reactor.Watch(channel_.fd(), *this, want_write);
  }
  watched_ = true;
  watches_write_ = want_write;
}

std::string Connection::Progress() const {
  if (answered_ && !lane_.options.close) return "answered, but the upload could not end";
  if (answered_) return "answered, but the server did not close";
  std::string text = std::to_string(written_) + " of " + std::to_string(lane_.request.size()) +
                     " request bytes written, ";
  if (!response_.started()) return text + "no byte of a response";
  return text + "response begun, " + std::to_string(response_.body_bytes()) + " bytes of its body";
}

std::string Connection::WithTlsError(const std::string& text) const {
  std::string tls_error = channel_.last_tls_error();
  return tls_error.empty() ? text : text + ": " + tls_error;
}

}  // namespace slc::load
