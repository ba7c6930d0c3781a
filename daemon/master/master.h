// Master: the process around an instance. Holds the instance's lock for life, speaks with slcd, and
// brings each packet to the Instance, which begins when slcd has said what it is about (Setup).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/wire/inheritance.h"
#include "common/wire/link.h"
#include "daemon/master/control_link.h"
#include "daemon/master/in_place.h"
#include "daemon/master/instance.h"
#include "daemon/master/log_pump.h"
#include "daemon/master/standing.h"
#include "daemon/master/worker_process.h"

namespace slc {

class Master {
 public:
  // `directory`: the instance's run directory. `first_link`: our end of the socketpair slcd made.
  // `agent_path`: preloaded into Node workers. `worker_nofile`: of open files, as workers get it.
  Master(uv::Loop& loop, UniqueFd directory, UniqueFd first_link, std::string agent_path,
         rlimit worker_nofile);
  ~Master();
  // Instead of waiting for what slcd says: goes on where the image before this one has stopped.
  void GoOn(Inheritance inheritance, const MasterStanding& standing);
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

 private:
  void OnLinked();
  void OnPacket(const link::Packet& packet, std::vector<UniqueFd> fds);
  void Begin(const link::Setup& setup, Inheritance& inheritance);
  std::string WhyNotInPlace() const;
  void Bequeath(Bequest& bequest) const;
  void Leave();

  uv::Loop& loop_;
  UniqueFd directory_;
  UniqueFd lock_;
  link::Setup setup_;
  SpawnEnvironment environment_;
  Epoch epoch_ = 0;
  bool leaving_ = false;
  ControlLink link_;
  std::unique_ptr<LogPump> logs_;
  std::unique_ptr<Instance> instance_;
  std::unique_ptr<InPlace> in_place_;
  uv::Signal on_term_;
  uv::Signal on_int_;
};

}  // namespace slc
