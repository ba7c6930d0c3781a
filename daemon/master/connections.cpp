#include "daemon/master/connections.h"

#include <sys/socket.h>

#include <cerrno>

#include "daemon/master/cluster_messages.h"
#include "daemon/master/socket_file.h"

namespace slc {

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
  listener->fd = std::move(fd);
  Listener& added = *listener;
  if (added.facts.kind == ListenerKind::kTcp) {
    added.poll = std::make_unique<uv::Poll>(
        loop_, added.fd.get(), [this, &added](uv::Poll::Ready) { OnAcceptable(added); });
  }
  listeners_[added.facts.key] = std::move(listener);
  return added;
}

void Connections::AddUser(Listener& listener, WorkerId worker) {
  listener.users.insert(worker);
  if (!listener.poll) return;
  dispatch_.AddHolder(listener.id, worker);
  Resume();
}

void Connections::RemoveUser(const std::string& key, WorkerId worker) {
  Listener* listener = Find(key);
  if (listener == nullptr) return;
  listener->users.erase(worker);
  dispatch_.RemoveHolder(listener->id, worker);
}

void Connections::Close(const std::string& key) {
  const auto found = listeners_.find(key);
  if (found == listeners_.end()) return;
  const ListenerFacts& facts = found->second->facts;
  if (facts.kind == ListenerKind::kUnix && !facts.address.empty() && facts.address[0] != '\0') {
    RemoveSocketFile(facts);
  }
  // slcd has a copy of the socket until it hears that it is not needed: this frees the port now.
  if (facts.kind == ListenerKind::kTcp) ::shutdown(found->second->fd.get(), SHUT_RDWR);
  dispatch_.RemoveListener(found->second->id);
  listeners_.erase(found);
}

void Connections::Retire(WorkerId worker) { dispatch_.Retire(worker); }

void Connections::Forget(WorkerId worker) {
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

bool Connections::Missed(WorkerId worker) {
  if (dispatch_.in_flight(worker) == 0) return false;
  for (const std::uint64_t missed : dispatch_.Missed(worker)) Land(missed, false);
  Resume();
  return true;
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
    if (pushed && MayAccept(*listener) && listener->poll && !listener->watched &&
        HasHolders(*listener)) {
      Watch(*listener, true);
    }
  }
}

// Those that came first go first.
bool Connections::MayAccept(const Listener& listener) const {
  return !paused_ && listener.orphans.empty() && listener.refused.empty() && listener.offered == 0;
}

void Connections::Watch(Listener& listener, bool on) {
  listener.watched = on;
  listener.poll->Watch(on, false);
}

bool Connections::PushOrphans(Listener& listener) {
  while (!listener.orphans.empty()) {
    if (!Push(listener, listener.orphans.front())) return false;
    listener.orphans.pop_front();
  }
  return true;
}

void Connections::OnAcceptable(Listener& listener) {
  // A bound per turn: acknowledgements and other listeners want their turn too.
  constexpr int kPerTurn = 32;
  constexpr Millis kRetryWhenExhausted = 50;
  for (int i = 0; i < kPerTurn; ++i) {
    if (!MayAccept(listener) || !dispatch_.Pick(listener.id, loop_.now(), Dispatch::kLook)) {
      // Not accepted, so it waits in the kernel's queue. Resume() looks again.
      Watch(listener, false);
      return;
    }
    Flight flight{
        UniqueFd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)),
        listener.id, ++last_flight_};
    if (!flight.connection) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      // Out of descriptors: the socket stays readable, and looking again at once would spin.
      Watch(listener, false);
      again_.StartIn(kRetryWhenExhausted);
      return;
    }
    if (!Push(listener, flight)) {
      listener.orphans.push_back(std::move(flight));
      Watch(listener, false);
      again_.StartIn(kRetryWhenExhausted);
      return;
    }
  }
}

bool Connections::Push(const Listener& listener, Flight& flight) {
  const std::size_t holders = dispatch_.holders(listener.id);
  for (std::size_t tried = 0; tried < holders; ++tried) {
    const auto worker = dispatch_.Pick(listener.id, loop_.now(), Dispatch::kTake);
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
