// What of systemd slc needs: whether it runs, its programs, and the unit of a home.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "ctl/boot/unit.h"

namespace slc::ctl {

// True if the machine was booted with systemd, as sd_booted(3) finds it out.
bool SystemdRuns();

// The unit that would start the slcd of our home: this slc's programs, and the node of our PATH.
Result<Unit> MakeUnit(const std::string& name, bool user);
// Where it is, for this user.
std::string OwnUnitFile(const Unit& unit);

// The unit of this home that UnitText has written, if one is there; the machine's for root.
std::optional<Unit> FindUnit(const std::string& home);

// Runs one of its programs to the end; what that says goes where our output goes, or is dropped if
// `quiet`. The error tells the exit code.
Status RunToEnd(const Words& command, bool quiet);
// The same for what it prints on standard output.
Result<std::string> CaptureOutput(const Words& command);

}  // namespace slc::ctl
