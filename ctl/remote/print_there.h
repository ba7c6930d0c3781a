// PrintThere: commands that read files or look at processes, done where these are. The slc beside
// that slcd prints, and what it prints is printed here, as it comes: text, complaints, exit code.
#pragma once

#include <string>

#include "common/wire/messages.h"
#include "ctl/options.h"

namespace slc::ctl {

// `what`: for failures, as "read the logs". Ctrl-C ends following in good order. Gives the exit
// code.
int PrintThere(const Control& control, PrintLook look, const std::string& what);

}  // namespace slc::ctl
