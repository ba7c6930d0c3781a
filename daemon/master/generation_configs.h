// GenerationConfigs: what workers of each generation are started with, as long as a generation may
// still be needed. slcd sends a config once, as a memfd; the memfd is stored with slcd again so
// that a successor of this master has it too.
#pragma once

#include <map>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "daemon/master/safekeeping.h"

namespace slc {

class GenerationConfigs {
 public:
  explicit GenerationConfigs(Safekeeping& safekeeping) : safekeeping_(safekeeping) {}

  // Takes a config in and stores it with slcd. Returns what holds for its generation: a config
  // never changes, so one that is known stays. nullptr if it cannot be read (logged).
  const GenerationConfig* Add(UniqueFd memfd);

  // nullptr if it has not come.
  const GenerationConfig* Find(Generation generation) const;
  // That of the worker's generation; the defaults, if there is no such worker or config.
  const GenerationConfig& Of(const FleetState& fleet, WorkerId worker) const;

  // Gives up those that are not `live` and were before `wished`; a newer one may still be ordered.
  void DropOld(const std::vector<Generation>& live, Generation wished);

  std::vector<KeptFd> KeptFds() const;

 private:
  struct Entry {
    GenerationConfig config;
    UniqueFd memfd;
  };

  Safekeeping& safekeeping_;
  std::map<Generation, Entry> entries_;
};

}  // namespace slc
