// SafePlace: whether a path stays where it is. Whoever can rename in one of the folders above it
// puts another one in its place, with whatever is in it, however private the real one is.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"

namespace slc {

// kPermission, and what to do, unless all folders above the absolute `path`, and the links that it
// leads through, belong to us or to root, and nobody else can write in them; a sticky folder (/tmp)
// is safe, because there nobody takes away what is another's. What does not exist yet is to be made
// by us.
Status CheckSafePlace(const std::string& path);

// The same for whoever lays it out by himself; nothing if the place is safe.
struct UnsafePlace {
  ErrorCode code = ErrorCode::kPermission;
  std::string why;
  std::string what_to_do;  // empty: that does not show
};
std::optional<UnsafePlace> FindUnsafePlace(const std::string& path);

}  // namespace slc
