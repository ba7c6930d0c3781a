// Keeper: duplicates of every descriptor a master could not afford to lose, by name. Opaque to
// slcd: it only holds them, and hands them to a successor.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"

namespace slc {

class Keeper {
 public:
  // A name that is stored again replaces what was there.
  void Store(const std::string& name, UniqueFd fd) { fds_[name] = std::move(fd); }
  void Drop(const std::string& name) { fds_.erase(name); }
  void Clear() { fds_.clear(); }
  // -1 if there is none.
  int Find(const std::string& name) const {
    const auto found = fds_.find(name);
    return found == fds_.end() ? -1 : found->second.get();
  }
  const std::map<std::string, UniqueFd>& fds() const { return fds_; }

 private:
  std::map<std::string, UniqueFd> fds_;
};

}  // namespace slc
