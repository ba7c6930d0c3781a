// Other users of the machine, for tests: whoever is root can be nobody, too.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

// User and group.
constexpr uid_t kNobody = 65534;

// False, and counted as skipped, where we are not root.
bool IsRoot();

// The world's folder can be entered by everybody, so that the home has to protect itself.
void OpenToAll(World& world);

// The command, to be run as nobody.
Words AsNobody(const Words& command);

// A folder below the world's with these files, owned by nobody.
std::string FolderOfNobody(World& world, const std::string& name,
                           const std::map<std::string, std::string>& files);

}  // namespace slc::test
