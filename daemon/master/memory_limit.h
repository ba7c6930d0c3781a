// MemoryLimit: measures the workers that serve and have a limit of memory, and tells when one is
// beyond it. Costs nothing where there is no limit, and else a read of /proc per worker and look.
//
// Measured is what is resident of the worker's own process, as `slc ctl status` shows it; what it
// has started does not count.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/core/memory_watch.h"
#include "daemon/master/generation_configs.h"
#include "daemon/master/workers.h"

namespace slc {

class MemoryLimit {
 public:
  // `on_finding`: as MemoryWatch::Finding.
  using OnFinding = std::function<void(WorkerId worker, const std::string& why)>;

  MemoryLimit(uv::Loop& loop, const Fleet& fleet, const Workers& workers,
              const GenerationConfigs& configs, OnFinding on_finding)
      : loop_(loop),
        fleet_(fleet),
        workers_(workers),
        configs_(configs),
        on_finding_(std::move(on_finding)),
        timer_(loop, [this] { Look(); }) {}

  // To be called when workers may have begun or ceased to serve.
  void Review();

 private:
  void Look();
  bool AnyLimited() const;

  uv::Loop& loop_;
  const Fleet& fleet_;
  const Workers& workers_;
  const GenerationConfigs& configs_;
  OnFinding on_finding_;
  MemoryWatch watch_;
  uv::Timer timer_;
};

}  // namespace slc
