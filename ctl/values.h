// What is typed as the value of an option or as an operand. All refuse with kUsage, saying how it
// is written.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc::ctl {

// kUsage, with that message.
Error Refusal(const std::string& message);

// "500ms", "30s", "2m": from `least` to a day.
Result<Millis> ToDuration(const std::string& text, Millis least);
// "10m" ago, or a time in UTC: wall time.
Result<Millis> ToWallTime(const std::string& text);
Result<std::uint16_t> ToPort(const std::string& text);
// "500k", "10M", "1G" or bytes: 64k at least, a T at most. `what` goes into the refusal: "size of a
// file".
Result<std::uint64_t> ToBytes(const std::string& text, const std::string& what);
// A number from `least` to `most`; `what` begins the refusal: "a number from 1 to 1000".
Result<std::int64_t> ToNumber(const std::string& text, std::int64_t least, std::int64_t most,
                              const std::string& what);

}  // namespace slc::ctl
