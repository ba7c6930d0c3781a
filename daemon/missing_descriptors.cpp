#include "daemon/missing_descriptors.h"

#include <utility>

namespace slc {

MissingDescriptors::MissingDescriptors(uv::Loop& loop, Ask ask)
    : timer_(loop, [this, ask = std::move(ask)] {
        if (!names_.empty()) ask({names_.begin(), names_.end()});
      }) {}

void MissingDescriptors::Add(const std::string& name) {
  names_.insert(name);
  all_.insert(name);
}

void MissingDescriptors::Clear() {
  names_.clear();
  all_.clear();
  told_ = false;
}

void MissingDescriptors::AskLater() {
  constexpr Millis kAgain = 500;
  if (!names_.empty() && !timer_.active()) timer_.StartIn(kAgain);
}

std::optional<std::size_t> MissingDescriptors::Begun() {
  if (told_ || names_.empty()) return std::nullopt;
  told_ = true;
  return names_.size();
}

std::optional<std::size_t> MissingDescriptors::Over() {
  if (!told_ || !names_.empty()) return std::nullopt;
  told_ = false;
  return std::exchange(all_, {}).size();
}

}  // namespace slc
