// TLS as bytes in, bytes out: OpenSSL's protocol without its sockets, so that who owns the socket
// goes on owning it. TLS 1.2 at least, no compression, no renegotiation, ALPN "http/1.1".
//
// OpenSSL is linked by slc-gateway and by slc-https, the helper of slc; not by slc itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::http {

// What the sessions of a server, or a client, have in common. Cheap to copy; sessions keep it.
class TlsContext {
 public:
  struct ServerOptions {
    std::string certificate;  // PEM, with its chain
    std::string key;          // PEM
    std::string client_ca;    // PEM; not empty: clients have to prove who they are by one of it
  };
  // kInvalid, for people, if a PEM cannot be read or key and certificate do not belong together.
  static Result<TlsContext> Server(const ServerOptions& options);

  struct ClientOptions {
    std::string ca;           // PEM; empty: the system's
    std::string certificate;  // PEM; empty: none is shown
    std::string key;
  };
  static Result<TlsContext> Client(const ClientOptions& options);

 private:
  friend class TlsSession;
  struct Impl;
  explicit TlsContext(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

class TlsSession {
 public:
  // `host`: of a client, what the server's certificate has to be made for; empty for a server.
  explicit TlsSession(const TlsContext& context, const std::string& host = {});
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes what came from the other side and appends to `plain` what it says. After an error the
  // session is of no use, but TakeOutput() may hold an alert that tells the other side why.
  Status Receive(std::string_view sealed, std::string& plain);
  // Seals `plain` for the other side. What is sent before the handshake is over follows it.
  Status Send(std::string_view plain);
  // Says that nothing follows.
  void Close();
  // Bytes for the other side's socket.
  std::string TakeOutput();

  bool established() const;
  // The other side has said that nothing follows.
  bool peer_closed() const;
  // The subject's common name of the certificate that the other side has proved to be its; empty if
  // it has shown none.
  std::string peer_name() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::http
