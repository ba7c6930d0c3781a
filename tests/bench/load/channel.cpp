#include "tests/bench/load/channel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace slc::load {
namespace {

IoResult Failed(int error) { return {IoStatus::kFailed, 0, error}; }
IoResult Blocked() { return {IoStatus::kBlocked, 0, 0}; }
IoResult Done(std::size_t bytes) { return {IoStatus::kOk, bytes, 0}; }

int PendingError(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace

IoResult Channel::Open() {
  Close();
  fd_ = Fd(socket(endpoint_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return Failed(errno);
  int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&endpoint_.address), endpoint_.size) !=
      0) {
    return errno == EINPROGRESS ? Blocked() : Failed(errno);
  }
  connected_ = true;
  return ContinueHandshake();
}

IoResult Channel::ContinueOpen() {
  if (!connected_) {
    if (int error = PendingError(fd_.get()); error != 0) return Failed(error);
    // Without an error an event can still be premature; only a peer's address proves a connection.
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
      return errno == ENOTCONN ? Blocked() : Failed(errno);
    }
    connected_ = true;
  }
  return ContinueHandshake();
}

IoResult Channel::ContinueHandshake() {
  if (context_ == nullptr) {
    opened_ = true;
    return Done(0);
  }
  if (!session_) session_.emplace(*context_, server_name_);
  while (true) {
    TlsSession::Status status = session_->Handshake();
    // The answer to a failed handshake is an alert that is still worth sending.
    IoResult flushed = Flush();
    if (status == TlsSession::Status::kFailed) return Failed(EPROTO);
    if (flushed.status == IoStatus::kBlocked) return flushed;
    if (status == TlsSession::Status::kOk) {
      opened_ = true;
      return Done(0);
    }
    std::array<char, 16 * 1024> buffer;
    IoResult read = RawRead(buffer, 0);
    if (read.status != IoStatus::kOk) return read;
    session_->Receive({buffer.data(), read.bytes});
  }
}

void Channel::Close() {
  session_.reset();
  fd_.Close();
  connected_ = false;
  opened_ = false;
  eof_is_whole_ = true;
  write_error_ = 0;
}

IoResult Channel::Read(std::span<char> buffer) {
  return session_ ? TlsRead(buffer) : RawRead(buffer, 0);
}

IoResult Channel::TlsRead(std::span<char> buffer) {
  while (true) {
    TlsSession::ReadResult read = session_->Read(buffer);
    switch (read.status) {
      case TlsSession::Status::kOk:
        return Done(read.bytes);
      case TlsSession::Status::kCloseNotify:
        return {IoStatus::kEof, 0, 0};
      case TlsSession::Status::kFailed:
        return Failed(EPROTO);
      case TlsSession::Status::kWantsInput:
        break;
    }
    std::array<char, 32 * 1024> ciphertext;
    IoResult raw = RawRead(ciphertext, 0);
    if (raw.status == IoStatus::kEof) eof_is_whole_ = false;
    if (raw.status != IoStatus::kOk) return raw;
    session_->Receive({ciphertext.data(), raw.bytes});
  }
}

IoResult Channel::Write(std::string_view text) {
  if (!session_) return RawWrite(text);
  if (IoResult flushed = Flush(); flushed.status != IoStatus::kOk) return flushed;
  TlsSession::ReadResult taken = session_->Write(text);
  if (taken.status != TlsSession::Status::kOk) return Failed(EPROTO);
  std::size_t unsent = session_->output().size();
  IoResult flushed = Flush();
  // Had a part of the record gone out, "failed" would say that the peer saw nothing of it.
  bool nothing_sent = session_->output().size() == unsent;
  return flushed.status == IoStatus::kFailed && nothing_sent ? flushed : Done(taken.bytes);
}

IoResult Channel::Flush() {
  while (session_ && !session_->output().empty()) {
    IoResult written = RawWrite(session_->output());
    if (written.status != IoStatus::kOk) return written;
    session_->DropOutput(written.bytes);
  }
  return Done(0);
}

IoResult Channel::Probe() {
  std::array<char, 1> byte;
  // Session tickets may come at any time and are no bytes of anybody's response; TlsRead eats them.
  return session_ ? TlsRead(byte) : RawRead(byte, MSG_PEEK);
}

bool Channel::wants_write() const {
  return (fd_ && !connected_) || (session_ && !session_->output().empty());
}

bool Channel::reset_after_eof() const {
  return write_error_ == EPIPE || write_error_ == ECONNRESET || PendingError(fd_.get()) != 0;
}

IoResult Channel::RawRead(std::span<char> buffer, int flags) {
  while (true) {
    ssize_t count = recv(fd_.get(), buffer.data(), buffer.size(), flags | MSG_DONTWAIT);
    if (count > 0) return Done(static_cast<std::size_t>(count));
    if (count == 0) {
      // The kernel tells an error once. If a write was told of the RST, the read after it sees a
      // mere end. EPIPE is different: the RST came after a FIN, so here the FIN is what came first.
      if (write_error_ != 0 && write_error_ != EPIPE) return Failed(write_error_);
      return {IoStatus::kEof, 0, 0};
    }
    if (errno == EINTR) continue;
    return errno == EAGAIN ? Blocked() : Failed(errno);
  }
}

IoResult Channel::RawWrite(std::string_view bytes) {
  while (true) {
    ssize_t count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return Done(static_cast<std::size_t>(count));
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return Blocked();
    write_error_ = errno;
    return Failed(errno);
  }
}

}  // namespace slc::load
