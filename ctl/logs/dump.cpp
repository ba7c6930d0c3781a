#include "ctl/logs/dump.h"

#include <ostream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "ctl/logs/cursor.h"
#include "ctl/logs/output.h"
#include "ctl/logs/watch.h"

namespace slc::ctl {
namespace {

// What a pipe takes whole; the cursor moves on in such steps.
constexpr std::size_t kPiece = 4096;
// For another dump at work.
constexpr Millis kPatience = 5000;

class LogDumpCommand {
 public:
  LogDumpCommand(const LogDumpOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}

  int Run() {
    if (!options_.follow) return DumpAll();
    const Interruptible guard;
    std::vector<std::string> directories;
    for (const LogSource& source : options_.sources) directories.push_back(source.directory);
    LogWatch watch(std::move(directories));
    while (!guard.interrupted()) {
      const int code = DumpAll();
      if (code != 0 || !out_.good() || guard.interrupted()) return code;
      if (watch.Wait(options_.out_fd) == LogWatch::Outcome::kHungUp) break;
    }
    return 0;
  }

 private:
  int DumpAll() {
    for (const LogSource& source : options_.sources) {
      const int code = Dump(source);
      if (code != 0 || !out_.good()) return code;
    }
    first_ = false;
    return 0;
  }

  int Dump(const LogSource& source) {
    auto cursor = LogCursor::Open(source.directory, kPatience);
    if (!cursor && cursor.error().code == ErrorCode::kNotFound) {
      if (first_) Complain(err_, source.service + " has not logged anything yet");
      return 0;
    }
    auto read = cursor ? cursor->Read() : Result<LogCursor::New>(cursor.error());
    if (!read) {
      Complain(err_, read.error().message);
      return 1;
    }
    for (const std::string& warning : read->warnings) Complain(err_, warning);
    if (read->lines.empty()) return 0;
    const std::size_t written = options_.json ? WriteJson(source, *read) : WriteText(source, *read);
    const int code = written == read->lines.size() ? 0 : WriteFailure(err_);
    const Status moved = cursor->MoveBehind(*read, written);
    if (moved) return code;
    Complain(err_, "this will be dumped again: " + moved.error().message);
    return 1;
  }

  // How many lines `out` has taken.
  std::size_t WriteText(const LogSource& source, const LogCursor::New& read) {
    const std::string prefix = options_.sources.size() > 1 ? source.service + " | " : std::string();
    std::string piece;
    std::size_t written = 0;
    for (std::size_t i = 0; i < read.lines.size(); ++i) {
      piece += prefix;
      piece += options_.terminal ? Printable(read.lines[i].text) : read.lines[i].text;
      piece += '\n';
      const bool last = i + 1 == read.lines.size();
      if (!last && piece.size() + read.lines[i + 1].text.size() < kPiece) continue;
      out_ << piece;
      if (!Flushed(out_)) return written;
      written = i + 1;
      piece.clear();
    }
    return written;
  }

  std::size_t WriteJson(const LogSource& source, const LogCursor::New& read) {
    std::string log;
    for (const LogLine& line : read.lines) log += line.text + "\n";
    nlohmann::ordered_json object;
    object["service"] = source.service;
    object["log"] = log;
    out_ << object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    return Flushed(out_) ? read.lines.size() : 0;
  }

  const LogDumpOptions& options_;
  std::ostream& out_;
  std::ostream& err_;
  bool first_ = true;
};

}  // namespace

int RunLogDump(const LogDumpOptions& options, std::ostream& out, std::ostream& err) {
  const NoBrokenPipe guard;
  return LogDumpCommand(options, out, err).Run();
}

}  // namespace slc::ctl
