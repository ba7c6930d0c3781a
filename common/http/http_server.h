// HttpServer: HTTP/1 for many clients on one listening socket, TCP or unix.
//
// Cuts requests out of connections, hands them to its owner one at a time per connection, and sends
// what the owner answers, now or much later. What the requests mean is the owner's business; it is
// spoken of as exchange: one request and its answer, with an id that is never used twice. Calls for
// an exchange whose client has left are passed over, so the owner need not keep books.
//
// Promises: bounded memory per client; a slow or silent client costs nobody else anything and is
// let go in time (Limits); when all places are taken, who has never asked for anything gives way
// first, then who asks nothing at the moment. Without connections there is no timer.
//
// Bodies are collected, or streamed and held back as the owner likes; answers likewise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/http/request_head.h"
#include "common/http/request_parser.h"
#include "common/http/response.h"
#include "common/http/tls.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"

namespace slc::http {

using ExchangeId = std::uint64_t;

// Who is at the other end.
struct ClientAddress {
  std::string text;    // "127.0.0.1", "::1"; of a unix socket "unix"
  bool local = false;  // a unix socket
  // Of a client on this machine, if the kernel tells: whose process it is.
  std::optional<unsigned> uid;
  std::string certificate;  // the name in the one that it has proved to be its (TLS); or empty
};

struct HttpLimits {
  std::size_t connections = 256;  // that follow no stream
  std::size_t per_address = 32;   // of these; unix sockets have no address
  std::size_t followers = 1024;   // connections that follow a stream
  std::uint32_t requests = 1000;  // on one connection over TCP
  std::size_t body = 1U << 20;    // bytes of a body that is collected
  std::size_t unsent = 1U << 20;  // bytes that may wait for a follower
  Millis head = 10'000;       // from the first byte, or from the connection, to the last of a head
  Millis idle = 15'000;       // between two requests
  Millis body_idle = 15'000;  // between two pieces of a body
  std::uint64_t body_rate = 1024;  // bytes a second, on average, after the first `body_idle`
  Millis unread = 30'000;          // that a client takes nothing of what waits for it
};

class HttpServer {
 public:
  enum class Body {
    kCollect,  // to be given to on_request whole
    kStream,   // to be given to on_data piece by piece, then on_end
  };
  struct Events {
    // The head is there. The owner may answer at once, without the body. Then, and if the client
    // leaves before all has come, nothing more is heard of the request but on_gone.
    std::function<Body(ExchangeId, RequestHead&, const ClientAddress&)> on_head;
    std::function<void(ExchangeId, std::string body)> on_request;
    std::function<void(ExchangeId, std::string_view data)> on_data;
    std::function<void(ExchangeId)> on_end;
    // Less than kRoom bytes wait to be sent, after a Write() that left more.
    std::function<void(ExchangeId)> on_room;
    // The client has left, or was let go, before its answer was complete; also from within Write().
    std::function<void(ExchangeId)> on_gone;
  };
  static constexpr std::size_t kRoom = 64U << 10;

  // Owns `listener`, a listening stream socket. With `tls` only TLS is spoken.
  HttpServer(uv::Loop& loop, UniqueFd listener, const HttpLimits& limits, Events events,
             std::optional<TlsContext> tls = std::nullopt);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // A whole answer.
  void Answer(ExchangeId exchange, const Response& response);
  // Begins one whose body (response.body is its first piece) comes in pieces. A follower is an
  // endless one: it counts by itself, and is let go when it does not read. False: it is not begun,
  // as nobody waits for it (any more), or is answered with 503 already, since too many follow.
  bool Begin(ExchangeId exchange, const Response& response, bool follower);
  void Write(ExchangeId exchange, std::string_view data);
  void End(ExchangeId exchange);
  // Lets the client go in the midst of its answer, which it can tell from a complete one.
  void Break(ExchangeId exchange);
  // The client is there, and nothing of its answer was begun.
  bool awaits(ExchangeId exchange) const;
  // Bytes of the answer that wait to be sent.
  std::size_t unsent(ExchangeId exchange) const;

  // Of a streamed body: no more on_data until Resume().
  void Pause(ExchangeId exchange);
  void Resume(ExchangeId exchange);

  std::size_t connections() const { return connections_.size(); }

 private:
  struct Connection;
  using ConnectionId = std::uint32_t;

  void Accept();
  bool MakeRoom(const ClientAddress& address);
  void Serve(UniqueFd socket, ClientAddress address);
  // Followers are counted by themselves, the others by their address.
  void Count(const Connection& connection, bool more);
  void SetFollower(Connection& connection, bool follower);
  void OnReady(ConnectionId id, uv::Poll::Ready ready);
  bool Read(Connection& connection);
  bool Unseal(Connection& connection, std::string_view sealed, std::string* plain);
  void Process(Connection& connection, std::string_view bytes);
  bool WantsInput(const Connection& connection) const;
  void OnHead(Connection& connection);
  void OnData(Connection& connection, std::string_view data);
  void OnEnd(Connection& connection);
  void Refuse(Connection& connection, int status, const std::string& reason);
  void SendHead(Connection& connection, const Response& response, Framing framing);
  void FinishAnswer(Connection& connection);
  void GoOn(Connection& connection);
  void Transmit(Connection& connection, std::string_view bytes);
  void TransmitRaw(Connection& connection, std::string_view bytes);
  void Flush(Connection& connection);
  void Watch(Connection& connection);
  void Linger(Connection& connection);
  void Doom(Connection& connection);
  void BuryDoomed();
  void SetDeadline(Connection& connection, Millis deadline);
  void Sweep();
  Connection* Find(ExchangeId exchange);
  const std::string& Date();

  uv::Loop& loop_;
  UniqueFd listener_;
  const HttpLimits limits_;
  Events events_;
  const std::optional<TlsContext> tls_;
  std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::map<std::string, std::size_t> per_address_;
  std::size_t followers_ = 0;
  ConnectionId last_ = 0;
  int depth_ = 0;  // of calls that may still speak of a connection
  std::vector<ConnectionId> doomed_;
  std::string date_;
  Millis date_second_ = -1;
  Millis sweep_at_ = 0;  // 0: none
  uv::Timer sweep_;
  uv::Timer accept_again_;
  uv::Poll poll_;
};

}  // namespace slc::http
