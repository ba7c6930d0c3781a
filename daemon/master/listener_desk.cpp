#include "daemon/master/listener_desk.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/listen_address.h"
#include "common/wire/link.h"

namespace slc {

std::set<std::string> ListenerDesk::Adopt(const std::vector<ListenerFacts>& listeners,
                                          Predecessor& predecessor) {
  std::set<std::string> gone;
  for (const ListenerFacts& facts : listeners) {
    ListenerFacts now = facts;
    now.slots.clear();
    std::vector<UniqueFd> fds;
    const std::size_t count = std::max<std::size_t>(1, facts.slots.size());
    for (std::size_t place = 0; place < count; ++place) {
      UniqueFd fd = predecessor.Take(link::ListenerName(facts.key, place));
      if (!fd) continue;
      fds.push_back(std::move(fd));
      if (!facts.slots.empty()) now.slots.push_back(facts.slots[place]);
    }
    const bool whole = fds.size() == count;
    now.disordered = facts.disordered || (!whole && !facts.slots.empty());
    if (fds.empty()) fds.push_back(BindAgain(facts));
    if (!fds[0]) {
      gone.insert(facts.key);
      continue;
    }
    auto& listener = connections_.Add(now, std::move(fds[0]));
    for (std::size_t i = 1; i < fds.size(); ++i) {
      connections_.AddSocket(listener, std::move(fds[i]));
    }
    // Their names have changed.
    if (!whole) safekeeping_.Store(KeptFdsOf(listener));
  }
  return gone;
}

UniqueFd ListenerDesk::BindAgain(const ListenerFacts& lost) {
  const std::string what = "the socket of " + DescribeListener(lost) + " was not kept";
  if (lost.kind != ListenerKind::kTcp) {
    log::Warn(what + ": who has it open is replaced");
    return {};
  }
  ListenerFacts again = lost;
  again.port = lost.bound_port;
  BoundListener bound = lost.slots.empty() ? Bind(again, 0, std::nullopt) : BindBeside(lost, -1);
  if (bound.fd) {
    log::Warn(what + " and is bound anew; connections that waited in its queue were reset");
  } else {
    log::Failure(what + " and cannot be bound anew (" + std::strerror(bound.errno_value) +
                 "): who has it open is replaced");
  }
  return std::move(bound.fd);
}

Result<std::vector<ProvidedListener>> ListenerDesk::Provide(const GenerationConfig& config,
                                                            const SpawnWorker& worker) {
  std::vector<ProvidedListener> provided;
  for (const std::string& text : config.listen) {
    const auto address = ParseListenAddress(text);
    if (!address) return address.error();
    ListenerWish wish = InterpretAddress(*address);
    ProvidedListener& each = provided.emplace_back();
    each.key = wish.facts.key;
    each.name = address->name.empty() ? config.service : address->name;
    // Node asks for it itself.
    if (config.node) continue;
    Connections::Listener* listener = connections_.Find(each.key);
    if (listener == nullptr) {
      int errno_value = 0;
      listener = BindNew(wish, worker.worker, errno_value);
      if (listener == nullptr) {
        ListenerFacts facts = wish.facts;
        facts.bound_port = facts.port;
        return Error{ErrorCode::kConflict, ExplainRefusal(-1, facts, errno_value)};
      }
    }
    const Balance balance = BalanceOf(config);
    PrepareSocket(*listener, worker.slot, balance);
    each.fd =
        listener->sockets[SocketOf(listener->facts, worker.slot, balance).value_or(0)]->fd.get();
  }
  return provided;
}

Balance ListenerDesk::BalanceOf(const GenerationConfig& config) {
  if (config.node || config.balance == Balance::kSlots) return config.balance;
  return Balance::kShared;
}

ListenerWish ListenerDesk::WishOf(const QueryServer& query, WorkerId worker) const {
  ListenerWish wish = InterpretQuery(query);
  constexpr int kFirst = 3;
  const auto& declared = configs_.Of(fleet_.state(), worker).listen;
  const auto place = static_cast<std::size_t>(query.fd - kFirst);
  if (query.fd < kFirst || place >= declared.size() || wish.facts.kind == ListenerKind::kUdp) {
    return wish;
  }
  const auto address = ParseListenAddress(declared[place]);
  if (!address) return wish;
  ListenerWish named = InterpretAddress(*address);
  named.facts.data = query.data;
  return named;
}

bool ListenerDesk::Open(WorkerProcess& worker, const QueryServer& query) {
  ListenerWish wish = WishOf(query, worker.id());
  if (wish.errno_value != 0) return Refuse(worker, query, wish.facts, wish.errno_value);
  const std::string key = wish.facts.key;
  auto& keys = worker.facts().keys;
  // The same explicit port twice in one worker: the second gets what a second bind would get. A
  // repeat of a query that was not consumed before our predecessor died is not that; it has the
  // listener already and is told again.
  const bool has_it = std::find(keys.begin(), keys.end(), key) != keys.end();
  if (has_it && query.index > 0) return Refuse(worker, query, wish.facts, EADDRINUSE);
  if (!has_it && keys.size() >= kMostOfWorker) return Refuse(worker, query, wish.facts, EMFILE);
  Connections::Listener* listener = connections_.Find(key);
  if (listener == nullptr) {
    int errno_value = 0;
    listener = BindNew(wish, worker.id(), errno_value);
    if (listener == nullptr) return Refuse(worker, query, wish.facts, errno_value);
  }
  // As in Node's primary: the first data that is any counts for all (TLS tickets).
  if (listener->facts.data == "null") listener->facts.data = query.data;
  const Balance balance = BalanceOf(worker.id());
  if (!connections_.HasHolders(*listener)) listener->sticky = balance == Balance::kSticky;
  PrepareSocket(*listener, worker.slot(), balance);
  if (!has_it) keys.push_back(key);
  if (worker.judge) worker.judge->Opened(key);
  // The worker may exist only in the queue of its channel until it reads the answer; the holders of
  // a listener must be in the snapshot before the query is consumed.
  snapshot_.NoteChange();
  snapshot_.Save();
  const auto place = SocketOf(listener->facts, worker.slot(), balance);
  if (place) {
    worker.channel()->Send(SharedListener(query.seq, listener->facts, numbers_.Next()),
                           listener->sockets[*place]->fd.get());
  } else {
    worker.channel()->Send(RoundRobinListener(query.seq, listener->facts, numbers_.Next()));
  }
  Use(*listener, worker);
  return true;
}

std::optional<std::size_t> ListenerDesk::SocketOf(const ListenerFacts& facts, SlotNumber slot,
                                                  Balance balance) {
  if (facts.kind != ListenerKind::kTcp || balance == Balance::kShared) return 0;
  if (balance != Balance::kSlots) return std::nullopt;
  const auto found = std::find(facts.slots.begin(), facts.slots.end(), slot);
  if (found == facts.slots.end()) return std::nullopt;
  return static_cast<std::size_t>(found - facts.slots.begin());
}

void ListenerDesk::PrepareSocket(Connections::Listener& listener, SlotNumber slot,
                                 Balance balance) {
  ListenerFacts& facts = listener.facts;
  if (facts.kind != ListenerKind::kTcp || balance != Balance::kSlots) return;
  if (SocketOf(facts, slot, balance)) return;
  if (facts.slots.empty()) facts.slots.push_back(0);
  if (facts.slots[0] == 0) {
    facts.slots[0] = slot;
    return;
  }
  BoundListener bound{UniqueFd(), EMFILE};
  if (CountSockets() < kMostOfInstance) bound = BindBeside(facts, listener.sockets[0]->fd.get());
  if (!bound.fd) {
    log::Warn("slot " + std::to_string(slot) + " has no socket of its own on " +
              DescribeListener(facts) + " (" + std::strerror(bound.errno_value) +
              "): its worker is handed connections");
    return;
  }
  facts.slots.push_back(slot);
  connections_.AddSocket(listener, std::move(bound.fd));
  const std::size_t place = facts.slots.size() - 1;
  safekeeping_.Store({link::ListenerName(facts.key, place), listener.sockets[place]->fd.get()});
}

std::size_t ListenerDesk::CountSockets() const {
  std::size_t count = 0;
  for (const auto& [key, listener] : connections_.listeners()) count += listener->sockets.size();
  return count;
}

Connections::Listener* ListenerDesk::BindNew(ListenerWish& wish, WorkerId worker,
                                             int& errno_value) {
  const auto full = [this] { return CountSockets() >= kMostOfInstance; };
  if (full()) CloseThoseUnused([](const ListenerFacts&) { return true; });
  if (full()) {
    errno_value = EMFILE;
    return nullptr;
  }
  const GenerationConfig& config = configs_.Of(fleet_.state(), worker);
  const mode_t mode = wish.mode | (0777U & ~config.file_mask);
  std::optional<RunAs> owner;
  if (config.has_run_as) {
    owner = RunAs{config.uid, config.gid, {config.groups.begin(), config.groups.end()}};
  }
  BoundListener bound = Bind(wish.facts, mode, owner);
  // A port that no worker has open any more is ours to give up, be it for another address of it.
  const bool taken = bound.errno_value == EADDRINUSE && wish.facts.kind == ListenerKind::kTcp;
  if (taken && GiveUpPort(wish.facts.port)) bound = Bind(wish.facts, mode, owner);
  if (!bound.fd) {
    errno_value = bound.errno_value;
    return nullptr;
  }
  Connections::Listener& listener = connections_.Add(wish.facts, std::move(bound.fd));
  safekeeping_.Store(KeptFdsOf(listener));
  if (wish.facts.kind != ListenerKind::kUnix) {
    log::Info("service is listening on " + DescribeListener(wish.facts));
  }
  return &listener;
}

bool ListenerDesk::Refuse(WorkerProcess& worker, const QueryServer& query, ListenerFacts facts,
                          int errno_value) {
  facts.bound_port = facts.port;
  const bool by_number =
      query.fd >= 0 && facts.kind != ListenerKind::kUdp && facts.port <= 0 && facts.address.empty();
  const std::string why = ExplainRefusal(by_number ? query.fd : -1, facts, errno_value);
  log::Warn("supervisor worker " + std::to_string(worker.id()) + ": " + why);
  worker.failed_listen = why;
  worker.channel()->Send(ListenError(query.seq, facts.key, errno_value, numbers_.Next()));
  return false;
}

std::string ListenerDesk::ExplainRefusal(int fd, const ListenerFacts& facts, int errno_value) {
  if (errno_value != EADDRINUSE || facts.port <= 0) {
    const std::string where =
        fd >= 0 ? "descriptor " + std::to_string(fd) : DescribeListener(facts);
    if (fd >= 0 && errno_value == EBADF) {
      return "listen on " + where + ": name it with --listen ADDR:PORT, the first one is 3";
    }
    const std::string reason =
        errno_value == EMFILE ? "it has too many listeners" : std::strerror(errno_value);
    return "listen on " + Printable(where) + ": " + reason;
  }
  std::string in_use = "port " + std::to_string(facts.port) + " is in use";
  const std::string own =
      facts.kind == ListenerKind::kTcp ? OwnListenerOn(facts.port) : std::string();
  if (!own.empty()) {
    return in_use + " by this service itself, on " + own +
           ": another address of the same port needs `slc ctl restart`";
  }
  return in_use + HolderOf(facts.port);
}

// All of /proc is looked through for it, while nothing is accepted: not as often as somebody asks.
std::string ListenerDesk::HolderOf(int port) {
  constexpr Millis kWindow = 1000;
  constexpr int kMostSearches = 4;
  const Millis now = BootNow();
  if (now - searched_since_ >= kWindow) {
    searched_since_ = now;
    searches_ = 0;
  }
  if (++searches_ > kMostSearches) return {};
  const auto holder = FindPortHolder(static_cast<std::uint16_t>(port));
  if (!holder) return {};
  return " by pid " + std::to_string(holder->pid) + " (" + holder->command + ")";
}

void ListenerDesk::Close(WorkerProcess& worker, const std::string& key) {
  auto& keys = worker.facts().keys;
  keys.erase(std::remove(keys.begin(), keys.end(), key), keys.end());
  if (worker.judge) worker.judge->Closed(key);
  connections_.RemoveUser(key, worker.id());
  snapshot_.NoteChange();
  CloseUnused();
  snapshot_.Save();
}

void ListenerDesk::Serve(const WorkerProcess& worker) {
  for (const std::string& key : worker.facts().keys) {
    Connections::Listener* listener = connections_.Find(key);
    if (listener == nullptr) continue;
    DecideSticky(*listener, worker.id());
    Use(*listener, worker);
  }
}

// As the newest generation that serves says: after a failed roll the old one goes on beside it, and
// one that never becomes ready has no say.
void ListenerDesk::DecideSticky(Connections::Listener& listener, WorkerId joins) {
  const auto& workers = fleet_.state().workers;
  std::set<WorkerId> users = listener.users;
  users.insert(joins);
  std::optional<Generation> newest;
  for (const WorkerId user : users) {
    const auto found = workers.find(user);
    if (found == workers.end() || found->second.state != WorkerState::kReady) continue;
    if (newest && found->second.generation <= *newest) continue;
    newest = found->second.generation;
    listener.sticky = BalanceOf(user) == Balance::kSticky;
  }
}

// A worker that starts is given connections at once only if no ready one could take them: code that
// never becomes ready costs no request during a roll. One with a copy of a socket accepts as soon
// as it has it. One that leaves gets none.
void ListenerDesk::Use(Connections::Listener& listener, const WorkerProcess& process) {
  const WorkerId worker = process.id();
  const auto found = fleet_.state().workers.find(worker);
  const WorkerState state =
      found == fleet_.state().workers.end() ? WorkerState::kDraining : found->second.state;
  const bool now = state == WorkerState::kReady ||
                   (state == WorkerState::kStarting && !connections_.HasHolders(listener));
  const auto place = SocketOf(listener.facts, process.slot(), BalanceOf(worker));
  const bool stays = state == WorkerState::kReady || state == WorkerState::kStarting;
  if (place && stays) connections_.AddAcceptor(listener, worker, *place);
  // Without a channel there is no way to give it any.
  if (now && configs_.Of(fleet_.state(), worker).node) {
    connections_.AddUser(listener, worker, process.slot());
  } else {
    listener.users.insert(worker);
  }
}

bool ListenerDesk::LeavesQueue(WorkerId worker) const {
  const FleetState& state = fleet_.state();
  const auto found = state.workers.find(worker);
  if (found == state.workers.end() || !state.wish.run) return false;
  const GenerationConfig& config = configs_.Of(state, worker);
  if (config.node || BalanceOf(config) != Balance::kSlots) return false;
  const GenerationConfig* wanted = configs_.Find(state.wish.generation);
  const SlotNumber slot = found->second.slot;
  for (const auto& [key, listener] : connections_.listeners()) {
    if (listener->users.count(worker) == 0) continue;
    const auto place = SocketOf(listener->facts, slot, Balance::kSlots);
    if (!place) continue;
    // The successor in its slot accepts there, or the master does for a Node.
    const bool stays =
        slot <= state.wish.size && wanted != nullptr &&
        (wanted->node || SocketOf(listener->facts, slot, BalanceOf(*wanted)) == place);
    pollfd entry{listener->sockets[*place]->fd.get(), POLLIN, 0};
    if (!stays && ::poll(&entry, 1, 0) > 0) return true;
  }
  return false;
}

void ListenerDesk::CloseUnused() {
  const std::string phase = InstancePhase(fleet_.state());
  // While workers come and go the socket stays: connections wait in its queue. When all is settled
  // and nobody has it open, the app has let go of that port, and clients should be refused, not
  // kept waiting.
  const bool settled = phase == "running" || phase == "stopped" || phase == "finished" ||
                       FinalExitCode(fleet_.state()).has_value();
  if (settled) CloseThoseUnused([](const ListenerFacts&) { return true; });
}

// Closes listeners on that TCP port that no worker has open. True if there was one.
bool ListenerDesk::GiveUpPort(int port) {
  return CloseThoseUnused([port](const ListenerFacts& facts) {
    return facts.kind == ListenerKind::kTcp && facts.bound_port == port;
  });
}

bool ListenerDesk::CloseThoseUnused(const std::function<bool(const ListenerFacts&)>& which) {
  std::vector<std::string> unused;
  for (const auto& [key, listener] : connections_.listeners()) {
    if (listener->users.empty() && which(listener->facts)) unused.push_back(key);
  }
  for (const std::string& key : unused) {
    // First: a successor must not be given a socket that has been shut down.
    std::vector<std::string> names;
    for (const KeptFd& kept : KeptFdsOf(*connections_.Find(key))) names.push_back(kept.name);
    safekeeping_.Drop(names);
    connections_.Close(key);
    snapshot_.NoteChange();
  }
  return !unused.empty();
}

// Where this instance itself listens on that TCP port, as text; empty if it does not.
std::string ListenerDesk::OwnListenerOn(int port) const {
  for (const auto& [key, listener] : connections_.listeners()) {
    const ListenerFacts& facts = listener->facts;
    if (facts.kind == ListenerKind::kTcp && facts.bound_port == port) {
      return DescribeListener(facts);
    }
  }
  return {};
}

std::vector<ListenerFacts> ListenerDesk::listeners() const {
  std::vector<ListenerFacts> all;
  for (const auto& [key, listener] : connections_.listeners()) all.push_back(listener->facts);
  return all;
}

std::vector<KeptFd> ListenerDesk::KeptFds() const {
  std::vector<KeptFd> kept;
  for (const auto& [key, listener] : connections_.listeners()) {
    for (KeptFd& each : KeptFdsOf(*listener)) kept.push_back(std::move(each));
  }
  return kept;
}

std::vector<KeptFd> ListenerDesk::KeptFdsOf(const Connections::Listener& listener) {
  std::vector<KeptFd> kept;
  for (std::size_t place = 0; place < listener.sockets.size(); ++place) {
    kept.push_back(
        {link::ListenerName(listener.facts.key, place), listener.sockets[place]->fd.get()});
  }
  return kept;
}

std::vector<std::string> ListenerDesk::AddressesOf(const WorkerFacts& worker) const {
  std::vector<std::string> addresses;
  for (const std::string& key : worker.keys) {
    const auto found = connections_.listeners().find(key);
    if (found == connections_.listeners().end()) continue;
    addresses.push_back(DescribeListener(found->second->facts));
  }
  for (const std::string& own : worker.own_listeners) addresses.push_back(own);
  return addresses;
}

}  // namespace slc
