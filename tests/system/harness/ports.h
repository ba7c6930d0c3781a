// TCP ports for tests that run beside each other.
#pragma once

#include <cstdint>

namespace slc::test {

// `count` successive TCP ports that nobody uses, for as long as this program runs nobody else of
// the tests gets them. Not of the kernel's range for outgoing connections: load clients live there.
std::uint16_t FreePort(int count = 1);

}  // namespace slc::test
