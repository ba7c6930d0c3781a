// A slcd that passes its self-check and dies right after what it has to do first.
#include <cstdio>
#include <cstring>

#include "common/base/home.h"
#include "common/wire/self_check.h"
#include "daemon/previous_version.h"

int main(int argc, char** argv) {
  constexpr int kDied = 70;
  if (argc == 2 && std::strcmp(argv[1], "--self-check") == 0) {
    std::puts(slc::EncodeSelfCheck(slc::DescribeSelf("slcd")).c_str());
    return 0;
  }
  const auto paths = slc::LocateOwnHome();
  if (paths && !slc::GiveWayIfFailed(paths->home, argc, argv)) {
    std::puts("slcd: nobody to give way to");
  }
  return kDied;
}
