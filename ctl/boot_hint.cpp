#include "ctl/boot_hint.h"

#include <cstdlib>

#include "common/base/home.h"
#include "common/base/process.h"
#include "common/base/text.h"

namespace slc::ctl {

std::string BootHint() {
#ifdef SLC_SERVICE_INSTALL
  return "start at boot:  slc service install";
#else
  // Any command starts slcd when its home has services, and slcd starts those that ran.
  std::string line = "start at boot:  add to crontab -e:  @reboot ";
  const char* set = std::getenv("SLC_HOME");
  const auto home = LocateOwnHome();
  if (set != nullptr && set[0] != '\0' && home) line += "SLC_HOME=" + home->home + " ";
  return Printable(line + OwnDirectory() + "/slc ctl ls");
#endif
}

}  // namespace slc::ctl
