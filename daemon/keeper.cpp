#include "daemon/keeper.h"

#include <sys/stat.h>

#include <utility>

namespace slc {
namespace {

// Of sockets, pipes and memfds each has an inode of its own.
bool IsSameFile(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
         first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

}  // namespace

void Keeper::Store(const std::string& name, UniqueFd fd) {
  old_.erase(name);
  UniqueFd& place = fds_[name];
  if (!place || !IsSameFile(place.get(), fd.get())) {
    if (place) store_.Drop(prefix_ + name);
    store_.Keep(prefix_ + name, fd.get());
  }
  place = std::move(fd);
}

void Keeper::Drop(const std::string& name) {
  old_.erase(name);
  if (fds_.erase(name) > 0) store_.Drop(prefix_ + name);
}

void Keeper::Clear() {
  old_.clear();
  for (const auto& [name, fd] : fds_) store_.Drop(prefix_ + name);
  fds_.clear();
}

void Keeper::BeginRenewal() {
  for (const auto& [name, fd] : fds_) old_.insert(name);
}

void Keeper::EndRenewal() {
  for (const std::string& name : std::exchange(old_, {})) Drop(name);
}

std::string KeptPrefix(unsigned service) { return "kept/" + std::to_string(service) + "/"; }

}  // namespace slc
