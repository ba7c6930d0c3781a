#include "daemon/core/fallback.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/model/generation_changes.h"

namespace slc {

Wish CatchUp(Wish wish, const FleetWish& obeyed, unsigned cpus) {
  if (obeyed.order <= wish.order) return wish;
  wish.order = obeyed.order;
  wish.generation = std::max(wish.generation, obeyed.generation);
  if (obeyed.run) {
    wish.run = true;
    wish.mode = obeyed.mode;
    wish.parallel = obeyed.parallel;
    const bool all_cpus = wish.size == kSizeCpu && obeyed.size == cpus;
    if (!all_cpus) wish.size = obeyed.size;
  } else if (wish.run) {
    ++wish.order;
  }
  return wish;
}

std::string DescribeDifference(GenerationConfig runs, GenerationConfig recorded) {
  runs.code = recorded.code = CodeFacts{};
  return Join(DescribeGenerationChanges(runs, recorded), ", ");
}

std::string DescribeFallback(const Fallback& fallback) {
  const std::string file = "services/" + std::to_string(fallback.id) + ".json";
  return file + " was found damaged at " + FormatIso(fallback.damage.found_at) + " (" +
         fallback.damage.reason + "); the version before is used, the last change may be lost" +
         (fallback.differs.empty() ? std::string()
                                   : ": the next restart would bring " + fallback.differs);
}

}  // namespace slc
