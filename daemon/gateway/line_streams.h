// LineStreams: what comes from pipes, line by line, to the clients that follow it, as server-sent
// events or as a line each.
//
// One pipe may have many followers (a shared one): who does not read what it is sent is let go by
// the server, the others do not wait for it. One with a pipe of its own is waited for: that is read
// as it reads. A pipe that nobody follows any more is closed. Followers hear something at least
// every 25 s, so that proxies keep their connections and dead ones are found out; without followers
// there is no timer.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"

namespace slc::gateway {

class LineStreams {
 public:
  struct Follower {
    http::HttpServer* server = nullptr;
    http::ExchangeId exchange = 0;
    bool events = false;   // server-sent, else lines
    bool endless = false;  // its stream has no end of its own

    bool operator==(const Follower& other) const {
      return server == other.server && exchange == other.exchange;
    }
  };

  explicit LineStreams(uv::Loop& loop);
  ~LineStreams();
  LineStreams(const LineStreams&) = delete;
  LineStreams& operator=(const LineStreams&) = delete;

  // Begins the answers of `followers`, one at least. `shared`: others may join by that name;
  // empty: none, and one follower.
  void Add(UniqueFd pipe, const std::string& shared, const std::vector<Follower>& followers);
  // The same with a pipe that is there already; false if there is none of that name.
  bool Join(const std::string& shared, const Follower& follower);
  // Of the server's events. Exchanges that follow nothing are passed over.
  void OnRoom(http::HttpServer* server, http::ExchangeId exchange);
  void OnGone(http::HttpServer* server, http::ExchangeId exchange);

 private:
  struct Stream {
    Stream(uv::Loop& loop, UniqueFd fd, std::string name, uv::Poll::Callback on_ready)
        : pipe(std::move(fd)),
          shared(std::move(name)),
          poll(loop, pipe.get(), std::move(on_ready)) {}
    UniqueFd pipe;
    const std::string shared;
    std::vector<Follower> followers;
    std::string rest;  // of a line whose end has not come
    uv::Poll poll;
  };
  // While one lives no stream goes: to write to a follower may end it, and lead to OnGone().
  class Busy {
   public:
    explicit Busy(LineStreams& streams) : streams_(streams) { ++streams_.busy_; }
    ~Busy() {
      if (--streams_.busy_ == 0) streams_.Sweep();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    LineStreams& streams_;
  };

  void Begin(Stream& stream, const Follower& follower);
  void Read(Stream& stream);
  void Send(Stream& stream, std::string_view lines);
  void End(Stream& stream);
  void Sweep();
  void KeepAlive();

  uv::Loop& loop_;
  std::list<std::unique_ptr<Stream>> streams_;
  int busy_ = 0;
  uv::Timer keep_alive_;
};

}  // namespace slc::gateway
