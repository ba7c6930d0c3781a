#include "daemon/core/event_pacer.h"

#include <algorithm>
#include <utility>

namespace slc {

bool EventPacer::Refill(Service& service, Millis now) {
  const Millis steps = (now - service.refilled_at) / kRefill;
  if (steps <= 0) return false;
  service.refilled_at += steps * kRefill;
  for (auto kind = service.kinds.begin(); kind != service.kinds.end();) {
    unsigned& tokens = kind->second.tokens;
    tokens = static_cast<unsigned>(std::min<Millis>(kBurst, tokens + steps));
    // Nothing needs to be known of what has been calm.
    const bool calm = tokens == kBurst && !kind->second.folded;
    kind = calm ? service.kinds.erase(kind) : std::next(kind);
  }
  return true;
}

void EventPacer::GiveOut(Service& service, std::vector<JournalRecord>& out) {
  const auto first = out.size();
  for (auto& [name, kind] : service.kinds) {
    if (!kind.folded) continue;
    if (kind.tokens > 0) --kind.tokens;
    out.push_back(*std::exchange(kind.folded, std::nullopt));
  }
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
            [](const JournalRecord& a, const JournalRecord& b) { return a.time < b.time; });
}

std::vector<JournalRecord> EventPacer::Take(JournalRecord record, Millis now) {
  const auto [entry, is_new] = services_.try_emplace(record.service);
  Service& service = entry->second;
  if (is_new) service.refilled_at = now;
  std::vector<JournalRecord> out;
  // What is folded has its turn before what comes now.
  if (Refill(service, now)) GiveOut(service, out);
  Kind& kind = service.kinds[record.kind];
  if (kind.tokens > 0) {
    GiveOut(service, out);
    --kind.tokens;
    out.push_back(std::move(record));
    return out;
  }
  if (kind.folded) record.times += kind.folded->times;
  kind.folded = std::move(record);
  return out;
}

std::vector<JournalRecord> EventPacer::Renew(const std::string& service) {
  std::vector<JournalRecord> out;
  const auto entry = services_.find(service);
  if (entry == services_.end()) return out;
  GiveOut(entry->second, out);
  for (auto& [name, kind] : entry->second.kinds) kind.tokens = std::max(kind.tokens, kAfterChange);
  return out;
}

std::vector<JournalRecord> EventPacer::Pass(Millis now) {
  std::vector<JournalRecord> out;
  for (auto service = services_.begin(); service != services_.end();) {
    if (Refill(service->second, now)) GiveOut(service->second, out);
    service = service->second.kinds.empty() ? services_.erase(service) : std::next(service);
  }
  return out;
}

std::optional<Millis> EventPacer::deadline() const {
  std::optional<Millis> next;
  for (const auto& [name, service] : services_) {
    const bool folded = std::any_of(service.kinds.begin(), service.kinds.end(),
                                    [](const auto& kind) { return kind.second.folded; });
    const Millis at = service.refilled_at + kRefill;
    if (folded && (!next || at < *next)) next = at;
  }
  return next;
}

std::vector<JournalRecord> EventPacer::Flush() {
  std::vector<JournalRecord> out;
  for (auto& [name, service] : services_) GiveOut(service, out);
  return out;
}

}  // namespace slc
