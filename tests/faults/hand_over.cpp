#include "tests/faults/hand_over.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"

namespace slc::test {
namespace {

// "1764.123456 accept4(12, NULL, NULL, SOCK_CLOEXEC) = 17 <0.000012>"
struct Call {
  std::string name;
  bool failed = false;
  double returned = 0;  // seconds
};

std::optional<Call> ParseCall(const std::string& line) {
  const std::size_t blank = line.find(' ');
  const std::size_t bracket = line.find('(', blank);
  const std::size_t result = line.rfind(" = ");
  const std::size_t span = line.rfind('<');
  if (blank == std::string::npos || bracket == std::string::npos || result == std::string::npos ||
      span == std::string::npos || span < result) {
    return std::nullopt;
  }
  Call call;
  call.name = line.substr(blank + 1, bracket - blank - 1);
  call.failed = line[result + 3] == '-';
  call.returned = std::atof(line.c_str()) + std::atof(line.c_str() + span + 1);
  return call;
}

}  // namespace

HandOver MeasureHandOver(World& world, const App& app) {
  constexpr int kConnections = 50;
  const std::string file = world.folder() + "/hand-over.strace";
  Running strace =
      world.BeginProgram({"strace", "-qq", "-ttt", "-T", "-o", file, "-e", "trace=accept4,sendmsg",
                          "-p", std::to_string(world.MasterPid(app.name))});
  const auto is_attached = [&] {
    return Contains(ReadText("/proc/" + std::to_string(world.MasterPid(app.name)) + "/status"),
                    "TracerPid:\t" + std::to_string(strace.pid()));
  };
  WaitUntil(is_attached, 10'000, "strace");
  for (int i = 0; i < kConnections; ++i) CHECK(Get(app.url()).status == 200);
  strace.Signal(SIGINT);
  strace.Wait();
  std::vector<double> windows;
  double accepted = 0;
  for (const std::string& line : LinesOf(ReadText(file))) {
    const auto call = ParseCall(line);
    if (!call || call->failed) continue;
    if (call->name == "accept4") accepted = call->returned;
    if (call->name == "sendmsg" && accepted > 0) {
      windows.push_back(call->returned - accepted);
      accepted = 0;
    }
  }
  REQUIRE(windows.size() >= kConnections / 2);
  std::sort(windows.begin(), windows.end());
  return {windows[windows.size() / 2], windows.size()};
}

}  // namespace slc::test
