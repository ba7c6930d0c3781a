#include "daemon/master/core/dispatch.h"

#include <algorithm>

namespace slc {
namespace {

// Well mixed, the same on every machine and in every version: clients stay with their slots over an
// upgrade. (The finalizer of splitmix64.)
std::uint64_t Mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

std::vector<Dispatch::Holder>::iterator Dispatch::FindHolder(Listener& listener, WorkerId worker) {
  return std::find_if(listener.holders.begin(), listener.holders.end(),
                      [&](const Holder& holder) { return holder.worker == worker; });
}

void Dispatch::AddHolder(ListenerId listener, WorkerId worker, SlotNumber slot) {
  Listener& entry = listeners_[listener];
  std::vector<Holder>& holders = entry.holders;
  if (FindHolder(entry, worker) != holders.end()) return;
  // A newcomer comes last: just before the one whose turn it is. One that closes and opens its
  // server again and again gets no more than its share.
  holders.insert(holders.begin() + static_cast<std::ptrdiff_t>(entry.next), Holder{worker, slot});
  ++entry.next;
}

void Dispatch::RemoveHolder(ListenerId id, WorkerId worker) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return;
  Listener& listener = found->second;
  const auto holder = FindHolder(listener, worker);
  if (holder == listener.holders.end()) return;
  const auto index = static_cast<std::size_t>(holder - listener.holders.begin());
  listener.holders.erase(holder);
  // The turn stays with the one it was with.
  if (index < listener.next) --listener.next;
}

void Dispatch::RemoveListener(ListenerId listener) { listeners_.erase(listener); }

void Dispatch::Retire(WorkerId worker) {
  for (auto& [id, listener] : listeners_) RemoveHolder(id, worker);
}

std::vector<std::uint64_t> Dispatch::Forget(WorkerId worker) {
  Retire(worker);
  stuck_.erase(worker);
  std::vector<std::uint64_t> orphans;
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end()) return orphans;
  for (const Push& push : found->second.pushes) orphans.push_back(push.seq);
  outgoing_.erase(found);
  return orphans;
}

void Dispatch::SetStuck(WorkerId worker, bool stuck) {
  if (stuck) {
    stuck_.insert(worker);
  } else {
    stuck_.erase(worker);
  }
}

bool Dispatch::IsStuck(WorkerId worker, Millis now) const {
  return stuck_.count(worker) > 0 || StuckSince(worker, now);
}

bool Dispatch::CanTake(WorkerId worker, Millis now) const {
  if (stuck_.count(worker) > 0) return false;
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end() || found->second.pushes.empty()) return true;
  if (StuckSince(worker, now)) return false;
  const Millis waited = now - found->second.pushes.front().at;
  return found->second.pushes.size() < (waited < kBusy ? kCredits : kBusyCredits);
}

std::optional<Millis> Dispatch::StuckSince(WorkerId worker, Millis now) const {
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end() || found->second.pushes.empty()) return std::nullopt;
  const Millis oldest = found->second.pushes.front().at;
  return now - oldest >= kStuck ? std::optional(oldest) : std::nullopt;
}

std::optional<WorkerId> Dispatch::Pick(ListenerId id, Millis now, Turn turn) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return std::nullopt;
  Listener& listener = found->second;
  const std::size_t count = listener.holders.size();
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t index = (listener.next + tried) % count;
    const WorkerId worker = listener.holders[index].worker;
    if (!CanTake(worker, now)) continue;
    if (turn == kTake) listener.next = index + 1;
    return worker;
  }
  return std::nullopt;
}

std::optional<WorkerId> Dispatch::PickFor(ListenerId id, std::uint64_t client, std::size_t refused,
                                          Millis now) const {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return std::nullopt;
  struct Candidate {
    std::uint64_t rank;
    WorkerId worker;
  };
  std::vector<Candidate> order;
  for (const Holder& holder : found->second.holders) {
    order.push_back({Mix(client ^ Mix(holder.slot)), holder.worker});
  }
  // While a slot has two, the newer one is to serve.
  std::sort(order.begin(), order.end(), [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.worker > b.worker;
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const WorkerId worker = order[(i + refused) % order.size()].worker;
    if (IsStuck(worker, now)) continue;
    return CanTake(worker, now) ? std::optional(worker) : std::nullopt;
  }
  return std::nullopt;
}

void Dispatch::Pushed(WorkerId worker, std::uint64_t seq, Millis now) {
  outgoing_[worker].pushes.push_back(Push{seq, now});
}

std::optional<WorkerId> Dispatch::WorkerOf(std::uint64_t seq) const {
  for (const auto& [worker, outgoing] : outgoing_) {
    for (const Push& push : outgoing.pushes) {
      if (push.seq == seq) return worker;
    }
  }
  return std::nullopt;
}

bool Dispatch::Answered(WorkerId worker, std::uint64_t seq) {
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end()) return false;
  std::deque<Push>& queue = found->second.pushes;
  // Answers come in the order of the pushes, so this is nearly always the first.
  const auto push =
      std::find_if(queue.begin(), queue.end(), [&](const Push& entry) { return entry.seq == seq; });
  if (push == queue.end()) return false;
  queue.erase(push);
  return true;
}

std::vector<std::uint64_t> Dispatch::Missed(WorkerId worker, bool certain) {
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end() || found->second.pushes.empty()) return {};
  auto& [pushes, doubtful, missed] = found->second;
  doubtful = true;
  if (certain) ++missed;
  return missed < pushes.size() ? std::vector<std::uint64_t>()
                                : MissedBefore(worker, pushes.back().seq + 1);
}

std::vector<std::uint64_t> Dispatch::MissedBefore(WorkerId worker, std::uint64_t answered) {
  std::vector<std::uint64_t> known;
  const auto found = outgoing_.find(worker);
  if (found == outgoing_.end()) return known;
  auto& [pushes, doubtful, missed] = found->second;
  while (doubtful && !pushes.empty() && pushes.front().seq < answered) {
    known.push_back(pushes.front().seq);
    pushes.pop_front();
    if (missed > 0) --missed;
  }
  if (pushes.empty()) {
    doubtful = false;
    missed = 0;
  }
  return known;
}

std::size_t Dispatch::in_flight(WorkerId worker) const {
  const auto found = outgoing_.find(worker);
  return found == outgoing_.end() ? 0 : found->second.pushes.size();
}

std::size_t Dispatch::holders(ListenerId listener) const {
  const auto found = listeners_.find(listener);
  return found == listeners_.end() ? 0 : found->second.holders.size();
}

bool Dispatch::Holds(ListenerId listener, WorkerId worker) const {
  const auto found = listeners_.find(listener);
  if (found == listeners_.end()) return false;
  const auto& holders = found->second.holders;
  return std::any_of(holders.begin(), holders.end(),
                     [&](const Holder& holder) { return holder.worker == worker; });
}

}  // namespace slc
