#include "daemon/master/exit_reason.h"

#include <csignal>

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr int kExitOne = 1 << 8;  // as waitpid gives it

}  // namespace

TEST_CASE("Only exit code 0 is a clean end; an unknown one is not") {
  CHECK(IsCleanExit(0));
  CHECK_FALSE(IsCleanExit(kExitOne));
  CHECK_FALSE(IsCleanExit(SIGKILL));
  CHECK_FALSE(IsCleanExit(std::nullopt));
}

TEST_CASE("A worker's end is explained by the last error it has printed") {
  const std::vector<std::string> trace = {
      "/app/server.js:3",
      "  foo(",
      "      ^",
      "SyntaxError: Unexpected token ')'",
      "    at wrapSafe (node:internal/modules/cjs/loader:1350:18)",
      "Node.js v20.19.0"};
  CHECK(ExplainExit(kExitOne, "", trace) == "exit code 1: SyntaxError: Unexpected token ')'");
  CHECK(ExplainExit(kExitOne, "", {"TypeError [ERR_X]: no", "Error: first", "RangeError: last"}) ==
        "exit code 1: RangeError: last");
  CHECK(ExplainExit(kExitOne, "", {"TypeError [ERR_X]: no"}) ==
        "exit code 1: TypeError [ERR_X]: no");
  CHECK(ExplainExit(std::nullopt, "", {"Error: boom"}) ==
        "ended, exit status unknown (the master that had started it is gone, and the slcd that "
        "should "
        "have been told is too, or did not pass it on in time): Error: boom");
  CHECK(ExplainExit(kExitOne, "", {"Error: " + std::string(1000, 'x')}).size() < 350);
}

TEST_CASE("What only looks like an error explains nothing") {
  CHECK(ExplainExit(kExitOne, "", {"GET /Error: 200", "no Error", "Some Error: of the app"}) ==
        "exit code 1");
  CHECK(ExplainExit(kExitOne, "", {}) == "exit code 1");
}

TEST_CASE("A listen that was refused explains more than what was printed of it") {
  CHECK(ExplainExit(kExitOne, "port 80 is in use", {"Error: listen EADDRINUSE"}) ==
        "exit code 1: port 80 is in use");
}

TEST_CASE("Who left by itself without a complaint had none") {
  CHECK(ExplainExit(0, "port 80 is in use", {"Error: handled"}) == "exit code 0");
}

}  // namespace slc
