#include "daemon/master_search.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/service.h"
#include "common/wire/control_server.h"
#include "daemon/run_directory.h"

namespace slc {
namespace {

MasterContact Trouble(const std::string& what) {
  MasterContact contact;
  contact.trouble = what;
  return contact;
}

// Who listens at the other end is known from the kernel: a master that is stopped or hangs says
// nothing, and must be watched and perhaps ended all the same.
MasterContact Identify(UniqueFd socket) {
  const auto peer = PeerOf(socket.get());
  if (!peer) return Trouble(peer.error().message);
  const auto identity = IdentifyProcess(peer->pid);
  if (!identity) return Trouble("pid " + std::to_string(peer->pid) + " cannot be looked at");
  UniqueFd pidfd = OpenProcess(*identity);
  if (!pidfd) return Trouble("pid " + std::to_string(peer->pid) + " cannot be watched");
  return MasterContact{false, std::move(socket), *identity, std::move(pidfd), {}};
}

}  // namespace

MasterContact ContactMaster(int directory) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return Trouble(std::strerror(errno));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = PathThroughFd(directory, kMasterSocket);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return Identify(std::move(socket));
  }
  if (errno != ENOENT && errno != ECONNREFUSED) return Trouble(std::strerror(errno));
  // One that could not put its socket in place (a disk without room) or whose socket was removed
  // holds the lock all the same, and has workers.
  const auto locked = IsLockedAt(directory, kMasterLock);
  if (!locked) return Trouble(locked.error().message);
  if (*locked) return Trouble("it lives, but its socket is not there");
  MasterContact contact;
  contact.nobody = true;
  return contact;
}

std::string ServiceNameOf(const ProcessIdentity& master) {
  constexpr std::size_t kMostBytes = 4096;
  const auto line = ReadFile("/proc/" + std::to_string(master.pid) + "/cmdline", kMostBytes);
  if (!line) return {};
  // slc-master NAME --link ...
  const std::vector<std::string> words = Split(*line, '\0');
  if (words.size() < 2 || !CheckServiceName(words[1])) return {};
  return words[1];
}

}  // namespace slc
