// Hint: how the services of our home come back after a reboot, in one line.
#pragma once

#include <string>

namespace slc::ctl {

std::string BootHint();

// What makes them come back where nothing does yet: a command, or the line for a crontab.
std::string HowToStartAtBoot();

}  // namespace slc::ctl
