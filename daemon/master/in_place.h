// InPlace: has the master go on as the installed version, in place, when slcd says so.
//
// It waits for a moment in which little is half done (QuietMoment), while the instance goes on:
// what was printed is in the files, channels have taken what they were sent. If the moment does not
// come in time, if the disk does not let go of the log's thread, or the execution fails, the master
// goes on as it was and slcd is told why.
#pragma once

#include <sys/resource.h>

#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/inheritance.h"
#include "daemon/master/core/quiet_moment.h"
#include "daemon/master/instance.h"

namespace slc {

class InPlace {
 public:
  struct Hands {
    // Why this is no time to begin or to go on; empty if it is.
    std::function<std::string()> hindrance;
    // What is not the instance's and half done; empty if nothing is.
    std::function<std::string()> half_done;
    // Adds what is not the instance's.
    std::function<void(Bequest& bequest)> bequeath;
    std::function<void(const std::string& reason)> stayed;
  };

  // `name`: of the service, as shown in the arguments. `found_core`: see ExecuteInPlace.
  InPlace(uv::Loop& loop, Instance& instance, std::string name, const rlimit& found_core,
          Hands hands);

  void Begin(const std::string& program);

 private:
  void Look();
  void Stay(const std::string& reason);
  void Execute();

  uv::Loop& loop_;
  Instance& instance_;
  std::string name_;
  rlimit found_core_;
  Hands hands_;
  std::string program_;
  std::optional<QuietMoment> moment_;  // nothing: nothing is under way
  uv::Timer timer_;
};

}  // namespace slc
