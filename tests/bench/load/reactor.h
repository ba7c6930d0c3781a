// Reactor is the event loop of the one thread: epoll for sockets, one timer per handler.
//
// Level-triggered. A handler watches at most one fd at a time; closing the fd ends the watch. So a
// handler that closes its fd and opens another gets no event that belongs to the old one. Handlers
// cancel their timer before they die.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "tests/bench/load/clock.h"
#include "tests/bench/load/fd.h"

namespace slc::load {

class Reactor {
 public:
  class Handler {
   public:
    Handler() = default;
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;
    virtual ~Handler() = default;
    // `events` as epoll gives them.
    virtual void OnEvents(std::uint32_t events) = 0;
    virtual void OnTimer(Time now) = 0;

   private:
    friend class Reactor;
    std::optional<std::multimap<Time, Handler*>::iterator> timer_;
  };

  // Aborts when the system has no epoll instance left.
  Reactor();

  // Reports readability, EOF and errors of `fd`, and writability if asked for.
  void Watch(int fd, Handler& handler, bool want_write);
  void Rewatch(int fd, Handler& handler, bool want_write);

  // Replaces the timer that the handler has.
  void SetTimer(Handler& handler, Time at);
  void CancelTimer(Handler& handler);

  // Waits for something to happen and handles it. Timers may be up to 1 ms late.
  void RunOnce();

 private:
  void Control(int operation, int fd, Handler& handler, bool want_write);
  int WaitMs() const;

  Fd epoll_;
  std::multimap<Time, Handler*> timers_;
};

}  // namespace slc::load
