#include "common/base/log.h"

#include <cstdio>
#include <utility>

namespace slc::log {
namespace {

Sink& TheSink() {
  static Sink sink;
  return sink;
}

void Write(Level level, const std::string& line) {
  if (TheSink()) {
    TheSink()(level, line);
    return;
  }
  std::fprintf(stderr, "%s %s\n", LevelName(level), line.c_str());
}

}  // namespace

void SetSink(Sink sink) { TheSink() = std::move(sink); }
void Debug(const std::string& line) { Write(Level::kDebug, line); }
void Info(const std::string& line) { Write(Level::kInfo, line); }
void Warn(const std::string& line) { Write(Level::kWarn, line); }
void Failure(const std::string& line) { Write(Level::kError, line); }

const char* LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO";
    case Level::kWarn:
      return "WARN";
    case Level::kError:
      return "ERROR";
  }
  return "ERROR";
}

}  // namespace slc::log
