// The processes of one home, found without asking slcd: what a test must not leave behind.
#pragma once

#include <string>
#include <vector>

#include "common/base/process.h"

namespace slc::test {

// slcd and masters of a home: they hold files of it.
std::vector<ProcessIdentity> FindSupervisors(const std::string& home);
// All that have a cookie of the home: workers and what they started.
std::vector<ProcessIdentity> FindWorkers(const std::string& home);
// Both, those that are alive.
std::vector<ProcessIdentity> FindAllOf(const std::string& home);
// Until none is left.
void KillAllOf(const std::string& home);
// When this program is killed (a time-out of ctest) a process that outlives it kills what is left
// of the home.
void KillAllWhenWeEnd(const std::string& home);

}  // namespace slc::test
