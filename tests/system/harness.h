// The harness of the system tests: real binaries, real node, a private world per test.
//
//   TEST_CASE("a worker that was killed is replaced") {
//     World world;
//     const App app = world.StartApp("express4", {"--size", "2"});
//     const auto victim = world.View(app.name).processes[1];
//     Kill(*IdentifyProcess(victim.pid));
//     WaitUntil([&] { return world.ReadyPids(app.name).size() == 2; }, 10'000, "two ready
//     workers"); CHECK(Get(app.url("/pid")).status == 200);
//   }
//
// A World owns a home below a temporary folder, so any number of copies of a test run beside each
// other. Nothing here sleeps to synchronise: WaitUntil asks again and again until an answer or a
// deadline comes. At its end a World shuts its slcd down and checks that nothing is left: no
// process, no unexpected line in slcd's log, no crash in the kernel's. When a test fails its folder
// is kept and named.
//
// Environment: SLC_BIN (folder of the binaries; else that of this test), SLC_SOURCE (the source
// tree), SLC_TEST_NODE (16, 18, ...: the default version of node), SLC_TEST_KEEP=1 (keep every
// folder), SLC_NO_SKIP=1 (what this machine does not allow is a failure).
#pragma once

#include "tests/system/harness/basics.h"
#include "tests/system/harness/current_test.h"
#include "tests/system/harness/http.h"
#include "tests/system/harness/load_client.h"
#include "tests/system/harness/ports.h"
#include "tests/system/harness/processes.h"
#include "tests/system/harness/world.h"
