// Keeper: duplicates of every descriptor a master could not afford to lose, by name. Opaque to
// slcd: it only holds them, has systemd hold them too (FdStore), and hands them to a successor.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "common/base/unique_fd.h"
#include "daemon/fd_store.h"

namespace slc {

class Keeper {
 public:
  // `store` outlives this; its names begin with `prefix`.
  Keeper(FdStore& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}

  // A name that is stored again replaces what was there.
  void Store(const std::string& name, UniqueFd fd);
  // The same of what systemd has already.
  void Inherit(const std::string& name, UniqueFd fd) {
    ++changes_;
    fds_[name] = std::move(fd);
  }
  void Drop(const std::string& name);
  void Clear();
  // A living master stores everything anew. What it has not by the end of that, it has no more.
  void BeginRenewal();
  // It has it and cannot give it now: what is there under this name stays until it comes.
  void Await(const std::string& name) { old_.erase(name); }
  void EndRenewal();
  // -1 if there is none.
  int Find(const std::string& name) const {
    const auto found = fds_.find(name);
    return found == fds_.end() ? -1 : found->second.get();
  }
  const std::map<std::string, UniqueFd>& fds() const { return fds_; }
  // As long as this is the same, what Find() gave is.
  std::uint64_t changes() const { return changes_; }

 private:
  FdStore& store_;
  std::string prefix_;
  std::map<std::string, UniqueFd> fds_;
  std::set<std::string> old_;  // of before the renewal, and not stored since
  std::uint64_t changes_ = 0;
};

// What systemd keeps of an instance is called so, followed by the keeper's name for it.
std::string KeptPrefix(unsigned service);

}  // namespace slc
