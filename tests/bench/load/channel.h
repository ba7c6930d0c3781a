// Channel is one TCP connection, with TLS if asked for: non-blocking open, read, write, close.
//
// Its promise: what it reports is what the peer did, in the peer's order. Bytes that arrived are
// delivered before the EOF or the error behind them; an RST is never mistaken for an EOF nor the
// other way round, also when a write was the first to notice.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/bench/load/endpoint.h"
#include "tests/bench/load/fd.h"
#include "tests/bench/load/tls.h"

namespace slc::load {

enum class IoStatus {
  kOk,       // `bytes` were moved, more than 0
  kBlocked,  // nothing now
  kEof,      // the peer's FIN or TLS close_notify
  kFailed,   // `error` is an errno; EPROTO for a TLS error, with last_tls_error()
};

struct IoResult {
  IoStatus status = IoStatus::kBlocked;
  std::size_t bytes = 0;
  int error = 0;
};

class Channel {
 public:
  // All must outlive the channel. `tls` is null for plain TCP; `server_name` is for SNI.
  Channel(const Endpoint& endpoint, const TlsContext* tls, const std::string& server_name)
      : endpoint_(endpoint), context_(tls), server_name_(server_name) {}

  // Starts to connect. kOk: usable now. kBlocked: ContinueOpen on the next event.
  IoResult Open();
  IoResult ContinueOpen();
  // Usable, until Close.
  bool is_open() const { return static_cast<bool>(fd_) && opened_; }
  int fd() const { return fd_.get(); }
  void Close();

  IoResult Read(std::span<char> buffer);
  // kOk: `bytes` of the text are on their way, though with TLS some may still wait for Flush.
  // kFailed: the peer is gone and saw no byte of this text; Read tells how it went.
  IoResult Write(std::string_view text);
  // Sends what is left in the TLS session. kOk when nothing is left.
  IoResult Flush();
  // What stands in the way of a new request: kBlocked if nothing, kOk if unasked bytes, else as
  // Read. To be called when no response is expected.
  IoResult Probe();

  // While opening: the next event of interest is writability. Later: there is something to Flush.
  bool wants_write() const;
  // Read may give more without a new event.
  bool has_buffered() const { return session_ && session_->has_input(); }
  // The EOF that was read cannot be a truncation: plain FIN, or close_notify with TLS.
  bool eof_is_whole() const { return eof_is_whole_; }
  // After an EOF: an RST followed, so the peer closed before it had read all we sent.
  bool reset_after_eof() const;
  std::string last_tls_error() const { return session_ ? session_->error() : std::string(); }

 private:
  IoResult ContinueHandshake();
  IoResult RawRead(std::span<char> buffer, int flags);
  IoResult RawWrite(std::string_view bytes);
  IoResult TlsRead(std::span<char> buffer);

  const Endpoint& endpoint_;
  const TlsContext* context_;
  const std::string& server_name_;
  Fd fd_;
  std::optional<TlsSession> session_;
  bool connected_ = false;  // TCP
  bool opened_ = false;     // TCP and TLS
  bool eof_is_whole_ = true;
  int write_error_ = 0;
};

}  // namespace slc::load
