// Connections, where one image of the master gives way to the next.
#include <limits>

#include "common/base/text.h"
#include "daemon/master/connections.h"

namespace slc {
namespace {

constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

// "12/KEY" -> 12, and KEY is left.
std::uint64_t TakeNumber(std::string& name) {
  const std::size_t slash = name.find('/');
  const auto number = ParseInteger(name.substr(0, slash), 0, kHighest);
  name = slash == std::string::npos ? "" : name.substr(slash + 1);
  return static_cast<std::uint64_t>(number.value_or(0));
}

}  // namespace

void Connections::Pause() {
  paused_ = true;
  for (const auto& [key, listener] : listeners_) {
    for (const auto& socket : listener->sockets) {
      if (socket->poll) Watch(*socket, false);
    }
  }
}

void Connections::Unpause() {
  paused_ = false;
  Resume();
}

void Connections::Bequeath(Bequest& bequest) const {
  const auto waiting = [&](const Flight& flight, const std::string& key) {
    bequest.fds["waiting/" + std::to_string(flight.number) + "/" + key] = flight.connection.get();
  };
  for (const auto& [key, listener] : listeners_) {
    for (const Flight& flight : listener->orphans) waiting(flight, key);
    for (const auto& [number, flight] : listener->refused) waiting(flight, key);
    for (const auto& [seq, flight] : flights_) {
      const auto worker = dispatch_.WorkerOf(seq);
      if (flight.listener != listener->id || !worker) continue;
      bequest.fds["flight/" + std::to_string(*worker) + "/" + std::to_string(seq) + "/" +
                  std::to_string(flight.number) + "/" + key] = flight.connection.get();
    }
  }
}

void Connections::Adopt(Predecessor& predecessor) {
  const auto take_up = [this](UniqueFd fd, std::uint64_t number, const std::string& key) {
    Flight flight;
    flight.connection = std::move(fd);
    flight.number = number;
    last_flight_ = std::max(last_flight_, number);
    Listener* listener = Find(key);
    if (listener != nullptr) flight.listener = listener->id;
    return flight;
  };
  std::map<std::uint64_t, Flight> by_seq;
  std::map<std::uint64_t, WorkerId> workers;
  for (auto& [rest, fd] : predecessor.TakeBelow("flight/")) {
    std::string name = rest;
    const auto worker = static_cast<WorkerId>(TakeNumber(name));
    const std::uint64_t seq = TakeNumber(name);
    const std::uint64_t number = TakeNumber(name);
    by_seq[seq] = take_up(std::move(fd), number, name);
    workers[seq] = worker;
  }
  for (auto& [seq, flight] : by_seq) {
    dispatch_.Pushed(workers[seq], seq, loop_.now());
    flights_[seq] = std::move(flight);
    // The image before may have heard so.
    dispatch_.Missed(workers[seq], false);
  }
  std::map<std::uint64_t, std::pair<std::string, UniqueFd>> in_order;
  for (auto& [rest, fd] : predecessor.TakeBelow("waiting/")) {
    std::string name = rest;
    const std::uint64_t number = TakeNumber(name);
    in_order[number] = {name, std::move(fd)};
  }
  for (auto& [number, entry] : in_order) {
    Listener* listener = Find(entry.first);
    if (listener == nullptr) continue;
    listener->orphans.push_back(take_up(std::move(entry.second), number, entry.first));
  }
  Resume();
}

}  // namespace slc
