// The report of a run, as text for people or as one JSON object. Pure.
//
// JSON, all times in ms unless the name says seconds; null where there was nothing to measure:
//   {"passed": bool,            the verdict, as the exit code
//    "started_ms": number,       CLOCK_BOOTTIME of the start
//    "elapsed_seconds": number,
//    "lanes": [{
//      "name", "url": string, "mode": "keepalive" | "close",
//      "connections": number,   at the same time, as the options say
//      "pace_per_second": number | null,  requests if answers took no time; null where only the
//                                         answers set the pace
//      "balanced": bool,        attempted == ok + failures.total; false would be a bug of ours
//      "attempted": number,     requests that became due
//      "sent": number,          of which at least one byte was handed to the kernel
//      "ok": number,
//      "failures": {"total", "refused", "reset", "cut", "fin_crossed", "timeout", "non200",
//                   "bad_body", "other": number},
//      "closed_between": number,  connections that the server closed while no request was
//      outstanding,
//                                 or with an answer that said `Connection: close`; no failure
//      "reset_between": number,   the same by RST; no failure
//      "connections_opened": number,
//      "connections_served": number,      of which a whole answer came
//      "connect_max_ms": number | null,   TCP and TLS handshake
//      "latency_ms": {"p50", "p90", "p99", "max": number | null},  of ok answers, first request
//      byte
//                                                                  written until last byte read
//      "slowest_at_ms": number | null,    end of the ok answer that took longest, since the start
//      "longest_gap_ms": number | null,   between two successive ok answers
//      "elapsed_seconds": number,
//      "requests_per_second": number,     ok answers
//      "workers": {VALUE OF x-worker: {"connections": number, "requests": number}, ...},
//      "first_failures": [{"at_ms": since the start, "connection_age_ms", "requests_on_connection":
//                          number, "kind": as above, "errno": number, "errno_text", "text":
//                          string}]
//    }]}
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/load/options.h"
#include "tests/bench/load/tally.h"

namespace slc::load {

struct LaneReport {
  const LaneOptions& options;
  const Tally& tally;
  Duration elapsed;
  Time start{};
};

struct RunReport {
  std::int64_t started_ms = 0;  // CLOCK_BOOTTIME
  Duration elapsed{0};
  std::vector<LaneReport> lanes;

  // No failure of any kind, every lane got an answer, the books balance. "0 failures" of a lane
  // that never got through to anything would be no proof.
  bool passed() const;
};

std::string HumanReport(const RunReport& run);
// Ends with a newline.
std::string JsonReport(const RunReport& run);

// `text` as a JSON string with its quotes. Bytes that are not ASCII become \u00XX.
std::string JsonString(std::string_view text);

}  // namespace slc::load
