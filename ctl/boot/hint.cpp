#include "ctl/boot/hint.h"

#include <unistd.h>

#include "common/base/home.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "ctl/boot/systemd.h"

namespace slc::ctl {

std::string BootHint() {
  const auto paths = LocateOwnHome();
  if (SystemdRuns()) {
    const auto unit = paths ? FindUnit(paths->home) : std::nullopt;
    if (unit) return "start at boot:  by systemd, " + unit->name + ".service";
    return std::string("start at boot:  slc service install") + (::geteuid() == 0 ? "" : " --user");
  }
  // Any command starts slcd when its home has services, and slcd starts those that ran.
  Unit unit;
  unit.home = paths ? paths->home : std::string();
  unit.slc = OwnDirectory() + "/slc";
  return Printable("start at boot:  add to crontab -e:  " + CrontabLine(unit));
}

}  // namespace slc::ctl
