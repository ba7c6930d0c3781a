// What has to be done even if this program is killed.
#pragma once

#include <functional>

namespace slc::test {

// Runs `deed` in a process that outlives this one: not a child of it, in a session of its own, so
// that what ends us and our children does not find it, and without our stdin, stdout and stderr,
// for whose end somebody may wait. It ends when `deed` returns.
void RunOutliving(const std::function<void()>& deed);

}  // namespace slc::test
