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

// Returns `possible`. If it is not, says that this machine does not let the rest of the test
// happen, and why, as a line that tests/faults/run counts; with SLC_NO_SKIP=1, before a release,
// that is a failure.
bool Possible(bool possible, const std::string& why);

}  // namespace slc::test
