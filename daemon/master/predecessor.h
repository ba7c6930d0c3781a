// Predecessor: what a master of this instance that was killed has left: its descriptors, which slcd
// kept and hands over by name, and its last state, which is in one of them. Each part of the
// instance takes what is its own; what nobody has taken is closed by Forget().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/named_fds.h"
#include "common/base/unique_fd.h"
#include "common/model/instance.h"

namespace slc {

class Predecessor {
 public:
  void Collect(const std::vector<std::string>& names, std::vector<UniqueFd> fds);
  // Closes what nobody has taken and returns its names: slcd should let go of it too.
  std::vector<std::string> Forget();

  // Nothing if there is none or it is unreadable (logged).
  std::optional<InstanceState> ReadState() const;
  // Empty if it was not kept.
  UniqueFd Take(const std::string& name) { return fds_.Take(name); }
  // What the descriptor holds; empty if it was not kept.
  std::string TakeText(const std::string& name);
  // Those whose names begin with `prefix`, by the rest of their names.
  std::map<std::string, UniqueFd> TakeBelow(const std::string& prefix) {
    return fds_.TakeBelow(prefix);
  }
  // The configs of all generations.
  std::vector<UniqueFd> TakeConfigs();

 private:
  NamedFds fds_;
};

}  // namespace slc
