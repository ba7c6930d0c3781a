#include "common/base/version.h"

// The tests build a second set of programs with another number here.
#ifndef SLC_PROTOCOL
#define SLC_PROTOCOL 1
#endif
#ifndef SLC_VERSION_SUFFIX
#define SLC_VERSION_SUFFIX ""
#endif

namespace slc {
namespace {

constexpr std::uint32_t kNewest = SLC_PROTOCOL;
constexpr std::uint32_t kOldest = kNewest > 1 ? kNewest - 1 : 1;

}  // namespace

const Version& OwnVersion() {
  static constexpr Version kOwn{
      SLC_VERSION SLC_VERSION_SUFFIX, {kNewest, kOldest}, {kNewest, kOldest}};
  return kOwn;
}

}  // namespace slc
