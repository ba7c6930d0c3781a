// What doctest says about the test that runs.
#pragma once

#include <string>

namespace slc::test {

// Its name; empty outside of one.
const std::string& CurrentTestName();
// Whether a check of it has failed so far.
bool CurrentTestHasFailed();
// What a destructor does that must not throw.
void MarkCurrentTestAsFailed();

}  // namespace slc::test
