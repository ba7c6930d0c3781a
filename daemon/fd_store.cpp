#include "daemon/fd_store.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "common/base/notify.h"

namespace slc {

FdStore::FdStore(uv::Loop& loop, bool by_systemd)
    : by_systemd_(by_systemd), again_(loop, [this] { Send(); }) {}

void FdStore::Keep(const std::string& name, int fd) {
  if (!by_systemd_) return;
  // Without a duplicate if that can be: there may be no room for one.
  if (waiting_.empty() && Tell(name, fd)) return;
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) {
    return log::Warn("systemd does not keep " + name + ": duplicate it: " + std::strerror(errno));
  }
  Add({name, std::move(copy)});
}

void FdStore::Drop(const std::string& name) {
  if (by_systemd_) Add({name, UniqueFd()});
}

void FdStore::Inherit(std::deque<Deed> waiting) {
  if (!by_systemd_) return;
  waiting_ = std::move(waiting);
  Send();
}

void FdStore::Add(Deed deed) {
  waiting_.push_back(std::move(deed));
  if (!again_.active()) Send();
}

void FdStore::Send() {
  constexpr Millis kAgain = 20;
  while (!waiting_.empty()) {
    const Deed& deed = waiting_.front();
    if (!Tell(deed.name, deed.fd.get())) return again_.StartIn(kAgain);
    waiting_.pop_front();
  }
}

bool FdStore::Tell(const std::string& name, int fd) {
  const Status told = fd >= 0 ? KeepWithSupervisor(name, fd) : DropFromSupervisor(name);
  if (!told && told.error().code == ErrorCode::kTimeout) return false;
  // What systemd does not have is not lost as long as one of slcd and the master lives.
  if (!told && !refused_) log::Warn(told.error().message);
  refused_ = !told;
  return true;
}

}  // namespace slc
