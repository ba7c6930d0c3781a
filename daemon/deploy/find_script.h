// Which file of a release is run, and how: as `slc start` finds it in a folder. Blocks on its disk;
// whose folder it may be a stranger's, so it is to be read with his rights.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/model/service.h"

namespace slc::deploy {

// Fills in what of `spec` the folder says. An app of another language is run as before.
Status FindScriptIn(const std::string& directory, ServiceSpec& spec);

}  // namespace slc::deploy
