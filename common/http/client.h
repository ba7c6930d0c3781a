// Client: HTTP/1.1 on one connection, blocking, from the side of who asks. Used by slc.
//
//     Client client(std::move(*socket), "127.0.0.1:8701");
//     auto head = client.Ask({.target = "/api/Api"}, patience);   // sends, and reads the head
//     auto body = client.ReadAll(1U << 20);                       // or piece by piece: Read()
//     // usable(): another Ask() may follow
//
// Over which kind of connection is not its business: the socket may lead to a server, or to a
// program that carries the bytes on (TLS, ssh). It says in its errors what happened, and leaves it
// to the caller to say to whom.
//
// An answer that comes while the request is still being sent counts: a server that refuses an
// upload need not take all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/http/response_parser.h"

namespace slc::http {

// Limits, ms. A server that says nothing for longer is given up.
struct Patience {
  Millis send = 60'000;  // without one byte of the request being taken
  Millis head = 30'000;  // from the end of the request to the head of its answer
  Millis idle = 60'000;  // between two pieces of the answer
};

// Gives the next piece of a body; an empty one is its end. An error breaks the request off so that
// the server can tell it from a whole one.
using BodySource = std::function<Result<std::string_view>()>;

struct ClientRequest {
  std::string method = "GET";
  std::string target;               // "/path?query"
  std::vector<Header> headers;      // beyond Host and those of the body
  std::optional<std::string> body;  // sent with its length
  BodySource source;                // else, if set: sent in chunks
};

class Client {
 public:
  // `socket`: connected. `host`: for the Host header.
  Client(UniqueFd socket, std::string host);
  Client(Client&&) noexcept = default;
  Client& operator=(Client&&) noexcept = default;

  // Sends the request and reads the head of its answer. kUnreachable: the connection was lost;
  // kTimeout; kProtocol: what came is not HTTP. An error of the body's source is given back as it
  // is. After an error the connection is of no use. Only when usable().
  Result<AnswerHead> Ask(const ClientRequest& request, const Patience& patience);

  // The next piece of the answer's body; empty at its end. Stays until the next call.
  Result<std::string_view> Read();
  // The same, but nothing if nothing has come for `limit` (ms), or a signal came first.
  Result<std::optional<std::string_view>> TryRead(Millis limit);
  // The rest of the body; kProtocol if it is longer than `limit` bytes.
  Result<std::string> ReadAll(std::size_t limit);

  // Nothing is under way, and the server keeps the connection for another request.
  bool usable() const { return state_ == State::kReady; }
  // The last Ask() failed before the server had sent a byte, on a connection that had served
  // before: it may have been closed for being idle, and the request never been read.
  bool may_have_been_idle() const { return asked_ > 1 && failed_untouched_; }

 private:
  enum class State { kReady, kAsked, kBody, kBroken };

  Error Break(Error error);
  Status SendRequest(const ClientRequest& request);
  Status SendBody(const BodySource& source);
  // Sends all of it unless the answer begins meanwhile.
  Status Send(std::string_view bytes);
  // Waits until `events` are there; false if not within `limit`.
  Result<bool> Wait(short events, Millis limit, short& got) const;
  // Reads once, at most `limit` ms; false if the server has closed the connection.
  Result<bool> Receive(Millis limit);
  // To the next event that is not kMore.
  Result<ResponseParser::Event> NextEvent(Millis limit);
  // The next event in what has been received; kMore: there is none.
  Result<ResponseParser::Event> NextOfReceived();
  std::string_view PieceOf(ResponseParser::Event event);

  UniqueFd socket_;
  std::string host_;
  State state_ = State::kReady;
  std::unique_ptr<ResponseParser> parser_;
  std::string buffer_;       // received
  std::string_view unread_;  // of the buffer
  bool closed_ = false;      // by the server
  bool answered_early_ = false;
  bool keep_ = false;
  Patience patience_;
  std::uint64_t asked_ = 0;
  bool failed_untouched_ = false;
};

}  // namespace slc::http
