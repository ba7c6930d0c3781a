// Time. Decisions use Millis of CLOCK_BOOTTIME: it never jumps with the wall clock, counts suspend,
// and is the same in every process of one boot, so a deadline in a snapshot stays valid over a
// takeover. Wall time is only for people to read.
#pragma once

#include <cstdint>
#include <string>

namespace slc {

using Millis = std::int64_t;  // a point (CLOCK_BOOTTIME) or a span, in milliseconds

// Now on CLOCK_BOOTTIME.
Millis BootNow();

// Wall clock, milliseconds since 1970.
Millis WallNow();

// "2026-11-22T17:16:38.688Z".
std::string FormatIso(Millis wall);

// The inverse of FormatIso; also takes "2026-11-22", "2026-11-22T17:16" and with seconds, all UTC.
// -1 if `text` is none of these.
Millis ParseIso(const std::string& text);

// "850ms", "30s", "2m", "1h", "7d" or a plain number of milliseconds; -1 if `text` is none of these
// or does not fit. Used for every duration on the command line.
Millis ParseDuration(const std::string& text);

// "3.2 s", "4 min", "5 h", "12 d": two significant parts at most, for tables.
std::string FormatSpan(Millis span);

}  // namespace slc
