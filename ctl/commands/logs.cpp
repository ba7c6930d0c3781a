#include "ctl/commands/logs.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "ctl/logs/cursor.h"
#include "ctl/logs/merge.h"
#include "ctl/logs/pattern.h"
#include "ctl/logs/stream_reader.h"
#include "ctl/logs/watch.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kDefaultLines = 20;
// Lines of one stream that are merged at a time while following.
constexpr std::size_t kBatchLines = 10000;
// What a pipe takes whole; the cursor of log-dump moves on in such steps.
constexpr std::size_t kDumpPiece = 4096;
constexpr Millis kDumpPatience = 5000;

// Lock-free, so a handler may write it.
std::atomic<bool> interrupted = false;

// A signal's disposition for as long as this object lives.
class SignalGuard {
 public:
  SignalGuard(int number, void (*handler)(int), int flags) : number_(number) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(number, &action, &before_);
  }
  ~SignalGuard() { ::sigaction(number_, &before_, nullptr); }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

// A reader that goes away must be seen as EPIPE.
class NoBrokenPipe : SignalGuard {
 public:
  NoBrokenPipe() : SignalGuard(SIGPIPE, SIG_IGN, 0) {}
};

// The first Ctrl-C ends following in good order; a second one, in case something blocks, for good.
class Interruptible {
 public:
  Interruptible() : interrupt_(SIGINT, Note, flags_), terminate_(SIGTERM, Note, flags_) {
    interrupted = false;
  }

 private:
  static void Note(int) { interrupted = true; }
  // Not SA_RESTART: waiting is to end.
  static constexpr int flags_ = static_cast<int>(SA_RESETHAND);
  SignalGuard interrupt_;
  SignalGuard terminate_;
};

void Complain(std::ostream& err, const std::string& message) {
  err << "slc: " << Printable(message) << "\n";
}

// True as long as `out` takes what it is given.
bool Flushed(std::ostream& out) {
  if (!out.good()) return false;
  errno = 0;
  out.flush();
  return out.good();
}

// The exit code once `out` has failed.
int WriteFailure(std::ostream& err) {
  const int reason = errno;
  if (reason == EPIPE) return 0;
  Complain(err, reason == 0 ? "cannot write the output" : SystemError("write", reason).message);
  return 1;
}

// Several streams of several services, printed as one.
class LogPrinter {
 public:
  LogPrinter(const LogsOptions& options, std::ostream& out) : options_(options), out_(out) {
    if (options.sources.size() < 2) return;
    std::size_t width = 0;
    for (const LogSource& source : options.sources) width = std::max(width, source.service.size());
    for (const LogSource& source : options.sources) {
      prefixes_.push_back(source.service + std::string(width - source.service.size(), ' ') + " | ");
    }
  }

  void Print(std::size_t source, const LogLine& line) {
    if (options_.json) {
      out_ << Json(options_.sources[source].service, line) << '\n';
      return;
    }
    if (!prefixes_.empty()) out_ << prefixes_[source];
    if (options_.terminal) {
      out_ << Printable(line.text);
    } else {
      out_ << line.text;
    }
    out_ << '\n';
  }

 private:
  static std::string Json(const std::string& service, const LogLine& line) {
    const LogFields fields = ParseLogLine(line.text);
    nlohmann::ordered_json object;
    object["service"] = service;
    object["time"] = nullptr;
    object["pid"] = nullptr;
    object["worker"] = nullptr;
    if (fields.time) object["time"] = FormatIso(*fields.time);
    if (fields.pid) object["pid"] = *fields.pid;
    if (fields.worker) object["worker"] = *fields.worker;
    object["stream"] = Name(line.stream);
    object["text"] = fields.text;
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  const LogsOptions& options_;
  std::ostream& out_;
  std::vector<std::string> prefixes_;
};

class LogsCommand {
 public:
  LogsCommand(const LogsOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err), printer_(options, out) {}

  int Run() {
    if (!options_.grep.empty()) {
      auto pattern = LinePattern::Compile(options_.grep);
      if (!pattern) {
        Complain(err_, pattern.error().message);
        return 1;
      }
      pattern_.emplace(std::move(*pattern));
    }
    for (std::size_t i = 0; i < options_.sources.size(); ++i) {
      if (!options_.errors_only) AddReader(i, LogStream::kOut);
      AddReader(i, LogStream::kErr);
    }
    const bool all = !options_.lines && options_.since > 0;
    for (Reader& reader : readers_) {
      const Status started = all ? reader.lines.StartAt(options_.since) : reader.lines.StartAtEnd();
      if (started) continue;
      Complain(err_, started.error().message);
      return 1;
    }
    NameSilent();
    const bool printed = all ? PrintAll() : PrintLast(options_.lines.value_or(kDefaultLines));
    if (!printed || !Flushed(out_)) return WriteFailure(err_);
    return options_.follow ? Follow() : 0;
  }

 private:
  struct Reader {
    std::size_t source;
    LogStreamReader lines;
  };

  void AddReader(std::size_t source, LogStream stream) {
    readers_.push_back(Reader{source, LogStreamReader(options_.sources[source].directory, stream)});
  }

  void NameSilent() {
    for (std::size_t i = 0; i < options_.sources.size(); ++i) {
      const bool any = std::any_of(readers_.begin(), readers_.end(), [i](const Reader& reader) {
        return reader.source == i && reader.lines.exists();
      });
      if (!any) Complain(err_, options_.sources[i].service + " has not logged anything yet");
    }
  }

  void Warn() {
    for (Reader& reader : readers_) {
      for (const std::string& warning : reader.lines.TakeWarnings()) Complain(err_, warning);
    }
  }

  bool Matches(const LogLine& line) const { return !pattern_ || pattern_->Matches(line.text); }

  // The last lines there are.
  bool PrintLast(std::size_t count) {
    std::vector<std::vector<LogLine>> lists;
    std::vector<std::size_t> order;
    std::size_t total = 0;
    for (Reader& reader : readers_) {
      lists.push_back(reader.lines.Last(
          {count, options_.since, [this](const LogLine& line) { return Matches(line); }}));
      total += lists.back().size();
    }
    Warn();
    std::size_t surplus = total > count ? total - count : 0;
    return PrintMerged(lists, [&surplus] { return surplus == 0 || surplus-- == 0; });
  }

  template <typename Wanted>
  bool PrintMerged(const std::vector<std::vector<LogLine>>& lists, Wanted&& wanted) {
    std::vector<std::size_t> heads(lists.size(), 0);
    while (true) {
      std::size_t first = lists.size();
      for (std::size_t i = 0; i < lists.size(); ++i) {
        if (heads[i] == lists[i].size()) continue;
        if (first == lists.size() || lists[i][heads[i]].time < lists[first][heads[first]].time) {
          first = i;
        }
      }
      if (first == lists.size()) return out_.good();
      const LogLine& line = lists[first][heads[first]++];
      if (wanted()) printer_.Print(readers_[first].source, line);
      if (!out_.good()) return false;
    }
  }

  // Everything since the time asked for, one line of each stream in memory.
  bool PrintAll() {
    std::vector<std::optional<LogLine>> heads(readers_.size());
    for (std::size_t i = 0; i < readers_.size(); ++i) Advance(i, &heads[i]);
    while (true) {
      std::size_t first = heads.size();
      for (std::size_t i = 0; i < heads.size(); ++i) {
        if (!heads[i]) continue;
        if (first == heads.size() || heads[i]->time < heads[first]->time) first = i;
      }
      Warn();
      if (first == heads.size()) return out_.good();
      printer_.Print(readers_[first].source, *heads[first]);
      if (!out_.good()) return false;
      Advance(first, &heads[first]);
    }
  }

  void Advance(std::size_t reader, std::optional<LogLine>* head) {
    LogLine line;
    while (readers_[reader].lines.Next(&line)) {
      if (line.latest < options_.since || !Matches(line)) continue;
      *head = std::move(line);
      return;
    }
    head->reset();
  }

  int Follow() {
    const Interruptible guard;
    std::vector<std::string> directories;
    for (const LogSource& source : options_.sources) directories.push_back(source.directory);
    LogWatch watch(std::move(directories));
    while (!interrupted) {
      // What was written before the watch began must not wait for the next event.
      if (!PrintNew()) return WriteFailure(err_);
      if (interrupted) break;
      if (watch.Wait(options_.out_fd) == LogWatch::Outcome::kHungUp) break;
    }
    return 0;
  }

  bool PrintNew() {
    bool more = true;
    while (more && !interrupted) {
      more = false;
      std::vector<std::vector<LogLine>> lists(readers_.size());
      for (std::size_t i = 0; i < readers_.size(); ++i) {
        LogLine line;
        std::size_t count = 0;
        while (count < kBatchLines && readers_[i].lines.Next(&line)) {
          ++count;
          if (Matches(line)) lists[i].push_back(std::move(line));
        }
        more = more || count == kBatchLines;
      }
      Warn();
      if (!PrintMerged(lists, [] { return true; }) || !Flushed(out_)) return false;
    }
    return true;
  }

  const LogsOptions& options_;
  std::ostream& out_;
  std::ostream& err_;
  LogPrinter printer_;
  std::optional<LinePattern> pattern_;
  std::vector<Reader> readers_;
};

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
    while (!interrupted) {
      const int code = DumpAll();
      if (code != 0 || !out_.good() || interrupted) return code;
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
    auto cursor = LogCursor::Open(source.directory, kDumpPatience);
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
      if (!last && piece.size() + read.lines[i + 1].text.size() < kDumpPiece) continue;
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

int RunLogs(const LogsOptions& options, std::ostream& out, std::ostream& err) {
  const NoBrokenPipe guard;
  return LogsCommand(options, out, err).Run();
}

int RunLogDump(const LogDumpOptions& options, std::ostream& out, std::ostream& err) {
  const NoBrokenPipe guard;
  return LogDumpCommand(options, out, err).Run();
}

}  // namespace slc::ctl
