#include "daemon/master/snapshot.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/crc32c.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

// What a predecessor that is not quite dead may still write stays below this step.
constexpr std::uint64_t kTakeoverStep = 1U << 20;

}  // namespace

Result<Snapshot> Snapshot::Create(std::size_t capacity) {
  Snapshot snapshot;
  snapshot.memfd_.reset(::memfd_create("slc-state", MFD_CLOEXEC));
  if (!snapshot.memfd_) return SystemError("create the snapshot", errno);
  const std::size_t size = 2 * (capacity + sizeof(SnapshotHeader));
  if (::ftruncate(snapshot.memfd_.get(), static_cast<off_t>(size)) != 0) {
    return SystemError("size the snapshot", errno);
  }
  snapshot.capacity_ = capacity;
  return snapshot;
}

Result<Snapshot> Snapshot::Continue(UniqueFd memfd) {
  struct stat info {};
  if (::fstat(memfd.get(), &info) != 0) return SystemError("look at the snapshot", errno);
  auto content = ReadSnapshot(memfd.get());
  if (!content) return content.error();
  Snapshot snapshot;
  snapshot.memfd_ = std::move(memfd);
  snapshot.capacity_ = static_cast<std::size_t>(info.st_size) / 2 - sizeof(SnapshotHeader);
  snapshot.seq_ = content->seq + kTakeoverStep;
  return snapshot;
}

bool Snapshot::Write(const std::string& state) {
  if (state.size() > capacity_) return false;
  ++seq_;
  const std::size_t half = capacity_ + sizeof(SnapshotHeader);
  const auto start = static_cast<off_t>(seq_ % 2 == 0 ? 0 : half);
  SnapshotHeader header;
  header.magic = kSnapshotMagic;
  header.length = static_cast<std::uint32_t>(state.size());
  header.seq = seq_;
  header.crc = Crc32c(state);
  // The state first, then the header that makes it count. A reader between the two sees an old
  // header over new bytes and is saved by the checksum.
  const off_t body = start + static_cast<off_t>(sizeof(header));
  return ::pwrite(memfd_.get(), state.data(), state.size(), body) ==
             static_cast<ssize_t>(state.size()) &&
         ::pwrite(memfd_.get(), &header, sizeof(header), start) == sizeof(header);
}

}  // namespace slc
