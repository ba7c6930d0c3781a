// ListenerDesk: answers workers that want to listen or have closed a listener, and knows who has
// which listener open. Binds the sockets and stores them with slcd; the connections that come in
// are the business of Connections.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/model/instance.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/connections.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/generation_configs.h"
#include "daemon/master/listeners.h"
#include "daemon/master/message_numbers.h"
#include "daemon/master/predecessor.h"
#include "daemon/master/safekeeping.h"
#include "daemon/master/snapshot_writer.h"
#include "daemon/master/worker_process.h"

namespace slc {

class ListenerDesk {
 public:
  ListenerDesk(const Fleet& fleet, const GenerationConfigs& configs, Connections& connections,
               Safekeeping& safekeeping, SnapshotWriter& snapshot, MessageNumbers& numbers)
      : fleet_(fleet),
        configs_(configs),
        connections_(connections),
        safekeeping_(safekeeping),
        snapshot_(snapshot),
        numbers_(numbers) {}

  // The sockets a predecessor had bound. One that was not kept (slcd had no room for it at the
  // time) is bound anew where the master alone has it (rr): its workers need not know. That of a
  // slot lives on in the worker that has it, and the next one of its slot gets another. Returns the
  // keys of those that are gone for good: who has them open serves nobody there any more.
  std::set<std::string> Adopt(const std::vector<ListenerFacts>& listeners,
                              Predecessor& predecessor);

  // So many listeners may a worker have, and an instance. Each is a descriptor of ours and one of
  // slcd's, which has to do for all services.
  static constexpr std::size_t kMostOfWorker = 256;
  static constexpr std::size_t kMostOfInstance = 512;

  // Binds what a worker of that generation is to be started with (--listen), where it is not bound
  // yet. kConflict or kInvalid if it cannot be, for people.
  Result<std::vector<ProvidedListener>> Provide(const GenerationConfig& config,
                                                const SpawnWorker& worker);
  // Answers a worker that wants to listen. Who has which listener is in the snapshot before. False
  // if it is refused; the worker's failed_listen says why.
  bool Open(WorkerProcess& worker, const QueryServer& query);
  void Close(WorkerProcess& worker, const std::string& key);
  // Gives a worker that was adopted or became ready the connections of what it has open.
  void Serve(const WorkerProcess& worker);

  // Somebody waits in the queue of a socket on which nobody will accept after that worker, which is
  // to end: of a program that is not Node, whose slot goes for good. Nobody else can take them.
  bool LeavesQueue(WorkerId worker) const;

  // Closes what no worker has open, once the fleet is settled.
  void CloseUnused();

  std::vector<ListenerFacts> listeners() const;
  std::vector<KeptFd> KeptFds() const;
  // Where a worker listens, for people.
  std::vector<std::string> AddressesOf(const WorkerFacts& worker) const;

 private:
  UniqueFd BindAgain(const ListenerFacts& lost);
  // What a query asks for; listen({fd}) means one of --listen.
  ListenerWish WishOf(const QueryServer& query, WorkerId worker) const;
  // On which of its sockets a worker of that slot accepts itself; nothing: it is given its
  // connections.
  static std::optional<std::size_t> SocketOf(const ListenerFacts& facts, SlotNumber slot,
                                             Balance balance);
  // Makes the socket of that slot, if there has to be one.
  void PrepareSocket(Connections::Listener& listener, SlotNumber slot, Balance balance);
  // Programs that are not Node accept on what they are started with.
  static Balance BalanceOf(const GenerationConfig& config);
  Balance BalanceOf(WorkerId worker) const {
    return BalanceOf(configs_.Of(fleet_.state(), worker));
  }
  // nullptr with the errno if it cannot be bound.
  Connections::Listener* BindNew(ListenerWish& wish, WorkerId worker, int& errno_value);
  // Always false.
  bool Refuse(WorkerProcess& worker, const QueryServer& query, ListenerFacts facts,
              int errno_value);
  // `fd`: the one that was asked for; -1: an address.
  std::string ExplainRefusal(int fd, const ListenerFacts& facts, int errno_value);
  std::size_t CountSockets() const;
  static std::vector<KeptFd> KeptFdsOf(const Connections::Listener& listener);
  void Use(Connections::Listener& listener, const WorkerProcess& worker);
  void DecideSticky(Connections::Listener& listener, WorkerId joins);
  std::string OwnListenerOn(int port) const;
  // " by pid 12 (node)"; empty if it is not known.
  std::string HolderOf(int port);
  bool GiveUpPort(int port);
  bool CloseThoseUnused(const std::function<bool(const ListenerFacts&)>& which);

  const Fleet& fleet_;
  const GenerationConfigs& configs_;
  Connections& connections_;
  Safekeeping& safekeeping_;
  SnapshotWriter& snapshot_;
  MessageNumbers& numbers_;
  Millis searched_since_ = 0;
  int searches_ = 0;  // for holders of ports since then
};

}  // namespace slc
