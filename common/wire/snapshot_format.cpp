#include "common/wire/snapshot_format.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

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

struct Half {
  std::optional<SnapshotContent> content;
  bool torn = false;  // something is there, and it is not whole
  SnapshotMark mark;
};

Half ReadHalf(int memfd, std::size_t start, std::size_t size) {
  SnapshotHeader header;
  if (size <= sizeof(header)) return {};
  if (::pread(memfd, &header, sizeof(header), static_cast<off_t>(start)) != sizeof(header)) {
    return {};
  }
  const SnapshotMark mark{static_cast<std::int64_t>(start), header};
  if (header.magic != kSnapshotMagic) return {std::nullopt, false, mark};
  if (header.length > size - sizeof(header)) return {std::nullopt, true, {}};
  std::string state(header.length, '\0');
  const ssize_t got =
      ::pread(memfd, state.data(), state.size(), static_cast<off_t>(start + sizeof(header)));
  if (got != static_cast<ssize_t>(state.size()) || Crc32c(state) != header.crc) {
    return {std::nullopt, true, {}};
  }
  return {SnapshotContent{header.seq, std::move(state), {}}, false, mark};
}

}  // namespace

Result<SnapshotContent> ReadSnapshot(int memfd) {
  auto size = SizeOf(memfd);
  if (!size) return size.error();
  // A half whose checksum is wrong is being written, or its writer was killed over it. The other
  // half may be older than one this reader has seen, or be overtaken in turn: a running writer is
  // given the time to finish. A write takes microseconds. Where neither half is whole a writer is
  // at work for sure, and has overtaken this reader: one of the two is whole at any moment.
  constexpr int kMostLooks = 20;
  constexpr int kMostForAny = 1000;
  std::optional<SnapshotContent> best;
  for (int look = 0; look < (best ? kMostLooks : kMostForAny); ++look) {
    const Half first = ReadHalf(memfd, 0, *size / 2);
    const Half second = ReadHalf(memfd, *size / 2, *size / 2);
    for (const auto& [half, other] : {std::pair{&first, &second}, std::pair{&second, &first}}) {
      if (!half->content || (best && half->content->seq <= best->seq)) continue;
      best = half->content;
      best->mark = other->mark;
    }
    if (!first.torn && !second.torn) break;
  }
  if (!best) return Error{ErrorCode::kNotFound, "the snapshot holds no valid state"};
  return *best;
}

bool IsUnchanged(int memfd, const SnapshotMark& mark) {
  SnapshotHeader header;
  return mark.start >= 0 && ::pread(memfd, &header, sizeof(header), mark.start) == sizeof(header) &&
         std::memcmp(&header, &mark.header, sizeof(header)) == 0;
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
