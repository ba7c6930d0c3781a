#include "daemon/descriptor_rescue.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/wire/link.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

// As /proc shows it: made by Snapshot::Create.
constexpr const char* kSnapshotFile = "/memfd:slc-state";

UniqueFd Duplicate(const UniqueFd& pidfd, int number) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0U)));
}

struct Found {
  UniqueFd memfd;
  SnapshotContent content;
};

// While a snapshot grows there are two of them: the one that was written last counts.
Result<Found> FindSnapshot(const ProcessIdentity& master, const UniqueFd& pidfd) {
  const std::string path = "/proc/" + std::to_string(master.pid) + "/fd";
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return SystemError("look at " + path, errno);
  auto names = ListDirectory(folder.get());
  if (!names) return names.error();
  std::optional<Found> newest;
  for (const std::string& name : *names) {
    std::array<char, 64> target{};
    const ssize_t length =
        ::readlinkat(folder.get(), name.c_str(), target.data(), target.size() - 1);
    if (length <= 0 || !StartsWith(target.data(), kSnapshotFile)) continue;
    const auto number = ParseInteger(name, 0, std::numeric_limits<int>::max());
    UniqueFd memfd = Duplicate(pidfd, static_cast<int>(number.value_or(-1)));
    if (!memfd) return SystemError("take the snapshot of pid " + std::to_string(master.pid), errno);
    auto content = ReadSnapshot(memfd.get());
    if (!content || (newest && content->seq <= newest->content.seq)) continue;
    newest = Found{std::move(memfd), std::move(*content)};
  }
  if (!newest) return Error{ErrorCode::kNotFound, "it has no snapshot"};
  return std::move(*newest);
}

}  // namespace

Result<std::map<std::string, UniqueFd>> TakeDescriptorsOf(const ProcessIdentity& master,
                                                          const UniqueFd& pidfd) {
  auto snapshot = FindSnapshot(master, pidfd);
  if (!snapshot) return snapshot.error();
  auto state = DecodeInstanceState(snapshot->content.state);
  if (!state) return state.error();
  // A successor that has not got through its start holds its predecessor's, with the numbers of
  // that one.
  if (state->master != master) return Error{ErrorCode::kConflict, "it is not in charge yet"};
  std::map<std::string, UniqueFd> taken;
  for (const auto& [name, number] : state->held) {
    UniqueFd fd = Duplicate(pidfd, number);
    if (!fd) return SystemError("take " + name, errno);
    taken[name] = std::move(fd);
  }
  const auto after = ReadSnapshot(snapshot->memfd.get());
  if (!after || after->seq != snapshot->content.seq) {
    return Error{ErrorCode::kConflict, "it goes on, and has changed them meanwhile"};
  }
  taken[link::kStateName] = std::move(snapshot->memfd);
  return taken;
}

}  // namespace slc
