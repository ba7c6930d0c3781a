// Boot hint: how the services of this home come back after a reboot, in one line.
#pragma once

#include <string>

namespace slc::ctl {

std::string BootHint();

}  // namespace slc::ctl
