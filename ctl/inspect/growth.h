// Growth: what came of the objects of a worker between objects-start and objects-stop, see
// Inspection. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc::ctl {

struct ClassGrowth {
  std::string name;
  std::int64_t count = 0;  // more than at the start
  std::int64_t size = 0;   // bytes, estimated
  std::int64_t total = 0;
  std::int64_t total_size = 0;
};

struct Growth {
  Millis since = 0;   // wall
  Millis until = 0;   // wall
  Millis paused = 0;  // the event loop stood still for the count
  std::int64_t objects = 0;
  std::vector<ClassGrowth> classes;  // that with the most bytes more first
};

Result<Growth> ReadGrowth(const std::string& text);

// The `most` classes that grew most, for people.
std::string GrowthText(const Growth& growth, std::size_t most);

}  // namespace slc::ctl
