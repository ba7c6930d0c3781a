#include "daemon/daemon_log.h"

#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace slc {
namespace {

constexpr std::size_t kFileBytes = 1U << 20;
constexpr std::size_t kFiles = 3;
constexpr int kMostWaiting = 256;

spdlog::level::level_enum LevelOf(log::Level level) {
  switch (level) {
    case log::Level::kDebug:
      return spdlog::level::debug;
    case log::Level::kInfo:
      return spdlog::level::info;
    case log::Level::kWarn:
      return spdlog::level::warn;
    case log::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<std::unique_ptr<DaemonLog>> DaemonLog::Open(uv::Loop& loop, const std::string& directory,
                                                   bool foreground) {
  std::shared_ptr<spdlog::logger> logger;
  try {
    spdlog::sink_ptr sink;
    if (foreground) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(directory + "/slcd.log",
                                                                    kFileBytes, kFiles);
    }
    logger = std::make_shared<spdlog::logger>("slcd", sink);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ pid:%P slcd %l %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::debug);
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kStorage, error.what()};
  }
  return std::unique_ptr<DaemonLog>(new DaemonLog(loop, std::move(logger)));
}

DaemonLog::DaemonLog(uv::Loop& loop, std::shared_ptr<spdlog::logger> logger)
    : logger_(std::move(logger)), disk_(loop) {
  // Called by the disk thread, like everything that has to do with the file.
  logger_->set_error_handler([this](const std::string& reason) {
    ++failed_;
    reason_ = reason;
  });
}

DaemonLog::~DaemonLog() = default;

void DaemonLog::Write(log::Level level, const std::string& line) {
  if (waiting_ >= kMostWaiting) {
    ++dropped_;
    return;
  }
  const auto now = Clock::now();
  if (dropped_ > 0) {
    Queue(log::Level::kWarn,
          std::to_string(std::exchange(dropped_, 0)) + " lines dropped: the disk did not keep up",
          now);
  }
  Queue(level, line, now);
}

void DaemonLog::Queue(log::Level level, std::string line, Clock::time_point when) {
  ++waiting_;
  disk_.Run([this, level, line = std::move(line), when] { Put(level, line, when); },
            [this] { --waiting_; });
}

// A full disk costs lines, not the daemon; how many is said when there is room again.
void DaemonLog::Put(log::Level level, const std::string& line, Clock::time_point when) {
  const int failed = failed_;
  logger_->log(when, spdlog::source_loc{}, LevelOf(level), line);
  if (failed == 0 || failed_ != failed) return;
  failed_ = 0;
  logger_->log(when, spdlog::source_loc{}, spdlog::level::warn,
               std::to_string(failed) + " lines could not be written: " + reason_);
}

}  // namespace slc
