#include "daemon/core/trial.h"

namespace slc {

Verdict JudgeStart(const Trial& trial, const std::string& binary) {
  if (binary != trial.binary) return Verdict::kVoid;
  return trial.failed ? Verdict::kGiveWay : Verdict::kGoOn;
}

Verdict JudgeBegin(Trial& trial, const std::string& binary, const std::string& boot_id,
                   bool goes_on) {
  const Verdict start = JudgeStart(trial, binary);
  if (start != Verdict::kGoOn) return start;
  if (trial.boot_id != boot_id) {
    trial.boot_id = boot_id;
    trial.begun = false;
    trial.deaths = 0;
  }
  if (trial.begun && !goes_on) ++trial.deaths;
  trial.begun = true;
  trial.failed = trial.deaths >= Trial::kDeaths;
  return JudgeStart(trial, binary);
}

bool MayStandIn(Millis kept, Millis now) {
  constexpr Millis kDay = 24LL * 60 * 60 * 1000;
  return kept <= now && now - kept < kDay;
}

}  // namespace slc
