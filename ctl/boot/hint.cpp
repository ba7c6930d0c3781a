#include "ctl/boot/hint.h"

#include <unistd.h>

#include "common/base/home.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "ctl/boot/systemd.h"

namespace slc::ctl {

std::string HowToStartAtBoot() {
  if (SystemdRuns()) {
    return std::string("slc service install") + (::geteuid() == 0 ? "" : " --user");
  }
  // Any command starts slcd when its home has services, and slcd starts those that ran.
  const auto paths = LocateOwnHome();
  Unit unit;
  unit.home = paths ? paths->home : std::string();
  unit.slc = OwnDirectory() + "/slc";
  return Printable("add to crontab -e:  " + CrontabLine(unit));
}

std::string BootHint() {
  const auto paths = LocateOwnHome();
  const auto unit = SystemdRuns() && paths ? FindUnit(paths->home) : std::nullopt;
  if (unit) return "start at boot:  by systemd, " + unit->name + ".service";
  return "start at boot:  " + HowToStartAtBoot();
}

}  // namespace slc::ctl
