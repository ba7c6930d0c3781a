// What slc doctor is expected to find.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tests/system/harness.h"

namespace slc::test {

// The first finding of this check at this level in the answer of `slc doctor --json`; fails the
// test if there is none.
nlohmann::json FindingOf(const nlohmann::json& answer, const std::string& check,
                         const std::string& level);

// Looks, and expects this finding with `part` in its text or advice.
void ExpectFinding(World& world, const std::string& check, const std::string& level,
                   const std::string& part, const Options& options = {});

// Has slcd leave; its services go on.
void LeaveDaemon(World& world);

}  // namespace slc::test
