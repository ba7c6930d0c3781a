// TrialFile: the record of the trial of a new slcd, HOME/previous/trial.json. Whoever changes it
// holds the lock of the home. All calls block on the disk.
#pragma once

#include <string>

#include "common/base/result.h"
#include "daemon/core/trial.h"

namespace slc {

class TrialFile {
 public:
  // `folder`: HOME/previous, which may be missing.
  explicit TrialFile(std::string folder) : folder_(std::move(folder)) {}

  // kNotFound: there is no trial.
  Result<Trial> Read() const;
  // Where a full disk takes no new file the old one is overwritten: what has to be counted then is
  // counted all the same.
  Status Write(const Trial& trial) const;
  // There is no trial any more.
  Status Remove() const;

 private:
  std::string folder_;
};

}  // namespace slc
