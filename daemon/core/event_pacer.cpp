#include "daemon/core/event_pacer.h"

#include <algorithm>
#include <utility>

namespace slc {

void EventPacer::Refill(Service& service, Millis now) {
  const Millis steps = (now - service.refilled_at) / kRefill;
  if (steps <= 0) return;
  service.tokens = static_cast<unsigned>(std::min<Millis>(kBurst, service.tokens + steps));
  service.refilled_at += steps * kRefill;
}

// One turn brings out all kinds: they belong together, and there are few.
void EventPacer::GiveOut(Service& service, std::vector<JournalRecord>& out) {
  if (service.folded.empty() || service.tokens == 0) return;
  --service.tokens;
  const auto first = out.size();
  for (auto& [kind, record] : service.folded) out.push_back(std::move(record));
  service.folded.clear();
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
            [](const JournalRecord& a, const JournalRecord& b) { return a.time < b.time; });
}

std::vector<JournalRecord> EventPacer::Take(JournalRecord record, Millis now) {
  const auto [entry, is_new] = services_.try_emplace(record.service);
  Service& service = entry->second;
  if (is_new) service.refilled_at = now;
  Refill(service, now);
  std::vector<JournalRecord> out;
  GiveOut(service, out);
  if (service.tokens > 0) {
    --service.tokens;
    out.push_back(std::move(record));
    return out;
  }
  const auto folded = service.folded.find(record.kind);
  if (folded != service.folded.end()) record.times += folded->second.times;
  service.folded[record.kind] = std::move(record);
  return out;
}

std::vector<JournalRecord> EventPacer::Pass(Millis now) {
  std::vector<JournalRecord> out;
  for (auto service = services_.begin(); service != services_.end();) {
    Refill(service->second, now);
    GiveOut(service->second, out);
    // Nothing needs to be known of one that has been calm.
    const bool calm = service->second.tokens == kBurst;
    service = calm ? services_.erase(service) : std::next(service);
  }
  return out;
}

std::optional<Millis> EventPacer::deadline() const {
  std::optional<Millis> next;
  for (const auto& [name, service] : services_) {
    if (service.folded.empty()) continue;
    const Millis at = service.refilled_at + kRefill;
    if (!next || at < *next) next = at;
  }
  return next;
}

std::vector<JournalRecord> EventPacer::Flush() {
  std::vector<JournalRecord> out;
  for (auto& [name, service] : services_) {
    service.tokens = std::max(service.tokens, 1U);
    GiveOut(service, out);
  }
  return out;
}

}  // namespace slc
