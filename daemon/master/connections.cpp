#include "daemon/master/connections.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/master/cluster_messages.h"
#include "daemon/master/listeners.h"
#include "daemon/master/socket_file.h"

namespace slc {
namespace {

// The address of who has opened it, as a number: never 0, and the same whether it came by a socket
// of IPv4 or of both families. 1 if it has gone already.
std::uint64_t ClientOf(int connection) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (::getpeername(connection, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 1;
  constexpr std::uint64_t kIpv4 = 1ULL << 32;
  if (storage.ss_family == AF_INET) {
    return kIpv4 | reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr;
  }
  if (storage.ss_family != AF_INET6) return 1;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  std::uint32_t last = 0;
  std::memcpy(&last, address.s6_addr + 12, sizeof(last));
  if (IN6_IS_ADDR_V4MAPPED(&address)) return kIpv4 | last;
  std::uint64_t network = 0;
  std::uint64_t interface = 0;
  std::memcpy(&network, address.s6_addr, sizeof(network));
  std::memcpy(&interface, address.s6_addr + 8, sizeof(interface));
  return (network * 0x9e3779b97f4a7c15 ^ interface) | 1;
}

}  // namespace

Connections::Connections(uv::Loop& loop, std::function<NodeChannel*(WorkerId)> channel_of,
                         MessageNumbers& numbers)
    : loop_(loop), channel_of_(std::move(channel_of)), numbers_(numbers), again_(loop, [this] {
        for (auto& [key, listener] : listeners_) OfferRefused(*listener);
        Resume();
      }) {}

Connections::~Connections() = default;

Connections::Listener* Connections::Find(const std::string& key) {
  const auto found = listeners_.find(key);
  return found == listeners_.end() ? nullptr : found->second.get();
}

Connections::Listener* Connections::FindById(ListenerId id) {
  for (auto& [key, listener] : listeners_) {
    if (listener->id == id) return listener.get();
  }
  return nullptr;
}

Connections::Listener& Connections::Add(ListenerFacts facts, UniqueFd fd) {
  auto listener = std::make_unique<Listener>();
  listener->id = ++last_listener_;
  listener->facts = std::move(facts);
  Listener& added = *listener;
  AddSocket(added, std::move(fd));
  listeners_[added.facts.key] = std::move(listener);
  return added;
}

void Connections::AddSocket(Listener& listener, UniqueFd fd) {
  auto socket = std::make_unique<Socket>();
  socket->fd = std::move(fd);
  if (listener.facts.kind == ListenerKind::kTcp) {
    socket->poll = std::make_unique<uv::Poll>(
        loop_, socket->fd.get(),
        [this, &listener, &added = *socket](uv::Poll::Ready) { OnAcceptable(listener, added); });
  }
  listener.sockets.push_back(std::move(socket));
}

void Connections::AddUser(Listener& listener, WorkerId worker, SlotNumber slot) {
  listener.users.insert(worker);
  if (listener.facts.kind != ListenerKind::kTcp) return;
  dispatch_.AddHolder(listener.id, worker, slot);
  Resume();
}

void Connections::AddAcceptor(Listener& listener, WorkerId worker, std::size_t socket) {
  Socket& own = *listener.sockets[socket];
  own.acceptors.insert(worker);
  if (own.watched && IsTended(own)) Watch(own, false);
  SteerTo(listener);
}

bool Connections::IsTended(const Socket& socket) const {
  return std::any_of(socket.acceptors.begin(), socket.acceptors.end(),
                     [this](WorkerId worker) { return stuck_.count(worker) == 0; });
}

void Connections::SetStuck(WorkerId worker, bool stuck) {
  if ((stuck_.count(worker) > 0) == stuck) return;
  if (stuck) {
    stuck_.insert(worker);
  } else {
    stuck_.erase(worker);
  }
  dispatch_.SetStuck(worker, stuck);
  for (auto& [key, listener] : listeners_) {
    for (const auto& socket : listener->sockets) {
      if (socket->watched && IsTended(*socket)) Watch(*socket, false);
    }
    SteerTo(*listener);
  }
  Resume();
}

std::vector<std::set<WorkerId>> Connections::Sharing() const {
  std::vector<std::set<WorkerId>> groups;
  for (const auto& [key, listener] : listeners_) {
    for (const auto& socket : listener->sockets) {
      if (socket->acceptors.size() > 1) groups.push_back(socket->acceptors);
    }
  }
  return groups;
}

std::set<WorkerId> Connections::Awaited() const {
  std::set<WorkerId> awaited;
  std::vector<pollfd> polled;
  std::vector<const Socket*> sockets;
  for (const auto& [key, listener] : listeners_) {
    for (const auto& socket : listener->sockets) {
      if (socket->acceptors.empty()) continue;
      polled.push_back({socket->fd.get(), POLLIN, 0});
      sockets.push_back(socket.get());
    }
  }
  if (polled.empty() || ::poll(polled.data(), polled.size(), 0) <= 0) return awaited;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if ((polled[i].revents & POLLIN) == 0) continue;
    awaited.insert(sockets[i]->acceptors.begin(), sockets[i]->acceptors.end());
  }
  return awaited;
}

// It accepts no more, or soon will not: others are to see to its queue.
void Connections::NotAcceptor(WorkerId worker) {
  for (auto& [key, listener] : listeners_) {
    std::size_t left = 0;
    for (const auto& socket : listener->sockets) left += socket->acceptors.erase(worker);
    if (left > 0) SteerTo(*listener);
  }
}

// By the kernel's own choice a fair share would go to the queues of sockets on which nobody
// accepts. Where steering is not allowed they are only accepted by us.
void Connections::SteerTo(Listener& listener) {
  if (listener.sockets.size() < 2 || listener.facts.disordered) return;
  std::vector<std::uint32_t> places;
  bool accepted_on = false;
  for (std::uint32_t i = 0; i < listener.sockets.size(); ++i) {
    if (IsTended(*listener.sockets[i])) places.push_back(i);
    accepted_on = accepted_on || !listener.sockets[i]->acceptors.empty();
  }
  // All are stuck: there is nobody to send them to instead.
  if (places.empty() && accepted_on) return;
  if (places.empty()) places.push_back(0);
  if (places == listener.steered) return;
  if (Steer(listener.sockets[0]->fd.get(), places)) listener.steered = std::move(places);
}

void Connections::RemoveUser(const std::string& key, WorkerId worker) {
  Listener* listener = Find(key);
  if (listener == nullptr) return;
  listener->users.erase(worker);
  dispatch_.RemoveHolder(listener->id, worker);
  for (const auto& socket : listener->sockets) socket->acceptors.erase(worker);
  SteerTo(*listener);
  Resume();
}

void Connections::Close(const std::string& key) {
  const auto found = listeners_.find(key);
  if (found == listeners_.end()) return;
  const ListenerFacts& facts = found->second->facts;
  if (facts.kind == ListenerKind::kUnix && !facts.address.empty() && facts.address[0] != '\0') {
    RemoveSocketFile(facts);
  }
  // slcd has a copy of the socket until it hears that it is not needed: this frees the port now.
  if (facts.kind == ListenerKind::kTcp) {
    for (const auto& socket : found->second->sockets) ::shutdown(socket->fd.get(), SHUT_RDWR);
  }
  dispatch_.RemoveListener(found->second->id);
  listeners_.erase(found);
}

void Connections::Retire(WorkerId worker) {
  dispatch_.Retire(worker);
  NotAcceptor(worker);
  Resume();
}

void Connections::Forget(WorkerId worker) {
  NotAcceptor(worker);
  stuck_.erase(worker);
  for (auto& [key, listener] : listeners_) listener->users.erase(worker);
  for (const std::uint64_t seq : dispatch_.Forget(worker)) {
    const auto flight = flights_.find(seq);
    if (flight == flights_.end()) continue;
    Listener* listener = FindById(flight->second.listener);
    // Without its listener nobody serves that address any more.
    if (listener != nullptr) listener->orphans.push_back(std::move(flight->second));
    flights_.erase(flight);
  }
  Resume();
}

bool Connections::Answered(WorkerId worker, std::uint64_t seq, bool accepted) {
  if (!dispatch_.Answered(worker, seq)) return false;
  for (const std::uint64_t missed : dispatch_.MissedBefore(worker, seq)) Land(missed, false);
  Land(seq, accepted);
  Resume();
  return true;
}

bool Connections::Missed(WorkerId worker, bool certain) {
  if (dispatch_.in_flight(worker) == 0) return false;
  for (const std::uint64_t missed : dispatch_.Missed(worker, certain)) Land(missed, false);
  Resume();
  return true;
}

void Connections::Heard(WorkerId worker, std::uint64_t seq) {
  const std::vector<std::uint64_t> known = dispatch_.MissedBefore(worker, seq);
  for (const std::uint64_t missed : known) Land(missed, false);
  if (!known.empty()) Resume();
}

void Connections::Land(std::uint64_t seq, bool accepted) {
  const auto found = flights_.find(seq);
  if (found == flights_.end()) return;
  Flight flight = std::move(found->second);
  flights_.erase(found);
  Listener* listener = FindById(flight.listener);
  if (listener != nullptr && accepted) {
    if (listener->offered == flight.number) listener->offered = 0;
    OfferRefused(*listener);
  } else if (listener != nullptr) {
    OnRefused(*listener, std::move(flight));
  }
}

// The worker has closed its copy (its server is closing, it has all it wants, or it does not know
// the key), so ours goes to somebody else.
void Connections::OnRefused(Listener& listener, Flight flight) {
  constexpr Millis kOfferAgain = 20;
  if (++flight.refusals < dispatch_.holders(listener.id)) {
    listener.orphans.push_back(std::move(flight));
    return;
  }
  if (listener.offered == flight.number) listener.offered = 0;
  flight.refusals = 0;
  const std::uint64_t number = flight.number;
  listener.refused[number] = std::move(flight);
  again_.StartIn(kOfferAgain);
}

void Connections::OfferRefused(Listener& listener) {
  if (listener.offered != 0 || listener.refused.empty()) return;
  const auto first = listener.refused.begin();
  listener.offered = first->first;
  listener.orphans.push_back(std::move(first->second));
  listener.refused.erase(first);
}

void Connections::Resume() {
  constexpr Millis kTryAgain = 50;
  for (auto& [key, listener] : listeners_) {
    const bool pushed = PushOrphans(*listener);
    // No answer may be due that would bring us here again.
    if (!pushed && HasHolders(*listener) && !again_.active()) again_.StartIn(kTryAgain);
    if (!MayAccept(*listener) || !HasHolders(*listener)) continue;
    for (const auto& socket : listener->sockets) {
      if (socket->poll && !socket->watched && !IsTended(*socket)) Watch(*socket, true);
    }
  }
}

// Those that came first go first. With sticky those of other slots need not wait for them, but they
// are accepted, and would be lost with us: a few only.
bool Connections::MayAccept(const Listener& listener) const {
  constexpr std::size_t kMostWaiting = 64;
  const std::size_t may_wait = listener.sticky ? kMostWaiting : 1;
  return !paused_ && listener.orphans.size() < may_wait && listener.refused.empty() &&
         listener.offered == 0;
}

void Connections::Watch(Socket& socket, bool on) {
  socket.watched = on;
  socket.poll->Watch(on, false);
}

bool Connections::PushOrphans(Listener& listener) {
  if (!listener.sticky) {
    while (!listener.orphans.empty()) {
      if (!Push(listener, listener.orphans.front())) return false;
      listener.orphans.pop_front();
    }
    return true;
  }
  std::deque<Flight> left;
  for (Flight& flight : listener.orphans) {
    if (!Push(listener, flight)) left.push_back(std::move(flight));
  }
  listener.orphans = std::move(left);
  return listener.orphans.empty();
}

void Connections::OnAcceptable(Listener& listener, Socket& socket) {
  // A bound per turn: acknowledgements and other listeners want their turn too.
  constexpr int kPerTurn = 32;
  constexpr Millis kRetryWhenExhausted = 50;
  for (int i = 0; i < kPerTurn; ++i) {
    if (!MayAccept(listener) || !dispatch_.Pick(listener.id, loop_.now(), Dispatch::kLook)) {
      // Not accepted, so it waits in the kernel's queue. Resume() looks again.
      Watch(socket, false);
      return;
    }
    Flight flight{
        UniqueFd(::accept4(socket.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)),
        listener.id, ++last_flight_};
    if (!flight.connection) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      // Out of descriptors: the socket stays readable, and looking again at once would spin.
      Watch(socket, false);
      again_.StartIn(kRetryWhenExhausted);
      return;
    }
    if (!Push(listener, flight)) {
      listener.orphans.push_back(std::move(flight));
      again_.StartIn(kRetryWhenExhausted);
      if (MayAccept(listener)) continue;
      Watch(socket, false);
      return;
    }
  }
}

bool Connections::Push(const Listener& listener, Flight& flight) {
  // There is only one that a sticky one may go to.
  const std::size_t holders = listener.sticky ? 1 : dispatch_.holders(listener.id);
  if (listener.sticky && flight.client == 0) flight.client = ClientOf(flight.connection.get());
  for (std::size_t tried = 0; tried < holders; ++tried) {
    const auto worker = listener.sticky ? dispatch_.PickFor(listener.id, flight.client,
                                                            flight.refusals, loop_.now())
                                        : dispatch_.Pick(listener.id, loop_.now(), Dispatch::kTake);
    if (!worker) return false;
    NodeChannel* channel = channel_of_(*worker);
    if (channel == nullptr || !channel->has_room()) continue;
    const std::uint64_t seq = numbers_.Next();
    if (!channel->TrySend(NewConnection(listener.facts.key, seq), flight.connection.get()))
      continue;
    dispatch_.Pushed(*worker, seq, loop_.now());
    flights_[seq] = std::move(flight);
    return true;
  }
  return false;
}

}  // namespace slc
