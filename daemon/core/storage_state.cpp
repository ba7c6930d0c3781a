#include "daemon/core/storage_state.h"

#include <algorithm>

namespace slc {

void StorageState::WriteBegun(Millis now) {
  if (writes_ == 0) turn_ = now;
  ++writes_;
}

void StorageState::WriteEnded(Millis now) {
  --writes_;
  turn_ = now;
}

void StorageState::Refused(const std::string& reason, Millis now) {
  refusal_ = reason;
  retry_at_ = now + kRetryPause;
}

void StorageState::Owe(ServiceId id, Millis now) {
  if (owed_.empty() && refusal_.empty()) retry_at_ = now + kRetryPause;
  owed_.insert(id);
}

bool StorageState::Hangs(Millis now) const { return writes_ > 0 && now >= GivenUpAt(); }

bool StorageState::TakeRetry(Millis now) {
  const bool needed = !owed_.empty() || !refusal_.empty();
  if (!needed || writes_ > 0 || now < retry_at_) return false;
  retry_at_ = now + kRetryPause;
  return true;
}

std::optional<Millis> StorageState::deadline() const {
  if (writes_ > 0) return GivenUpAt();
  if (!owed_.empty() || !refusal_.empty()) return retry_at_;
  return std::nullopt;
}

std::string StorageState::Trouble(Millis now) const {
  if (Hangs(now)) return "the disk has not answered for " + FormatSpan(now - turn_);
  return refusal_;
}

}  // namespace slc
