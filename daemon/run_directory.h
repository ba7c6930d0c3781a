// RunDirectory: run/instances/ID, in which the master of one instance has its lock and its socket.
#pragma once

#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/disk_thread.h"
#include "daemon/core/lodging.h"

namespace slc {

inline constexpr const char* kMasterSocket = "master.sock";
inline constexpr const char* kMasterLock = "master.lock";

class RunDirectory {
 public:
  // `instances`: the directory it is in, which outlives `disk`; and that outlives this.
  RunDirectory(uv::DiskThread& disk, int instances, ServiceId id);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  // Makes it if it is missing. A removal that has not begun does not come any more; for one that is
  // under way it waits a moment, and then says so.
  Result<UniqueFd> Open();
  // What is there of it; needs no descriptor. An error: it cannot be told.
  Result<LodgingFacts> Look() const;
  // By the disk thread: a disk that hangs must not stop us. What cannot be removed is logged with
  // the name of the service.
  void Remove(const std::string& service);

 private:
  struct Removal;

  uv::DiskThread& disk_;
  const int instances_;
  const std::string name_;
  std::shared_ptr<Removal> removal_;  // under way or done
};

}  // namespace slc
