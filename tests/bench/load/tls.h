// The TLS side of a connection, without a socket: ciphertext in, ciphertext out.
//
// OpenSSL works on memory here, so that what the kernel says about the socket (EOF, RST, and their
// order) is seen by Channel alone and never goes through OpenSSL's error queue.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace slc::load {

// Settings shared by all connections: TLS 1.2 or later, certificates not verified.
class TlsContext {
 public:
  // Aborts when OpenSSL cannot make one.
  TlsContext();
  SSL_CTX* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
};

class TlsSession {
 public:
  enum class Status {
    kOk,
    kWantsInput,   // nothing more without further ciphertext
    kCloseNotify,  // the peer ended the stream in good order
    kFailed,       // protocol error; error() says which
  };
  struct ReadResult {
    Status status;
    std::size_t bytes;
  };

  // `server_name` goes into SNI unless it is an IP address.
  TlsSession(const TlsContext& context, const std::string& server_name);

  // Ciphertext from the peer.
  void Receive(std::string_view ciphertext);
  Status Handshake();
  ReadResult Read(std::span<char> buffer);
  // Takes some of `plaintext`, at most one record. kOk with a byte count, or kFailed.
  ReadResult Write(std::string_view plaintext);

  // Ciphertext for the peer, to be sent before anything else; DropOutput says how much was.
  std::string_view output() const;
  void DropOutput(std::size_t bytes);
  // There may be plaintext to read without new ciphertext.
  bool has_input() const;
  const std::string& error() const { return error_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Status StatusOf(int result);

  std::unique_ptr<SSL, Free> ssl_;
  BIO* input_;   // owned by ssl_
  BIO* output_;  // owned by ssl_
  std::size_t output_sent_ = 0;
  std::string error_;
};

}  // namespace slc::load
