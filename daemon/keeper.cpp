#include "daemon/keeper.h"

#include <utility>

#include "common/base/files.h"

namespace slc {
void Keeper::Store(const std::string& name, UniqueFd fd) {
  ++changes_;
  old_.erase(name);
  UniqueFd& place = fds_[name];
  if (!place || !IsSameFile(place.get(), fd.get())) {
    if (place) store_.Drop(prefix_ + name);
    store_.Keep(prefix_ + name, fd.get());
  }
  place = std::move(fd);
}

void Keeper::Drop(const std::string& name) {
  ++changes_;
  old_.erase(name);
  if (fds_.erase(name) > 0) store_.Drop(prefix_ + name);
}

void Keeper::Clear() {
  ++changes_;
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
