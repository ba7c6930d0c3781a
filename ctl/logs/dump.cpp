#include "ctl/logs/dump.h"

#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "ctl/json_output.h"
#include "ctl/logs/cursor.h"
#include "ctl/logs/output.h"
#include "ctl/logs/watch.h"
#include "ctl/output.h"

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
  // What is new of a service.
  struct Found {
    const LogSource& source;
    LogCursor cursor;
    LogCursor::New read;
  };

  int DumpAll() {
    const int code = options_.json ? DumpAsJson() : DumpAsText();
    first_ = false;
    return code;
  }

  // Nothing if nothing is.
  Result<std::optional<Found>> Find(const LogSource& source) {
    auto cursor = LogCursor::Open(source.directory, kPatience);
    if (!cursor && cursor.error().code == ErrorCode::kNotFound) {
      if (first_) Complain(err_, source.service + " has not logged anything yet");
      return std::optional<Found>();
    }
    auto read = cursor ? cursor->Read() : Result<LogCursor::New>(cursor.error());
    if (!read) return read.error().During("cannot dump the log of " + source.service);
    for (const std::string& warning : read->warnings) Complain(err_, warning);
    if (read->lines.empty()) return std::optional<Found>();
    return std::optional<Found>(Found{source, std::move(*cursor), std::move(*read)});
  }

  // False: what has been printed will be printed again.
  bool MoveOn(Found& found, std::size_t written) {
    const Status moved = found.cursor.MoveBehind(found.read, written);
    if (!moved) Complain(err_, "this will be dumped again: " + moved.error().message);
    return moved.ok();
  }

  // One service after the other: the next one fails for itself.
  int DumpAsText() {
    for (const LogSource& source : options_.sources) {
      auto found = Find(source);
      if (!found) return ReportFailure(found.error(), false, out_, err_);
      if (!*found) continue;
      const std::size_t written = Write(**found);
      const int code = written == (*found)->read.lines.size() ? kDone : WriteFailure(err_);
      if (!MoveOn(**found, written)) return kFailed;
      if (code != kDone || !out_.good()) return code;
    }
    return kDone;
  }

  // How many lines `out` has taken.
  std::size_t Write(const Found& found) {
    const std::vector<LogLine>& lines = found.read.lines;
    const std::string prefix =
        options_.sources.size() > 1 ? found.source.service + " | " : std::string();
    std::string piece;
    std::size_t written = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      piece += prefix;
      piece += options_.terminal ? Printable(lines[i].text) : lines[i].text;
      piece += '\n';
      const bool last = i + 1 == lines.size();
      if (!last && piece.size() + lines[i + 1].text.size() < kPiece) continue;
      out_ << piece;
      if (!Flushed(out_)) return written;
      written = i + 1;
      piece.clear();
    }
    return written;
  }

  // All services in one value, or an error and none of them.
  int DumpAsJson() {
    std::vector<Found> all;
    std::vector<DumpedLog> logs;
    for (const LogSource& source : options_.sources) {
      auto found = Find(source);
      if (!found) return ReportFailure(found.error(), true, out_, err_);
      if (!*found) continue;
      DumpedLog& dumped = logs.emplace_back(DumpedLog{source.service, {}});
      for (const LogLine& line : (*found)->read.lines) dumped.log += line.text + "\n";
      all.push_back(std::move(**found));
    }
    if (all.empty() && options_.follow) return kDone;
    out_ << LogDumpJson(logs);
    if (!Flushed(out_)) return WriteFailure(err_);
    bool moved = true;
    for (Found& found : all) moved = MoveOn(found, found.read.lines.size()) && moved;
    return moved ? kDone : kFailed;
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
