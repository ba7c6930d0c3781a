#include "daemon/run_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <mutex>

#include "common/base/files.h"
#include "common/base/log.h"

namespace slc {

// Shared with the disk thread.
struct RunDirectory::Removal {
  std::timed_mutex mutex;  // held while it is done
  bool cancelled = false;
};

RunDirectory::RunDirectory(uv::DiskThread& disk, int instances, ServiceId id)
    : disk_(disk), instances_(instances), name_(std::to_string(id)) {}

RunDirectory::~RunDirectory() = default;

Result<UniqueFd> RunDirectory::Open() {
  if (removal_) {
    // A removal that is still to come would take the new one's. One that has begun is done in a
    // moment, unless the disk hangs: then this start is tried again.
    constexpr std::chrono::milliseconds kMoment{50};
    const std::unique_lock<std::timed_mutex> hold(removal_->mutex, kMoment);
    if (!hold) return Error{ErrorCode::kStorage, "its run directory is still being removed"};
    removal_->cancelled = true;
  }
  removal_.reset();
  return OpenPrivateDirectoryAt(instances_, name_, true);
}

Result<LodgingFacts> RunDirectory::Look() const {
  LodgingFacts facts;
  const auto directory = IdentifyFileAt(instances_, name_);
  if (!directory) return directory.error();
  facts.directory = directory->has_value();
  const auto lock = IdentifyFileAt(instances_, name_ + "/" + kMasterLock);
  if (!lock) return lock.error();
  facts.lock = *lock;
  struct stat socket {};
  if (::fstatat(instances_, (name_ + "/" + kMasterSocket).c_str(), &socket, AT_SYMLINK_NOFOLLOW) ==
      0) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    facts.socket = LodgingFacts::Socket{{socket.st_dev, socket.st_ino},
                                        socket.st_ctim.tv_sec * kSecond + socket.st_ctim.tv_nsec};
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return SystemError(std::string("look at ") + kMasterSocket, errno);
  }
  return facts;
}

void RunDirectory::Remove(const std::string& service) {
  removal_ = std::make_shared<Removal>();
  auto removed = std::make_shared<Status>(Ok());
  disk_.Run(
      [removal = removal_, removed, instances = instances_, name = name_] {
        const std::lock_guard<std::timed_mutex> hold(removal->mutex);
        if (!removal->cancelled) *removed = RemoveTreeAt(instances, name);
      },
      [removed, service] {
        if (!*removed) log::Warn("service " + service + ": " + removed->error().message);
      });
}

}  // namespace slc
