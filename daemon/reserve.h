// Reserve: a file of 64 KiB, written while there is room, for what must be recorded when there is
// none.
//
// Records are appended in place: that needs no block, no inode and no name, and a full disk takes
// it. It does not on a file system that never overwrites (btrfs), nor read-only: then Append fails.
// All calls block: on the disk thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace slc {

class Reserve {
 public:
  static constexpr std::size_t kBytes = 64U << 10;

  // `directory`: open, not owned.
  Reserve(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}

  // Makes it if it is not there, has been written to, or must not be trusted any more.
  Status Renew();
  // `record` holds no newline. Durable when it returns without an error.
  Status Append(const std::string& record);
  // Every record, oldest first; one that was cut off by a crash is among them as it is. Append goes
  // on behind them.
  std::vector<std::string> Read();

 private:
  int directory_;
  std::string name_;
  std::size_t used_ = 0;
  bool poisoned_ = false;  // an fsync has failed: what is in it is not known
};

}  // namespace slc
