// PreviousVersion: copies of the slcd and the slc-master that ran before an upgrade, in
// HOME/previous, for when the new ones do not hold, and the record of the trial of the new slcd.
//
//   slcd slc-master   the binaries; they stay until the next upgrade keeps others. A slc-master
//   that
//                     an upgrade does not change is not kept
//   self-check.json   what they say of themselves
//   trial.json        see core/trial.h; gone when the new slcd has held
//
// The script that is preloaded into workers is not kept: it has to get on with masters of both
// versions anyway, since workers outlive them, and users of --run-as must be able to read it.
#pragma once

#include <optional>
#include <string>

#include "common/base/installation.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/wire/self_check.h"
#include "daemon/core/trial.h"

namespace slc {

// Tells one file from another that was installed in its place.
std::string BinaryId(const std::string& path);

// The first thing slcd does in `home`: if it is on trial and has failed, it becomes the slcd kept
// there and this does not return. `arguments`: of this process; "--gave-way DIRECTORY", where it
// was installed, is added. Returns what cannot be done.
Status GiveWayIfFailed(const std::string& home, int argc, char** argv);

class PreviousVersion {
 public:
  // `own`: where the running slcd lies, with the slc-master of its version. What lies there now is
  // held, so that it can still be copied when a package has replaced it.
  PreviousVersion(const std::string& home, const Installation& own);

  // Copies what runs and is not what lies in `installed`, and writes the trial of `next`, the slcd
  // there, if it is another one. Blocks on the disk.
  Status Keep(const Installation& installed, const SelfCheck& next, const std::string& request);
  // The new slcd holds. Blocks on the disk.
  void Confirm() const;
  // The upgrade has not come about.
  void Withdraw() const { Confirm(); }

  // As it was when we started.
  const std::optional<Trial>& trial() const { return trial_; }
  // A kept slc-master that can work for us; empty if there is none.
  const std::string& master() const { return master_; }
  // It may be tried where masters of the installed version do not hold. `now`: on the wall clock.
  bool MayStandIn(Millis now) const { return !master_.empty() && slc::MayStandIn(kept_, now); }

 private:
  std::string directory_;
  UniqueFd own_daemon_;
  UniqueFd own_master_;
  std::optional<Trial> trial_;
  std::string master_;
  Millis kept_ = 0;  // when, on the wall clock
};

}  // namespace slc
