#include "common/base/version.h"

// The tests build a second set of programs with another number here.
#ifndef SLC_PROTOCOL
#define SLC_PROTOCOL 1
#endif

namespace slc {
namespace {

constexpr std::uint32_t kNewest = SLC_PROTOCOL;
constexpr std::uint32_t kOldest = kNewest > 1 ? kNewest - 1 : 1;

}  // namespace

const Version& OwnVersion() {
  static constexpr Version kOwn{SLC_VERSION, {kNewest, kOldest}, {kNewest, kOldest}};
  return kOwn;
}

}  // namespace slc
