// Dispatch: chooses the worker for each new connection that the master accepts. Pure.
//
// A worker holds a listener while its server is open. Connections go round the holders of a
// listener; a worker may have kCredits of them un-acknowledged. What it was given cannot be given
// to another while it lives, so one whose oldest has waited for kBusy may have only kBusyCredits,
// and one that has not moved for kStuck gets nothing. When nobody can take one, nothing is
// accepted: connections wait in the kernel's queue, where no death of ours loses them.
//
// K = 64: with Node's own K = 1 the free worker is always the lucky one (23-40 % uneven at 2
// workers), and 16 still skewed a burst of 64 connections. For the same reason a busy worker is not
// passed over at once: 50 ms are soon gone in a worker that has just booted, and with nothing for
// it from then on a burst of 64 was shared out 46, 6, 6, 6.
//
// Sticky: each client has an order of the slots, drawn from its address and the slot's number
// (rendezvous hashing), and goes to the first that has a holder. So it stays with its slot when
// others come and go, and comes back to it when its worker is replaced; a change of the size moves
// only those that the new or lost slot concerns.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace slc {

using ListenerId = std::uint32_t;

class Dispatch {
 public:
  static constexpr std::size_t kCredits = 64;
  static constexpr Millis kBusy = 50;
  static constexpr std::size_t kBusyCredits = 16;
  static constexpr Millis kStuck = 1000;

  // `slot` is what sticky goes by; 0: none.
  void AddHolder(ListenerId listener, WorkerId worker, SlotNumber slot = 0);
  void RemoveHolder(ListenerId listener, WorkerId worker);
  // The listener was closed.
  void RemoveListener(ListenerId listener);
  // No more connections for this worker; what it has un-acknowledged stays until it answers or
  // ends.
  void Retire(WorkerId worker);
  // The worker is gone: returns what it had not accepted, oldest first, to be given to others.
  std::vector<std::uint64_t> Forget(WorkerId worker);

  // Its event loop was found not to turn, or to turn again. Until then it gets nothing, as if it
  // had not moved for kStuck.
  void SetStuck(WorkerId worker, bool stuck);

  // Whose turn it is; nothing if nobody can take a connection now. kLook leaves the turn where it
  // is, kTake passes it on.
  enum Turn { kLook, kTake };
  std::optional<WorkerId> Pick(ListenerId listener, Millis now, Turn turn);
  // The same by the client's address, as a number. The first `refused` workers in its order have
  // refused the connection. Nothing if it is to wait: for a worker that only has enough just now;
  // one that is stuck is passed over.
  std::optional<WorkerId> PickFor(ListenerId listener, std::uint64_t client, std::size_t refused,
                                  Millis now) const;
  // A connection went out to `worker` under this message number (strictly growing).
  void Pushed(WorkerId worker, std::uint64_t seq, Millis now);
  // The worker accepted or refused it. False if it was not waiting for that.
  bool Answered(WorkerId worker, std::uint64_t seq);

  // A descriptor that went out to `worker` has not arrived (NODE_HANDLE_NACK: it is out of them),
  // which may have been a connection. Which one shows when the worker answers what came later: it
  // answers in order, so that all before that has not arrived. If it is `certain` that it was a
  // connection, also when there are no others. Missed() and what follows an answer return those
  // that are now known; they are the caller's to give away.
  std::vector<std::uint64_t> Missed(WorkerId worker, bool certain);
  // To be asked with each answer to a message of ours, whatever it was about.
  std::vector<std::uint64_t> MissedBefore(WorkerId worker, std::uint64_t answered);

  // Of a worker that gets nothing because it is stuck: when its oldest un-acknowledged connection
  // went out. Nothing of one that moves, or has nothing to answer.
  std::optional<Millis> StuckSince(WorkerId worker, Millis now) const;
  std::size_t in_flight(WorkerId worker) const;
  // To whom a connection went out that was not answered; nothing if there is none.
  std::optional<WorkerId> WorkerOf(std::uint64_t seq) const;
  std::size_t holders(ListenerId listener) const;
  bool Holds(ListenerId listener, WorkerId worker) const;

 private:
  struct Push {
    std::uint64_t seq;
    Millis at;
  };
  struct Holder {
    WorkerId worker;
    SlotNumber slot;
  };
  struct Listener {
    std::vector<Holder> holders;
    std::size_t next = 0;
  };
  static std::vector<Holder>::iterator FindHolder(Listener& listener, WorkerId worker);
  struct Outgoing {
    std::deque<Push> pushes;  // oldest first
    bool doubtful = false;    // some of them may not have arrived
    std::size_t missed = 0;   // so many have not, for certain
  };
  bool IsStuck(WorkerId worker, Millis now) const;
  bool CanTake(WorkerId worker, Millis now) const;

  std::unordered_map<ListenerId, Listener> listeners_;
  std::unordered_map<WorkerId, Outgoing> outgoing_;
  std::set<WorkerId> stuck_;
};

}  // namespace slc
