// A program that is not Node as a service, and that it is rolled without a failed request.
#pragma once

#include <cstdint>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

struct Served {
  std::string name;
  std::uint16_t port = 0;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port) + "/"; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port); }
};

// `slc start` of `words` on a free port, which the master binds (--listen); `behind`: what stands
// behind "--".
Served Serve(World& world, const std::string& name, const Words& words, const Words& behind = {});
// The same of one that binds PORT itself.
Served ServeByItself(World& world, const std::string& name, const Words& words,
                     const Words& behind = {});

// Soft restarts under a load of short connections, 20 with SLC_LONG=1, else 3; each replaces every
// worker. Returns the report and says its figures.
LoadReport Roll(World& world, const Served& served);
// And none may fail.
void RollUnderLoad(World& world, const Served& served);
int Rolls();

}  // namespace slc::test
