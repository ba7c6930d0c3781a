// What is different between the configs of two generations, for people.
#pragma once

#include <string>
#include <vector>

#include "common/model/generation.h"

namespace slc {

// Names of environment variables, never their values: {"env FOO added", "git 12ab -> 34cd"}.
std::vector<std::string> DescribeGenerationChanges(const GenerationConfig& before,
                                                   const GenerationConfig& after);

}  // namespace slc
