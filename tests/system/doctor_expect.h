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

// Waits until whatever runs now is older than the next question to slcd, also on the clock on which
// the kernel notes starts (10 ms): slc doctor leaves out what is younger, slcd may have started it
// meanwhile.
void LetProcessesAge();

// Has slcd leave; its services go on.
void LeaveDaemon(World& world);

}  // namespace slc::test
