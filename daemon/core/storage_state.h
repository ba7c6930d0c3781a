// StorageState: what slcd knows of the disk on which it records wishes. Pure.
//
// Writes are done one after another. One that takes longer than kPatience is given up by those who
// wait for it: the disk hangs. A disk that hung or refused is tried every kRetryPause until all is
// recorded; that is also within how long after the end of the trouble all is well.
//
// A wish that is in force and perhaps not in its file is *owed*.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace slc {

class StorageState {
 public:
  // Longer than a busy disk makes one wait, and shorter than a person's patience.
  static constexpr Millis kPatience = 10'000;
  static constexpr Millis kRetryPause = 1'000;

  void WriteBegun(Millis now);  // handed in; it begins when those before it have ended
  void WriteEnded(Millis now);
  void Refused(const std::string& reason, Millis now);
  void Took() { refusal_.clear(); }

  void Owe(ServiceId id, Millis now);
  void Paid(ServiceId id) { owed_.erase(id); }
  const std::set<ServiceId>& owed() const { return owed_; }

  bool Hangs(Millis now) const;
  // All that was refused is to be tried again. The next time after that is kRetryPause later.
  bool TakeRetry(Millis now);
  // When one of the two may become true; nothing while all is well.
  std::optional<Millis> deadline() const;

  // "the disk has not answered for 12 s", or why it refuses; empty if all is well.
  std::string Trouble(Millis now) const;

 private:
  Millis GivenUpAt() const { return turn_ + kPatience; }

  int writes_ = 0;   // that have not ended
  Millis turn_ = 0;  // when the one that is being done began
  std::string refusal_;
  std::set<ServiceId> owed_;
  Millis retry_at_ = 0;
};

}  // namespace slc
