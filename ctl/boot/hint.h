// Hint: how the services of our home come back after a reboot, in one line.
#pragma once

#include <string>

namespace slc::ctl {

std::string BootHint();

}  // namespace slc::ctl
