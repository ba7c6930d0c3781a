// Inspection: a look into a worker that runs, with the help of the agent in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace slc {

enum class Inspection {
  kCpuStart,
  kCpuStop,       // result: a .cpuprofile
  kHeapSnapshot,  // result: a .heapsnapshot
  kObjectsStart,  // result: {"since", "paused_ms", "objects"}
  // Result: {"since", "until", "paused_ms", "objects", "classes":{NAME:{"count", "size", "total",
  // "total_size"}}} with those classes of which there are more or fewer than at the start. Times
  // are ms since 1970, sizes bytes and estimated; count and size are the growth.
  kObjectsStop,
  kDebugStart,
  kDebugStop,
};
// As the command is called: "cpu-start".
const char* Name(Inspection what);
std::optional<Inspection> InspectionFromName(const std::string& name);
// A result comes on a descriptor of its own, see common/wire/result_stream.h.
bool HasResult(Inspection what);
// "makes a heap snapshot": what a worker does that stands still for one that HasResult(): for
// seconds if its heap is large.
const char* DeedOf(Inspection what);

// Of a CPU profile, in microseconds.
inline constexpr std::uint32_t kSamplingInterval = 1000;
inline constexpr std::uint32_t kLeastSamplingInterval = 50;
inline constexpr std::uint32_t kMostSamplingInterval = 100'000;

// What goes on in a worker, as its agent tells.
struct InspectionState {
  Millis profiling_since = 0;  // wall; 0: no CPU profile is under way
  Millis tracking_since = 0;   // wall; 0: its objects are not tracked
  int debugger_port = 0;       // 0: its debugger is not open
  std::string debugger_host;   // where: as a rule 127.0.0.1; empty: not known

  bool operator==(const InspectionState&) const = default;
};

// Others than those on this machine can reach a debugger there.
bool IsOpenToOthers(const std::string& debugger_host);
// "127.0.0.1:9229", "[::]:9229"
std::string DebuggerAddress(const std::string& host, int port);

// Of commands of StrongLoop's that nothing here carries out.
inline constexpr const char* kNoPatch =
    "patch is not supported: it needs strong-agent, which rewrote functions that run; publish "
    "metrics from the app's code, or look where the time goes: slc ctl cpu-start";
inline constexpr const char* kNoTracing =
    "tracing is not supported: it needs StrongLoop's licensed tracer; use OpenTelemetry in the app "
    "(--node-args '--require ...'), or look where the time goes: slc ctl cpu-start";

}  // namespace slc
