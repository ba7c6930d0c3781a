// Names of log files: shared by the master, which writes them, and slc, which reads them.
//
//     out.log                            what is being written
//     out.log.20261122T171638.688Z       put aside at that moment (UTC)
//     out.log.20261122T171638.688Z.gz    the same, compressed. While both exist, both are whole
//     out.log.20261122T171638.688Z.gz.tmp   being compressed
//
// and the same with err.log. A file that was put aside keeps its name (no shifting of numbers), so
// a reader that listed the directory finds what it listed; sorted by name is sorted by age.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace slc {

enum class LogStream : std::uint8_t { kOut, kErr };

// "out", "err".
const char* Name(LogStream stream);

// "out.log", "err.log".
std::string CurrentLogName(LogStream stream);

// "20261122T171638.688Z".
std::string LogStamp(Millis wall);

struct RotatedLogName {
  LogStream stream = LogStream::kOut;
  std::string stamp;
  bool compressed = false;  // ends in .gz
  bool temporary = false;   // ends in .gz.tmp

  std::string FileName() const;
  // When the file was put aside: no line in it is younger. Wall time.
  Millis time() const;
};

// Nothing if `name` is not that of a log file that was put aside.
std::optional<RotatedLogName> ParseRotatedLogName(const std::string& name);

}  // namespace slc
