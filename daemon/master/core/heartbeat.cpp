#include "daemon/master/core/heartbeat.h"

#include <algorithm>

namespace slc {
namespace {

constexpr Millis kQuestionsPerTimeout = 4;

}  // namespace

void Heartbeat::Begin(Millis hang_timeout, Millis now) {
  *this = Heartbeat();
  active_ = true;
  timeout_ = hang_timeout;
  PlanNext(now);
}

void Heartbeat::End() { *this = Heartbeat(); }

void Heartbeat::PlanNext(Millis now) {
  if (timeout_ <= 0) return;
  const Millis pause = std::max<Millis>(1, timeout_ / kQuestionsPerTimeout);
  next_ = (now / pause + 1) * pause;
}

bool Heartbeat::Suspect(Millis now) {
  if (!active_) return false;
  if (!suspected_at_) suspected_at_ = now;
  if (asked_at_) return false;
  asked_at_ = counted_from_ = now;
  return true;
}

void Heartbeat::Heard(std::optional<bool> debugged) {
  if (debugged) debugged_ = *debugged;
  told_stuck_ = told_hung_ = false;
  excused_until_ = 0;
  suspected_at_.reset();
  asked_at_.reset();
  counted_from_.reset();
  overdue_at_.reset();
}

std::optional<Millis> Heartbeat::NextVerdict() const {
  if (!counted_from_) return std::nullopt;
  std::optional<Millis> at;
  if (suspected_at_ && !told_stuck_) {
    at = std::max(*counted_from_ + kAnswersWithin, *suspected_at_);
  }
  if (timeout_ > 0 && !told_hung_ && !debugged_) {
    const Millis hung_at = std::max(*counted_from_ + timeout_, excused_until_);
    at = at ? std::min(*at, hung_at) : hung_at;
  }
  return at;
}

std::optional<Millis> Heartbeat::deadline() const {
  if (!active_) return std::nullopt;
  if (overdue_at_) return *overdue_at_ + kReadFirst;
  if (counted_from_) return NextVerdict();
  return timeout_ > 0 ? std::optional(next_) : std::nullopt;
}

std::vector<Heartbeat::Deed> Heartbeat::Look(Millis now) {
  std::vector<Deed> deeds;
  const std::optional<Millis> due = deadline();
  if (!due || now < *due) return deeds;
  if (!asked_at_) {
    asked_at_ = counted_from_ = now;
    PlanNext(now);
    deeds.push_back(Deed::kAsk);
    return deeds;
  }
  if (now - *due > kLate) {
    counted_from_ = now;
    overdue_at_.reset();
    return deeds;
  }
  if (!overdue_at_) {
    overdue_at_ = now;
    return deeds;
  }
  overdue_at_.reset();
  if (suspected_at_ && !told_stuck_ && now - *counted_from_ >= kAnswersWithin) {
    told_stuck_ = true;
    deeds.push_back(Deed::kTellStuck);
  }
  if (timeout_ > 0 && !told_hung_ && !debugged_ && now >= excused_until_ &&
      now - *counted_from_ >= timeout_) {
    told_hung_ = true;
    deeds.push_back(Deed::kTellHung);
  }
  return deeds;
}

}  // namespace slc
