// FdStore: has systemd keep what slcd keeps for its masters (Keeper), so that slcd and a master may
// die in one instant and no worker with them: the next slcd gets it all back. Does nothing unless
// systemd looks after us.
//
// systemd takes so many messages at a time and no more; what it does not take waits here, in order.
#pragma once

#include <deque>
#include <string>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

class FdStore {
 public:
  FdStore(uv::Loop& loop, bool by_systemd);

  // A name is kept once; to be dropped before it is kept anew. The fd remains the caller's.
  void Keep(const std::string& name, int fd);
  void Drop(const std::string& name);

  struct Deed {
    std::string name;
    UniqueFd fd;  // to be kept; none: to be dropped
  };
  // What systemd has not taken yet, oldest first: the next image of slcd is to tell it.
  const std::deque<Deed>& waiting() const { return waiting_; }
  // The same in that image, before anything else is kept or dropped.
  void Inherit(std::deque<Deed> waiting);

 private:
  void Add(Deed deed);
  void Send();
  // False: systemd takes nothing more just now.
  bool Tell(const std::string& name, int fd);

  bool by_systemd_;
  std::deque<Deed> waiting_;
  bool refused_ = false;  // the last one was not taken
  uv::Timer again_;
};

}  // namespace slc
