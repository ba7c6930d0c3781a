#include "daemon/missing_descriptors.h"

#include <utility>

namespace slc {

MissingDescriptors::MissingDescriptors(uv::Loop& loop, Ask ask)
    : timer_(loop, [this, ask = std::move(ask)] {
        if (!names_.empty()) ask({names_.begin(), names_.end()});
      }) {}

bool MissingDescriptors::AskLater() {
  constexpr Millis kAgain = 500;
  if (names_.empty() || timer_.active()) return false;
  timer_.StartIn(kAgain);
  return true;
}

}  // namespace slc
