#include "daemon/master/socket_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/file_rights.h"
#include "common/base/files.h"
#include "common/base/unique_fd.h"

namespace slc {
namespace {

struct Place {
  UniqueFd folder;
  std::string name;
};

// An empty folder with errno if it cannot be opened.
Place Locate(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  return {UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
          path.substr(slash == std::string::npos ? 0 : slash + 1)};
}

bool IsSocket(const Place& place, struct stat& info) {
  return ::fstatat(place.folder.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISSOCK(info.st_mode);
}

// True if the file is a socket on which nobody listens.
bool IsStale(const Place& place, const sockaddr_un& address) {
  struct stat info {};
  if (!IsSocket(place, info)) return false;
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
             0 &&
         errno == ECONNREFUSED;
}

}  // namespace

int BindSocketFile(int socket, ListenerFacts& facts, mode_t mode,
                   const std::optional<RunAs>& owner) {
  const FileRights rights(owner);
  if (rights.errno_value() != 0) return rights.errno_value();
  const Place place = Locate(facts.address);
  if (!place.folder) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = PathThroughFd(place.folder.get(), place.name);
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto bind_now = [&] {
    // No moment in which the file has another mode, and no second look at its name.
    const mode_t before = ::umask(0777U & ~mode);
    const bool bound =
        ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    const int reason = bound ? 0 : errno;
    ::umask(before);
    return reason;
  };
  int reason = bind_now();
  if (reason == EADDRINUSE && IsStale(place, address)) {
    if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0) return EADDRINUSE;
    reason = bind_now();
  }
  if (reason != 0) return reason;
  struct stat info {};
  if (IsSocket(place, info)) {
    facts.device = info.st_dev;
    facts.inode = info.st_ino;
  }
  return 0;
}

// In the folder that holds our socket under that name the name is the worker's own affair: a folder
// of somebody else's that took its path does not hold it.
void RemoveSocketFile(const ListenerFacts& facts) {
  const Place place = Locate(facts.address);
  struct stat info {};
  if (!place.folder || facts.inode == 0 || !IsSocket(place, info)) return;
  if (info.st_dev != facts.device || info.st_ino != facts.inode) return;
  ::unlinkat(place.folder.get(), place.name.c_str(), 0);
}

}  // namespace slc
