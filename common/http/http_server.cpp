#include "common/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/tcp_peer.h"
#include "common/base/text.h"

namespace slc::http {
namespace {

constexpr std::size_t kReadBytes = 64U << 10;
constexpr Millis kAcceptAgain = 50;
// After an answer that ends the connection the client's last bytes are read and thrown away, or the
// answer might be lost with them.
constexpr Millis kLinger = 2'000;
// A client that is still sending a body nobody wants looks at the answer only when it is through.
constexpr Millis kDiscard = 60'000;
// A body that is collected is small; who has sent one for so long may have to make room.
constexpr Millis kDawdling = 5'000;
// Deadlines need not be kept more exactly.
constexpr Millis kSweepGrain = 500;

ClientAddress AddressOf(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  ClientAddress address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  } else if (storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  } else {
    address.local = true;
    address.text = "unix";
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
      address.uid = credentials.uid;
    }
    return address;
  }
  address.text = text.data();
  if (StartsWith(address.text, "127.") || address.text == "::1" ||
      StartsWith(address.text, "::ffff:127.")) {
    if (const auto peer = FindTcpPeer(socket)) address.uid = peer->uid;
  }
  return address;
}

}  // namespace

struct HttpServer::Connection {
  enum class Phase {
    kHead,     // of the next request
    kBody,     // reads it
    kAnswer,   // the request is complete, the answer is not
    kDiscard,  // the answer is complete, the request is not and need not be
    kLinger,   // all is said
  };

  Connection(HttpServer& server, ConnectionId number, UniqueFd fd, ClientAddress who)
      : id(number),
        socket(std::move(fd)),
        address(std::move(who)),
        poll(server.loop_, socket.get(),
             [&server, number](uv::Poll::Ready ready) { server.OnReady(number, ready); }) {}

  ExchangeId exchange() const { return ExchangeId{id} << 32 | requests; }
  bool pending() const { return output.size() > sent; }
  // Whether the owner knows of an exchange that is not over.
  bool within_exchange() const {
    return (phase == Phase::kBody || phase == Phase::kAnswer) && !answered;
  }

  // Who gives way first when there is no place for another client.
  static constexpr int kInUse = 3;
  int Worth(Millis now) const {
    if (doomed || follower) return kInUse;
    if (phase == Phase::kHead || phase == Phase::kLinger) return requests == 0 ? 0 : 1;
    const bool dawdles = phase == Phase::kBody && mode == Body::kCollect && !begun;
    return dawdles && now - body_since > kDawdling ? 2 : kInUse;
  }

  const ConnectionId id;
  UniqueFd socket;
  ClientAddress address;
  std::unique_ptr<TlsSession> tls;
  Phase phase = Phase::kHead;
  RequestParser parser;
  std::string input;  // read, and not wanted yet
  std::string output;
  std::size_t sent = 0;  // of it

  std::uint32_t requests = 0;  // heads that have come
  Body mode = Body::kCollect;
  std::string body;
  std::uint64_t body_bytes = 0;
  Millis body_since = 0;
  bool head_only = false;  // the request was HEAD
  bool http10 = false;
  bool keep_alive = false;
  Framing framing = Framing::kLength;

  bool begun = false;     // an answer
  bool answered = false;  // the answer is complete
  bool follower = false;
  bool held = false;        // by Pause()
  bool wants_room = false;  // on_room is to be called
  bool input_ended = false;
  bool processing = false;
  bool doomed = false;
  Millis deadline = 0;  // 0: none
  uv::Poll poll;
};

// While one is alive, connections are doomed but not destroyed.
class Depth {
 public:
  explicit Depth(int& depth) : depth_(depth) { ++depth_; }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int& depth_;
};

HttpServer::HttpServer(uv::Loop& loop, UniqueFd listener, const HttpLimits& limits, Events events,
                       std::optional<TlsContext> tls)
    : loop_(loop),
      listener_(std::move(listener)),
      limits_(limits),
      events_(std::move(events)),
      tls_(std::move(tls)),
      sweep_(loop, [this] { Sweep(); }),
      accept_again_(loop, [this] { poll_.Watch(true, false); }),
      poll_(loop, listener_.get(), [this](uv::Poll::Ready) { Accept(); }) {
  poll_.Watch(true, false);
}

HttpServer::~HttpServer() = default;

// ----------------------------------------------------------------------------------------------
// connections

void HttpServer::Accept() {
  while (true) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        // Out of descriptors or memory: the socket stays readable, so looking again at once would
        // spin.
        poll_.Watch(false, false);
        accept_again_.StartIn(kAcceptAgain);
      }
      break;
    }
    ClientAddress address = AddressOf(socket.get());
    if (MakeRoom(address)) Serve(std::move(socket), std::move(address));
  }
  BuryDoomed();
}

bool HttpServer::MakeRoom(const ClientAddress& address) {
  const auto known = per_address_.find(address.text);
  const bool address_full =
      !address.local && known != per_address_.end() && known->second >= limits_.per_address;
  const bool full = connections_.size() - doomed_.size() - followers_ >= limits_.connections;
  if (!address_full && !full) return true;
  Connection* loser = nullptr;
  for (const auto& [id, connection] : connections_) {
    if (connection->Worth(loop_.now()) == Connection::kInUse) continue;
    if (address_full && connection->address.text != address.text) continue;
    const auto rank = [&](const Connection& one) {
      return std::pair(one.Worth(loop_.now()), one.id);
    };
    if (loser == nullptr || rank(*connection) < rank(*loser)) loser = connection.get();
  }
  if (loser == nullptr) return false;
  Doom(*loser);
  return true;
}

void HttpServer::Serve(UniqueFd socket, ClientAddress address) {
  if (!address.local) {
    // Answers are whole when they are sent; to wait for more would only delay them.
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  const ConnectionId id = ++last_;
  auto connection = std::make_unique<Connection>(*this, id, std::move(socket), std::move(address));
  if (!connection->poll.ok()) return;
  if (tls_) connection->tls = std::make_unique<TlsSession>(*tls_);
  connection->poll.Watch(true, false);
  Count(*connection, true);
  SetDeadline(*connection, loop_.now() + limits_.head);
  connections_[id] = std::move(connection);
}

void HttpServer::Count(const Connection& connection, bool more) {
  std::size_t& count = connection.follower ? followers_ : per_address_[connection.address.text];
  if (more) {
    ++count;
  } else if (--count == 0 && !connection.follower) {
    per_address_.erase(connection.address.text);
  }
}

void HttpServer::SetFollower(Connection& connection, bool follower) {
  if (connection.follower == follower) return;
  Count(connection, false);
  connection.follower = follower;
  Count(connection, true);
}

void HttpServer::OnReady(ConnectionId id, uv::Poll::Ready ready) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  {
    const Depth depth(depth_);
    Connection& connection = *found->second;
    if (ready.writable) Flush(connection);
    if (ready.readable && !connection.doomed) Read(connection);
    if (!connection.doomed) Watch(connection);
  }
  BuryDoomed();
}

// False: the connection is over.
bool HttpServer::Read(Connection& connection) {
  std::array<char, kReadBytes> buffer;
  const ssize_t got = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  using Phase = Connection::Phase;
  if (got <= 0) {
    // Who has asked may have said all and wait for the answer; who follows has left.
    connection.input_ended = true;
    const bool waits = connection.phase == Phase::kAnswer || connection.pending();
    if (got == 0 && waits && !connection.follower && connection.phase != Phase::kLinger) {
      return true;
    }
    Doom(connection);
    return false;
  }
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (connection.phase == Phase::kLinger) return true;
  std::string plain;
  if (connection.tls) {
    if (!Unseal(connection, bytes, &plain)) return false;
    if (plain.empty()) return true;
    bytes = plain;
  }
  if (!WantsInput(connection)) {
    connection.input += bytes;
    return true;
  }
  Process(connection, bytes);
  return !connection.doomed;
}

// False: the connection is over.
bool HttpServer::Unseal(Connection& connection, std::string_view sealed, std::string* plain) {
  const Status received = connection.tls->Receive(sealed, *plain);
  // Also what tells the other side why it failed.
  TransmitRaw(connection, connection.tls->TakeOutput());
  if (connection.doomed) return false;
  if (!received) {
    Doom(connection);
    return false;
  }
  if (connection.requests == 0) connection.address.certificate = connection.tls->peer_name();
  if (!connection.tls->peer_closed()) return true;
  connection.input_ended = true;
  const bool waits =
      connection.phase == Connection::Phase::kAnswer || connection.pending() || !plain->empty();
  if (!waits || connection.follower) Doom(connection);
  return !connection.doomed;
}

bool HttpServer::WantsInput(const Connection& connection) const {
  switch (connection.phase) {
    case Connection::Phase::kHead:
      // Who does not read what was answered is not answered more.
      return connection.output.size() - connection.sent < kRoom;
    case Connection::Phase::kBody:
      return !connection.held;
    case Connection::Phase::kDiscard:
      return true;
    case Connection::Phase::kAnswer:
    case Connection::Phase::kLinger:
      return false;
  }
  return false;
}

// What follows from `bytes`, as far as it is wanted; the rest is put by.
void HttpServer::Process(Connection& connection, std::string_view bytes) {
  connection.processing = true;
  const std::string before = std::exchange(connection.input, {});
  std::string joined;
  if (!before.empty()) {
    joined = before + std::string(bytes);
    bytes = joined;
  }
  while (!connection.doomed && WantsInput(connection)) {
    const RequestParser::Event event = connection.parser.Next(bytes);
    if (event == RequestParser::Event::kMore) break;
    switch (event) {
      case RequestParser::Event::kHead:
        OnHead(connection);
        break;
      case RequestParser::Event::kData:
        OnData(connection, connection.parser.data());
        break;
      case RequestParser::Event::kEnd:
        OnEnd(connection);
        break;
      default: {
        const Refusal& refusal = connection.parser.refusal();
        Refuse(connection, refusal.status, refusal.reason);
        break;
      }
    }
  }
  connection.processing = false;
  if (connection.doomed) return;
  connection.input = bytes;
  if (connection.phase == Connection::Phase::kHead && connection.parser.within_head() &&
      connection.deadline > loop_.now() + limits_.head) {
    SetDeadline(connection, loop_.now() + limits_.head);
  }
}

void HttpServer::Watch(Connection& connection) {
  // While an answer is awaited the socket is read on, to learn that the client has left.
  const bool room = connection.input.size() < kReadBytes && !connection.input_ended;
  const bool held = connection.phase == Connection::Phase::kBody && connection.held;
  connection.poll.Watch(room && !held, connection.pending());
}

void HttpServer::Doom(Connection& connection) {
  if (connection.doomed) return;
  connection.doomed = true;
  connection.poll.Watch(false, false);
  doomed_.push_back(connection.id);
  Count(connection, false);
  const Depth depth(depth_);
  if (connection.within_exchange() && events_.on_gone) events_.on_gone(connection.exchange());
}

void HttpServer::BuryDoomed() {
  if (depth_ > 0) return;
  for (const ConnectionId id : std::exchange(doomed_, {})) connections_.erase(id);
  if (connections_.empty()) {
    sweep_.Stop();
    sweep_at_ = 0;
  }
}

void HttpServer::Linger(Connection& connection) {
  connection.phase = Connection::Phase::kLinger;
  connection.input.clear();
  if (connection.tls) {
    connection.tls->Close();
    TransmitRaw(connection, connection.tls->TakeOutput());
  }
  if (connection.pending() || connection.doomed) return;
  ::shutdown(connection.socket.get(), SHUT_WR);
  if (connection.input_ended) return Doom(connection);
  SetDeadline(connection, loop_.now() + kLinger);
}

// ----------------------------------------------------------------------------------------------
// requests

void HttpServer::OnHead(Connection& connection) {
  RequestHead& head = connection.parser.head();
  ++connection.requests;
  connection.phase = Connection::Phase::kBody;
  connection.body.clear();
  connection.body_bytes = 0;
  connection.body_since = loop_.now();
  connection.head_only = head.method == "HEAD";
  connection.http10 = head.http10;
  const bool last = !connection.address.local && connection.requests >= limits_.requests;
  connection.keep_alive = head.keep_alive && !last;
  connection.begun = false;
  connection.answered = false;
  connection.held = false;
  connection.wants_room = false;
  SetDeadline(connection, loop_.now() + limits_.body_idle);
  const bool has_body = head.has_body();
  const bool waits = head.expects_continue && has_body;
  const bool too_large = head.length && *head.length > limits_.body;
  connection.mode = events_.on_head(connection.exchange(), head, connection.address);
  if (connection.doomed || connection.phase != Connection::Phase::kBody || connection.answered) {
    return;
  }
  if (connection.mode == Body::kCollect && too_large) {
    return Refuse(connection, 413,
                  "the body is larger than " + std::to_string(limits_.body) + " bytes");
  }
  if (waits) Transmit(connection, "HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpServer::OnData(Connection& connection, std::string_view data) {
  connection.body_bytes += data.size();
  if (connection.phase == Connection::Phase::kDiscard) return;
  SetDeadline(connection, loop_.now() + limits_.body_idle);
  if (connection.mode == Body::kStream) {
    events_.on_data(connection.exchange(), data);
    return;
  }
  if (connection.body.size() + data.size() > limits_.body) {
    return Refuse(connection, 413,
                  "the body is larger than " + std::to_string(limits_.body) + " bytes");
  }
  connection.body += data;
}

void HttpServer::OnEnd(Connection& connection) {
  SetDeadline(connection, 0);
  if (connection.phase == Connection::Phase::kDiscard) return Linger(connection);
  const bool complete = connection.answered;
  connection.phase = Connection::Phase::kAnswer;
  if (complete) return GoOn(connection);
  if (connection.mode == Body::kStream) {
    events_.on_end(connection.exchange());
  } else {
    events_.on_request(connection.exchange(), std::exchange(connection.body, {}));
  }
}

// An answer of our own, for what cannot be given to the owner.
void HttpServer::Refuse(Connection& connection, int status, const std::string& reason) {
  const bool known = connection.within_exchange() && connection.phase != Connection::Phase::kHead;
  connection.keep_alive = false;
  if (!connection.begun) {
    Response response;
    response.status = status;
    response.body =
        "{\"error\":{\"status\":" + std::to_string(status) + ",\"message\":\"" + reason + "\"}}\n";
    SendHead(connection, response, Framing::kLength);
    if (!connection.head_only) Transmit(connection, response.body);
  }
  if (connection.doomed) return;
  connection.answered = true;
  const bool sending = connection.phase == Connection::Phase::kBody;
  if (known && events_.on_gone) events_.on_gone(connection.exchange());
  if (connection.doomed) return;
  if (sending && status == 413) {
    connection.phase = Connection::Phase::kDiscard;
    SetDeadline(connection, loop_.now() + kDiscard);
    return;
  }
  Linger(connection);
}

// ----------------------------------------------------------------------------------------------
// answers

HttpServer::Connection* HttpServer::Find(ExchangeId exchange) {
  const auto found = connections_.find(static_cast<ConnectionId>(exchange >> 32));
  if (found == connections_.end()) return nullptr;
  Connection& connection = *found->second;
  const bool current =
      !connection.doomed && connection.exchange() == exchange && connection.within_exchange();
  return current ? &connection : nullptr;
}

void HttpServer::SendHead(Connection& connection, const Response& response, Framing framing) {
  connection.begun = true;
  connection.framing = framing;
  Transmit(connection,
           ResponseHead(response, framing, response.body.size(), connection.keep_alive, Date()));
}

void HttpServer::Answer(ExchangeId exchange, const Response& response) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || connection->begun) return;
  {
    const Depth depth(depth_);
    const bool bodiless = response.status == 204 || response.status == 304;
    // What the client may still be sending would be taken for its next request.
    if (connection->phase == Connection::Phase::kBody && connection->parser.head().has_body()) {
      connection->keep_alive = false;
    }
    const Framing framing = bodiless ? Framing::kNone : Framing::kLength;
    connection->begun = true;
    connection->framing = framing;
    std::string text =
        ResponseHead(response, framing, response.body.size(), connection->keep_alive, Date());
    if (!connection->head_only && !bodiless) text += response.body;
    Transmit(*connection, text);
    FinishAnswer(*connection);
  }
  BuryDoomed();
}

bool HttpServer::Begin(ExchangeId exchange, const Response& response, bool follower) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || connection->begun) return false;
  {
    const Depth depth(depth_);
    if (follower && followers_ >= limits_.followers) {
      Response full;
      full.status = 503;
      full.body = "{\"error\":{\"status\":503,\"message\":\"" + std::to_string(followers_) +
                  " clients follow already\"}}\n";
      Answer(exchange, full);
      return false;
    }
    if (follower) SetFollower(*connection, true);
    if (connection->http10) connection->keep_alive = false;
    SendHead(*connection, response, connection->http10 ? Framing::kClose : Framing::kChunks);
    if (!connection->doomed) Write(exchange, response.body);
  }
  BuryDoomed();
  return true;
}

void HttpServer::Write(ExchangeId exchange, std::string_view data) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || !connection->begun || data.empty()) return;
  {
    const Depth depth(depth_);
    if (!connection->head_only) {
      if (connection->framing == Framing::kChunks) {
        Transmit(*connection, Chunk(data));
      } else {
        Transmit(*connection, data);
      }
    }
    const std::size_t waiting = connection->output.size() - connection->sent;
    connection->wants_room = waiting >= kRoom;
    const bool too_much = connection->follower && !connection->doomed && waiting > limits_.unsent;
    if (too_much) Doom(*connection);
  }
  BuryDoomed();
}

void HttpServer::End(ExchangeId exchange) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || !connection->begun) return;
  {
    const Depth depth(depth_);
    if (connection->framing == Framing::kChunks && !connection->head_only) {
      Transmit(*connection, kLastChunk);
    }
    if (!connection->doomed) FinishAnswer(*connection);
  }
  BuryDoomed();
}

void HttpServer::Break(ExchangeId exchange) {
  Connection* connection = Find(exchange);
  if (connection == nullptr) return;
  connection->answered = true;  // the owner need not be told
  Doom(*connection);
  BuryDoomed();
}

bool HttpServer::awaits(ExchangeId exchange) const {
  const auto found = connections_.find(static_cast<ConnectionId>(exchange >> 32));
  if (found == connections_.end()) return false;
  const Connection& connection = *found->second;
  return !connection.doomed && connection.exchange() == exchange && connection.within_exchange() &&
         !connection.begun;
}

std::size_t HttpServer::unsent(ExchangeId exchange) const {
  const auto found = connections_.find(static_cast<ConnectionId>(exchange >> 32));
  if (found == connections_.end() || found->second->exchange() != exchange) return 0;
  return found->second->output.size() - found->second->sent;
}

void HttpServer::Pause(ExchangeId exchange) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || connection->phase != Connection::Phase::kBody) return;
  connection->held = true;
  SetDeadline(*connection, 0);
  if (!connection->processing) Watch(*connection);
}

void HttpServer::Resume(ExchangeId exchange) {
  Connection* connection = Find(exchange);
  if (connection == nullptr || !std::exchange(connection->held, false)) return;
  SetDeadline(*connection, loop_.now() + limits_.body_idle);
  if (connection->processing) return;
  {
    const Depth depth(depth_);
    Process(*connection, {});
    if (!connection->doomed) Watch(*connection);
  }
  BuryDoomed();
}

// The answer is complete.
void HttpServer::FinishAnswer(Connection& connection) {
  connection.answered = true;
  if (connection.doomed) return;
  SetFollower(connection, false);
  if (connection.phase == Connection::Phase::kAnswer) return GoOn(connection);
  // In kBody the parser comes to the end by itself, or what is left of the body is thrown away.
  if (connection.keep_alive) return;
  connection.phase = Connection::Phase::kDiscard;
  SetDeadline(connection, loop_.now() + kDiscard);
  if (!connection.processing) {
    Process(connection, {});
    if (!connection.doomed) Watch(connection);
  }
}

// Request and answer are complete: the next one, or the end.
void HttpServer::GoOn(Connection& connection) {
  if (!connection.keep_alive || connection.input_ended) {
    Linger(connection);
  } else {
    connection.phase = Connection::Phase::kHead;
    SetDeadline(connection, loop_.now() + limits_.idle);
    // From Read() the loop goes on by itself.
    if (!connection.processing && !connection.input.empty()) Process(connection, {});
  }
  if (!connection.doomed && !connection.processing) Watch(connection);
}

void HttpServer::Transmit(Connection& connection, std::string_view bytes) {
  if (!connection.tls) return TransmitRaw(connection, bytes);
  const Status sealed = connection.tls->Send(bytes);
  TransmitRaw(connection, connection.tls->TakeOutput());
  if (!sealed) Doom(connection);
}

void HttpServer::TransmitRaw(Connection& connection, std::string_view bytes) {
  if (connection.doomed || bytes.empty()) return;
  if (!connection.pending()) {
    connection.output.clear();
    connection.sent = 0;
    while (!bytes.empty()) {
      const ssize_t put = ::send(connection.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN) return Doom(connection);
      if (put < 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    if (bytes.empty()) return;
    SetDeadline(connection, loop_.now() + limits_.unread);
  }
  connection.output += bytes;
  connection.poll.Watch(!connection.held && !connection.input_ended, true);
}

void HttpServer::Flush(Connection& connection) {
  while (connection.pending()) {
    const ssize_t put = ::send(connection.socket.get(), connection.output.data() + connection.sent,
                               connection.output.size() - connection.sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) return Doom(connection);
    if (put < 0) break;
    connection.sent += static_cast<std::size_t>(put);
    SetDeadline(connection, loop_.now() + limits_.unread);
  }
  using Phase = Connection::Phase;
  if (!connection.pending()) {
    connection.output = {};
    connection.sent = 0;
    if (connection.phase == Phase::kLinger) return Linger(connection);
    const bool awaited = connection.phase == Phase::kAnswer;
    if (awaited) SetDeadline(connection, 0);
    if (connection.phase == Phase::kHead) SetDeadline(connection, loop_.now() + limits_.idle);
  } else if (connection.sent > kReadBytes) {
    connection.output.erase(0, std::exchange(connection.sent, 0));
  }
  if (connection.phase == Phase::kHead && !connection.input.empty() && WantsInput(connection)) {
    Process(connection, {});
  }
  const bool room = connection.output.size() - connection.sent < kRoom;
  if (room && connection.begun && connection.within_exchange() && connection.wants_room) {
    connection.wants_room = false;
    if (events_.on_room) events_.on_room(connection.exchange());
  }
}

// ----------------------------------------------------------------------------------------------
// time

void HttpServer::SetDeadline(Connection& connection, Millis deadline) {
  connection.deadline = deadline;
  if (deadline == 0) return;
  const Millis at = std::max(deadline, loop_.now() + kSweepGrain);
  if (sweep_at_ != 0 && sweep_at_ <= at) return;
  sweep_at_ = at;
  sweep_.StartAt(at);
}

void HttpServer::Sweep() {
  sweep_at_ = 0;
  const Millis now = loop_.now();
  {
    const Depth depth(depth_);
    std::vector<ConnectionId> ids;
    ids.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) ids.push_back(id);
    for (const ConnectionId id : ids) {
      Connection& connection = *connections_.at(id);
      if (connection.doomed || connection.deadline == 0) continue;
      const bool within_body = connection.phase == Connection::Phase::kBody && !connection.held;
      const Millis span = now - connection.body_since;
      const bool too_slow =
          within_body && span > limits_.body_idle &&
          connection.body_bytes < limits_.body_rate * static_cast<std::uint64_t>(span) / 1000;
      if (now < connection.deadline && !too_slow) {
        SetDeadline(connection, connection.deadline);
      } else if (connection.pending()) {
        Doom(connection);
      } else if (within_body) {
        Refuse(connection, 408, "the body comes too slowly");
      } else if (connection.phase == Connection::Phase::kHead && connection.parser.within_head()) {
        Refuse(connection, 408, "the head comes too slowly");
      } else {
        Doom(connection);
      }
      if (!connection.doomed) Watch(connection);
    }
  }
  BuryDoomed();
}

const std::string& HttpServer::Date() {
  const Millis wall = WallNow();
  if (wall / 1000 != date_second_) {
    date_second_ = wall / 1000;
    date_ = HttpDate(wall);
  }
  return date_;
}

}  // namespace slc::http
