// CpuGroups: the cgroups in which --cpus keeps the workers of an instance, one per generation, as
// long as that lives. Their names tell whose they are, so that a successor of the master needs to
// be told nothing.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/model/generation.h"

namespace slc {

class CpuGroups {
 public:
  // `cookie`: of the instance.
  explicit CpuGroups(std::string cookie) : cookie_(std::move(cookie)) {}

  // There may be a group of that generation, made by us or by a predecessor.
  void Know(const GenerationConfig& config) {
    if (config.limits.cpu_millis > 0) known_.insert(config.generation);
  }
  // What a worker of that generation writes "0" to; empty if it has no limit.
  Result<UniqueFd> For(const GenerationConfig& config);
  // Removes those of generations that are known and not `live`.
  void KeepOnly(const std::vector<Generation>& live);

 private:
  const std::string cookie_;
  std::set<Generation> known_;
};

}  // namespace slc
