// A slcd that passes its self-check and dies as soon as it has the home for its own.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/lock_holder.h"
#include "common/wire/inheritance.h"
#include "common/wire/self_check.h"
#include "daemon/heritage.h"
#include "daemon/previous_version.h"

int main(int argc, char** argv) {
  constexpr int kDied = 70;
  constexpr int kHeldByAnother = 100;
  if (argc == 2 && std::strcmp(argv[1], "--self-check") == 0) {
    std::puts(slc::EncodeSelfCheck(slc::DescribeSelf("slcd")).c_str());
    return 0;
  }
  const auto paths = slc::LocateOwnHome();
  if (!paths || !slc::GiveWayIfFailed(paths->home, false)) return kDied;
  const bool goes_on = argc == 3 && std::strcmp(argv[1], "--inherit") == 0;
  auto left = goes_on ? slc::Inheritance::Receive(std::atoi(argv[2]))
                      : slc::Result<slc::Inheritance>(slc::Inheritance());
  auto directories = slc::OpenHome(*paths);
  if (!left || !directories) return kDied;
  slc::Result<slc::UniqueFd> lock = left->Take(slc::kHeritageLock);
  if (!*lock) {
    const std::string self = slc::WriteLockHolder({slc::IdentifySelf(), false});
    lock = slc::LockFileAt(directories->run.get(), slc::kDaemonLock, self);
  }
  if (!lock) return kHeldByAnother;
  if (!slc::BeginTrial(paths->home, goes_on)) std::puts("slcd: nobody to give way to");
  return kDied;
}
