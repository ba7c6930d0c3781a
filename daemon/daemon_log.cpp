#include "daemon/daemon_log.h"

#include <utility>

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "daemon/log_file.h"

namespace slc {
namespace {

constexpr std::uint64_t kFileBytes = 1U << 20;
constexpr int kFiles = 4;
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

// spdlog's rotating file wants to be opened at once, tears lines when the disk gets full, and does
// not see that its file was removed.
class FileSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FileSink(const std::string& stem) : file_(stem, kFileBytes, kFiles) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const Status written = file_.Append({line.data(), line.size()});
    if (!written) throw spdlog::spdlog_ex(written.error().message);
  }
  void flush_() override {}

  LogFile file_;
};

spdlog::sink_ptr MakeSink(const std::string& directory, bool foreground) {
  if (foreground) return std::make_shared<spdlog::sinks::stderr_sink_st>();
  return std::make_shared<FileSink>(directory + "/slcd");
}

}  // namespace

DaemonLog::DaemonLog(uv::Loop& loop, const std::string& directory, bool foreground)
    : logger_(std::make_shared<spdlog::logger>("slcd", MakeSink(directory, foreground))),
      disk_(loop) {
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ pid:%P slcd %l %v", spdlog::pattern_time_type::utc);
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

// A full disk costs lines, not the daemon; how many is said in their place when there is room
// again.
void DaemonLog::Put(log::Level level, const std::string& line, Clock::time_point when) {
  if (const int failed = failed_; failed > 0) {
    logger_->log(when, spdlog::source_loc{}, spdlog::level::warn,
                 std::to_string(failed) + " lines could not be written: " + reason_);
    if (failed_ != failed) return;  // this line is one more of them
    failed_ = 0;
  }
  logger_->log(when, spdlog::source_loc{}, LevelOf(level), line);
}

}  // namespace slc
