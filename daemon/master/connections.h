// Connections: the listening sockets of an instance and the way of each connection to a worker that
// the master accepts. Owns the listeners and the connections that are on their way; what Dispatch
// decides it carries out.
//
// A TCP listener has one socket, or one per slot (SO_REUSEPORT). The master accepts on each on
// which no worker does: on all in the modes rr and sticky; in slots and shared where no worker is,
// so that what is in the queue of a slot whose worker has died or is stuck, or that is not used any
// more, goes to the others. New connections are steered away from there (see Steer). A socket of a
// slot is never closed as long as its listener is: that would reset what is in its queue.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/model/instance.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/inheritance.h"
#include "daemon/master/core/dispatch.h"
#include "daemon/master/message_numbers.h"
#include "daemon/master/node_channel.h"
#include "daemon/master/predecessor.h"

namespace slc {

class Connections {
 public:
  // `channel_of` gives a worker's channel, or nullptr.
  Connections(uv::Loop& loop, std::function<NodeChannel*(WorkerId)> channel_of,
              MessageNumbers& numbers);
  ~Connections();

  // A connection on its way to a worker.
  struct Flight {
    UniqueFd connection;
    ListenerId listener = 0;
    std::uint64_t number = 0;  // in the order of acceptance
    std::size_t refusals = 0;  // by how many workers in a row
    std::uint64_t client = 0;  // whose address it is (sticky only)
  };
  struct Socket {
    UniqueFd fd;
    std::set<WorkerId> acceptors;    // workers that accept on it by their own copy
    std::unique_ptr<uv::Poll> poll;  // TCP only
    bool watched = false;
  };
  struct Listener {
    ListenerId id = 0;
    ListenerFacts facts;
    std::vector<std::unique_ptr<Socket>> sockets;  // at least one
    std::set<WorkerId> users;  // workers that have it open, by us or by their own copy
    bool sticky = false;
    std::vector<std::uint32_t> steered;  // to which sockets, if it was
    std::deque<Flight> orphans;          // accepted, and given to nobody
    // What every worker has refused (server.maxConnections), by number. The first is offered again
    // from time to time, and the next when that one is accepted. Nothing more is accepted
    // meanwhile.
    std::map<std::uint64_t, Flight> refused;
    std::uint64_t offered = 0;  // number of the one that is on its way again
  };

  Listener* Find(const std::string& key);
  // Takes over bound sockets. They are watched once a worker holds the listener.
  Listener& Add(ListenerFacts facts, UniqueFd fd);
  void AddSocket(Listener& listener, UniqueFd fd);
  // The worker can be given connections.
  void AddUser(Listener& listener, WorkerId worker, SlotNumber slot);
  // The worker accepts on one of the sockets itself, from now on.
  void AddAcceptor(Listener& listener, WorkerId worker, std::size_t socket);
  // The worker has closed it.
  void RemoveUser(const std::string& key, WorkerId worker);
  // Closes the socket; a unix socket's file is removed.
  void Close(const std::string& key);
  const std::map<std::string, std::unique_ptr<Listener>>& listeners() const { return listeners_; }

  // --- when the master goes on as another image
  // Accepts nothing, until Unpause().
  void Pause();
  void Unpause();
  std::size_t in_flight() const { return flights_.size(); }
  // Connections that were accepted and are not a worker's alone, under names of standing.h.
  void Bequeath(Bequest& bequest) const;
  // Takes up those that the image before has left. The workers are known.
  void Adopt(Predecessor& predecessor);

  // Its event loop does not turn, or turns again: in between others see to the queue on which it
  // accepts, and it is given nothing.
  void SetStuck(WorkerId worker, bool stuck);
  // Those who accept on a socket in whose queue somebody waits.
  std::set<WorkerId> Awaited() const;
  // Those who accept on one socket together, for each socket that has several.
  std::vector<std::set<WorkerId>> Sharing() const;

  // Nothing new for this worker, from now on.
  void Retire(WorkerId worker);
  // The worker has ended: what it had not accepted goes to others.
  void Forget(WorkerId worker);
  // False if the worker was not given that, or has answered already.
  bool Answered(WorkerId worker, std::uint64_t seq, bool accepted);
  // A descriptor has not arrived: the worker has no room for it. If it was a connection (`certain`:
  // it was), that goes to another as soon as it is known which one; see Dispatch. False if none is
  // on its way.
  bool Missed(WorkerId worker, bool certain);
  // The worker has answered the message of that number, which was about no connection.
  void Heard(WorkerId worker, std::uint64_t seq);
  std::size_t in_flight(WorkerId worker) const { return dispatch_.in_flight(worker); }
  // See Dispatch.
  std::optional<Millis> StuckSince(WorkerId worker) const {
    return dispatch_.StuckSince(worker, loop_.now());
  }
  bool HasHolders(const Listener& listener) const { return dispatch_.holders(listener.id) > 0; }
  // A channel has room again, or a worker can take connections.
  void Resume();

 private:
  void OnAcceptable(Listener& listener, Socket& socket);
  // Gives it to a worker; false (and it stays the caller's) if nobody can take it now.
  bool Push(const Listener& listener, Flight& flight);
  bool PushOrphans(Listener& listener);
  bool MayAccept(const Listener& listener) const;
  void NotAcceptor(WorkerId worker);
  // Somebody accepts on it who is not stuck.
  bool IsTended(const Socket& socket) const;
  void SteerTo(Listener& listener);
  void Land(std::uint64_t seq, bool accepted);
  void OnRefused(Listener& listener, Flight flight);
  void OfferRefused(Listener& listener);
  static void Watch(Socket& socket, bool on);
  Listener* FindById(ListenerId id);

  uv::Loop& loop_;
  std::function<NodeChannel*(WorkerId)> channel_of_;
  MessageNumbers& numbers_;
  Dispatch dispatch_;
  std::map<std::string, std::unique_ptr<Listener>> listeners_;
  ListenerId last_listener_ = 0;
  std::uint64_t last_flight_ = 0;
  std::unordered_map<std::uint64_t, Flight> flights_;
  std::set<WorkerId> stuck_;
  bool paused_ = false;
  uv::Timer again_;
};

}  // namespace slc
