#include "common/model/inspection.h"

#include <algorithm>
#include <iterator>

#include "common/base/text.h"

namespace slc {
namespace {

// In the order of Inspection.
constexpr const char* kNames[] = {"cpu-start",    "cpu-stop",  "heap-snapshot", "objects-start",
                                  "objects-stop", "dbg-start", "dbg-stop"};

}  // namespace

const char* Name(Inspection what) { return kNames[static_cast<int>(what)]; }

std::optional<Inspection> InspectionFromName(const std::string& name) {
  const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Inspection>(found - std::begin(kNames));
}

bool HasResult(Inspection what) {
  return what == Inspection::kCpuStop || what == Inspection::kHeapSnapshot ||
         what == Inspection::kObjectsStart || what == Inspection::kObjectsStop;
}

bool IsOpenToOthers(const std::string& debugger_host) {
  return !debugger_host.empty() && debugger_host != "localhost" && debugger_host != "::1" &&
         !StartsWith(debugger_host, "127.");
}

std::string DebuggerAddress(const std::string& host, int port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

const char* DeedOf(Inspection what) {
  if (what == Inspection::kCpuStop) return "ends its CPU profile";
  return what == Inspection::kHeapSnapshot ? "makes a heap snapshot" : "counts its objects";
}

}  // namespace slc
