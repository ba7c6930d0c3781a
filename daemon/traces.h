// Traces: of which instances of this home there may be processes that no master looks after. Only
// those are to be looked for before a master is started and after one has ended, since that takes a
// walk through all processes of the machine: for hundreds of services it would be most of the work.
//
// What was left before we came is found by one walk, when it is first asked for. From then on only
// the masters of this slcd make processes of an instance: each is to be noted before it can.
#pragma once

#include <set>
#include <string>

#include "common/base/ids.h"

namespace slc {

class Traces {
 public:
  // `home_key`: what the cookies of this home begin with.
  explicit Traces(std::string home_key) : home_key_(std::move(home_key)) {}

  static std::string Cookie(const std::string& home_key, ServiceId id) {
    return home_key + "-" + std::to_string(id);
  }

  // There is a master, and there may be workers.
  void Note(ServiceId id) { noted_.insert(id); }
  // Its last master has ended and has seen to it that nothing is left.
  void Forget(ServiceId id) { noted_.erase(id); }
  // Kills what may be there. Blocks, see KillByCookie.
  void Clear(ServiceId id);

 private:
  void Look();

  const std::string home_key_;
  bool looked_ = false;
  std::set<ServiceId> noted_;
};

}  // namespace slc
