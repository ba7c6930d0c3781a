// Log: how a program speaks about itself. Each program sets one sink at start; common code and
// tests need not know which. Without a sink, lines go to stderr.
//
// Never call it with secrets: environment values are never logged.
#pragma once

#include <functional>
#include <string>

namespace slc::log {

enum class Level { kDebug, kInfo, kWarn, kError };

using Sink = std::function<void(Level, const std::string&)>;

void SetSink(Sink sink);
void Debug(const std::string& line);
void Info(const std::string& line);
void Warn(const std::string& line);
void Failure(const std::string& line);

// "INFO", "WARN", ...
const char* LevelName(Level level);

}  // namespace slc::log
