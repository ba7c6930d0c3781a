// PreviousVersion: copies of the slcd and the slc-master that ran before an upgrade, in
// HOME/previous, for when the new ones do not hold, and the record of the trial of the new slcd.
//
//   slcd slc-master   the binaries; they stay until the next upgrade keeps others. A slc-master
//                     that an upgrade does not change is not kept
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
#include "daemon/trial_file.h"

namespace slc {

// Tells one file from another that was installed in its place.
std::string BinaryId(const std::string& path);

// These are about the trial of the running slcd, if it is on one. They return what cannot be done.
//
// The first thing slcd does: if it has failed, it becomes the slcd that is kept in `home`, with
// "--gave-way DIRECTORY", where it was installed, and "--replace" if so; this does not return. Of a
// home that is not safe (see safe_place.h) nothing is executed.
Status GiveWayIfFailed(const std::string& home, bool replace);
// What it does when it holds the lock of the home: counts the death of the one before, if that has
// died, and gives way if it was one too many. `goes_on`: as the next image of a process.
Status BeginTrial(const std::string& home, bool goes_on);
// It leaves as it should. The lock is still held.
Status LeaveTrial(const std::string& home);

// What came of keeping it.
struct KeptVersion {
  bool new_daemon = false;    // the installed slcd is another one than that which runs
  bool has_master = false;    // a slc-master was kept
  std::string master_binary;  // the id of the installed one
  UniqueFd master;            // that one, held
};

class PreviousVersion {
 public:
  // `own`: where the running slcd lies, with the slc-master of its version. What lies there now is
  // held, so that it can still be copied when a package has replaced it.
  PreviousVersion(const std::string& home, const Installation& own);

  // Copies what runs and is not what lies in `installed`, and writes the trial of `next`, the slcd
  // there, if it is another one. kConflict: it has failed its trial. Blocks on the disk.
  Result<KeptVersion> Keep(const Installation& installed, const SelfCheck& next,
                           const std::string& request);
  // The running slcd goes on, with masters of the installed version.
  void GoOnAfter(KeptVersion kept);
  // There is no trial any more: the new slcd holds, or the upgrade has not come about. Blocks on
  // the disk.
  Status EndTrial() const { return trial_file_.Remove(); }

  // As it was when we started.
  const std::optional<Trial>& trial() const { return trial_; }
  // The id of the slc-master that lay beside us when we started.
  std::string own_master() const;
  // A kept slc-master that can work for us; empty if there is none.
  const std::string& master() const { return master_; }
  // It may be tried where masters of the installed version do not hold. `now`: on the wall clock.
  bool MayStandIn(Millis now) const { return !master_.empty() && slc::MayStandIn(kept_, now); }

 private:
  std::string directory_;
  UniqueFd own_daemon_;
  UniqueFd own_master_;
  TrialFile trial_file_;
  std::optional<Trial> trial_;
  std::string master_;
  Millis kept_ = 0;  // when, on the wall clock
};

}  // namespace slc
