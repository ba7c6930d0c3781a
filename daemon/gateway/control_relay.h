// ControlRelay: slcd for an slc on another machine. One request of the control protocol comes in as
// the body of an HTTP request, what slcd answers goes back as its answer (common/wire/carried.h).
//
// Nothing is passed on that was not understood: a request is read, weighed against what its client
// may do, and written anew, in the name of that client. A client whose connection broke may send it
// again with the same id: it then hears of the one that is under way, or slcd, who knows the id,
// does it no second time. What descriptors of a reply bring is read as the client takes it.
//
// Whoever waits hears at least every 5 s that slcd lives, as slcd is asked meanwhile; without
// requests there is no timer.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/control_session.h"
#include "daemon/gateway/authenticator.h"

namespace slc::gateway {

class ControlRelay {
 public:
  // Both outlive this.
  ControlRelay(uv::Loop& loop, ControlSession& session);
  ~ControlRelay();
  ControlRelay(const ControlRelay&) = delete;
  ControlRelay& operator=(const ControlRelay&) = delete;

  // Takes over the exchange.
  void Serve(http::HttpServer* server, http::ExchangeId exchange, const Principal& who,
             const std::string& body);
  // Of the server's events. Exchanges that are not ours are passed over.
  void OnRoom(http::HttpServer* server, http::ExchangeId exchange);
  void OnGone(http::HttpServer* server, http::ExchangeId exchange);

 private:
  struct Stream {
    UniqueFd fd;
    bool ended = false;
    std::unique_ptr<uv::Poll> poll;  // null: it is a file, which the thread reads
    bool reading = false;            // it does
    std::string piece;               // the thread's meanwhile
  };
  struct Talk {
    std::string key;  // of the request: its id, and whose it is
    std::string id;
    http::HttpServer* server = nullptr;  // null: the client has left, slcd has not answered yet
    http::ExchangeId exchange = 0;
    bool replied = false;
    std::vector<Stream> streams;
  };
  // While one lives no talk goes: to write to a client may end it, and lead to OnGone().
  class Busy {
   public:
    explicit Busy(ControlRelay& relay) : relay_(relay) { ++relay_.busy_; }
    ~Busy() {
      if (--relay_.busy_ == 0) relay_.Sweep();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    ControlRelay& relay_;
  };

  Talk* Find(const std::string& key);
  Talk* Find(http::HttpServer* server, http::ExchangeId exchange);
  static void Send(Talk& talk, std::string_view payload);
  void OnReply(Talk& talk, Result<Reply> reply);
  void Read(Talk& talk, std::size_t stream);
  void ReadFile(Talk& talk, std::size_t stream);
  // Empty: its end.
  void PassOn(Talk& talk, std::size_t stream, std::string_view data);
  void Watch(Talk& talk, bool on);
  void SaySignOfLife();
  void ArmTimer();
  void Sweep();

  uv::Loop& loop_;
  ControlSession& session_;
  std::list<std::unique_ptr<Talk>> talks_;
  int busy_ = 0;
  bool asks_ = false;  // whether slcd lives
  Millis sign_due_ = 0;
  uv::Timer signs_;
  std::unique_ptr<uv::DiskThread> disk_;  // made for the first file; ends before what it reads into
};

}  // namespace slc::gateway
