#include "daemon/core/trial.h"

#include <algorithm>

namespace slc {

Verdict JudgeStart(Trial& trial, const std::string& binary, const std::string& boot_id,
                   Millis now) {
  if (binary != trial.binary) return Verdict::kVoid;
  if (trial.failed) return Verdict::kGiveWay;
  if (trial.boot_id != boot_id) trial.starts.clear();
  trial.boot_id = boot_id;
  std::erase_if(trial.starts, [now](Millis start) { return start <= now - Trial::kSpan; });
  trial.starts.push_back(now);
  trial.failed = trial.starts.size() >= Trial::kStarts;
  return trial.failed ? Verdict::kGiveWay : Verdict::kGoOn;
}

bool MayStandIn(Millis kept, Millis now) {
  constexpr Millis kDay = 24LL * 60 * 60 * 1000;
  return kept <= now && now - kept < kDay;
}

}  // namespace slc
