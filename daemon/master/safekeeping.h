// Safekeeping: the descriptors that slcd holds a duplicate of, so that they outlive this master.
//
// Everything that must survive a master goes through here, and goes first: once Store() has
// returned, a living slcd will read the packet even if we die in the next instruction. Without a
// slcd nothing is sent; the next one is given everything anew (Instance::TellEverything).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "daemon/master/control_link.h"

namespace slc {

// A descriptor and the name it is kept under (see common/wire/link.h). Does not own it.
struct KeptFd {
  std::string name;
  int fd = -1;
};

class Safekeeping {
 public:
  // `epoch`: of this master; what an earlier one stores late is told apart by it.
  Safekeeping(ControlLink& link, Epoch epoch) : link_(link), epoch_(epoch) {}

  void Store(const KeptFd& kept) { Store(std::vector<KeptFd>{kept}); }
  // In one packet each kMaxFdsPerMessage.
  void Store(const std::vector<KeptFd>& kept);
  // To a slcd that has none of it: `all` there is, and then that this was all.
  void StoreAll(const std::vector<KeptFd>& all);
  void Drop(const std::vector<std::string>& names);
  // Of `all` once more those that could not be sent for lack of descriptors, or that are `missing`
  // in slcd for that reason.
  void StoreAgain(const std::vector<KeptFd>& all, const std::vector<std::string>& missing = {});

 private:
  ControlLink& link_;
  Epoch epoch_;
  std::set<std::string> unsent_;
};

}  // namespace slc
