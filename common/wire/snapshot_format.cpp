#include "common/wire/snapshot_format.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/crc32c.h"
#include "common/base/files.h"
#include "common/base/unique_fd.h"

namespace slc {
namespace {

constexpr std::size_t kMostMemfdBytes = 64U << 20;

Result<std::size_t> SizeOf(int memfd) {
  struct stat info {};
  if (::fstat(memfd, &info) != 0) return SystemError("look at a memfd", errno);
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > kMostMemfdBytes) return Error{ErrorCode::kInvalid, "a memfd is implausibly large"};
  return size;
}

}  // namespace

Result<SnapshotContent> ReadSnapshot(int memfd) {
  auto size = SizeOf(memfd);
  if (!size) return size.error();
  const std::size_t half = *size / 2;
  SnapshotContent best;
  bool found = false;
  for (std::size_t start : {std::size_t{0}, half}) {
    SnapshotHeader header;
    if (half <= sizeof(header)) break;
    if (::pread(memfd, &header, sizeof(header), static_cast<off_t>(start)) != sizeof(header)) {
      continue;
    }
    if (header.magic != kSnapshotMagic || header.length > half - sizeof(header)) continue;
    if (found && header.seq <= best.seq) continue;
    std::string state(header.length, '\0');
    const ssize_t got =
        ::pread(memfd, state.data(), state.size(), static_cast<off_t>(start + sizeof(header)));
    if (got != static_cast<ssize_t>(state.size()) || Crc32c(state) != header.crc) continue;
    best = SnapshotContent{header.seq, std::move(state)};
    found = true;
  }
  if (!found) return Error{ErrorCode::kNotFound, "the snapshot holds no valid state"};
  return best;
}

Result<int> MakeMemfd(const std::string& name, const std::string& content) {
  UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!fd) return SystemError("create a memfd", errno);
  if (Status written = WriteAll(fd.get(), content); !written) return written.error();
  return fd.release();
}

Result<std::string> ReadMemfd(int memfd) {
  auto size = SizeOf(memfd);
  if (!size) return size.error();
  std::string content(*size, '\0');
  const ssize_t got = ::pread(memfd, content.data(), content.size(), 0);
  if (got != static_cast<ssize_t>(content.size())) return SystemError("read a memfd", errno);
  return content;
}

}  // namespace slc
