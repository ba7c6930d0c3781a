// NamedFds: descriptors that came from somebody before us, by name. Each is taken once, by whoever
// it is for; what nobody takes is closed with this.
#pragma once

#include <map>
#include <string>

#include "common/base/unique_fd.h"

namespace slc {

class NamedFds {
 public:
  // Replaces what had that name.
  void Add(const std::string& name, UniqueFd fd) { fds_[name] = std::move(fd); }
  // Empty if there is none of this name.
  UniqueFd Take(const std::string& name);
  // Those whose names begin with `prefix`, by the rest of their names.
  std::map<std::string, UniqueFd> TakeBelow(const std::string& prefix);
  // -1 if there is none.
  int Find(const std::string& name) const;

 private:
  std::map<std::string, UniqueFd> fds_;
};

}  // namespace slc
