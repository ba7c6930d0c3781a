#include "ctl/logs/show.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "ctl/logs/merge.h"
#include "ctl/logs/output.h"
#include "ctl/logs/pattern.h"
#include "ctl/logs/printer.h"
#include "ctl/logs/stream_reader.h"
#include "ctl/logs/watch.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kDefaultLines = 20;
// Lines of one stream that are merged at a time while following.
constexpr std::size_t kBatchLines = 10000;

class LogsCommand {
 public:
  LogsCommand(const LogsOptions& options, std::ostream& out, std::ostream& err)
      : options_(options),
        out_(out),
        err_(err),
        printer_(options.sources, {options.json, options.terminal}, out) {}

  int Run() {
    if (!options_.grep.empty()) {
      auto pattern = LinePattern::Compile(options_.grep);
      if (!pattern) return ReportFailure(pattern.error(), options_.json, out_, err_);
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
      const std::string& service = options_.sources[reader.source].service;
      return ReportFailure(started.error().During("cannot read the log of " + service),
                           options_.json, out_, err_);
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
      if (any) continue;
      Complain(err_, options_.sources[i].service +
                         (options_.errors_only ? " has not written anything to standard error yet"
                                               : " has not logged anything yet"));
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
    const LastLinesQuery query{count, options_.since,
                               [this](const LogLine& line) { return Matches(line); }};
    std::vector<std::vector<LogLine>> lists;
    std::size_t total = 0;
    for (Reader& reader : readers_) {
      lists.push_back(reader.lines.Last(query));
      total += lists.back().size();
    }
    return PrintMerged(lists, total > count ? total - count : 0);
  }

  // All but the first `surplus` lines.
  bool PrintMerged(std::vector<std::vector<LogLine>>& lists, std::size_t surplus) {
    std::vector<LogMerger::Source> sources;
    for (std::vector<LogLine>& list : lists) sources.push_back(GiveAway(list));
    return PrintFrom(LogMerger(std::move(sources)), surplus);
  }

  // Everything since the time asked for, one line of each stream in memory.
  bool PrintAll() {
    std::vector<LogMerger::Source> sources;
    for (Reader& reader : readers_) {
      sources.emplace_back([this, &reader](LogLine* line) {
        while (reader.lines.Next(line)) {
          if (line->latest >= options_.since && Matches(*line)) return true;
        }
        return false;
      });
    }
    return PrintFrom(LogMerger(std::move(sources)), 0);
  }

  bool PrintFrom(LogMerger merger, std::size_t surplus) {
    LogLine line;
    while (out_.good()) {
      const auto reader = merger.Next(&line);
      Warn();
      if (!reader) break;
      if (surplus > 0) {
        --surplus;
      } else {
        printer_.Print(readers_[*reader].source, line);
      }
    }
    return out_.good();
  }

  int Follow() {
    const Interruptible guard;
    std::vector<std::string> directories;
    for (const LogSource& source : options_.sources) directories.push_back(source.directory);
    LogWatch watch(std::move(directories));
    while (!guard.interrupted()) {
      // What was written before the watch began must not wait for the next event.
      if (!PrintNew(guard)) return WriteFailure(err_);
      if (guard.interrupted()) break;
      if (watch.Wait(options_.out_fd) == LogWatch::Outcome::kHungUp) break;
    }
    return 0;
  }

  bool PrintNew(const Interruptible& guard) {
    bool more = true;
    while (more && !guard.interrupted()) {
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
      if (!PrintMerged(lists, 0) || !Flushed(out_)) return false;
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

}  // namespace

int RunLogs(const LogsOptions& options, std::ostream& out, std::ostream& err) {
  const NoBrokenPipe guard;
  return LogsCommand(options, out, err).Run();
}

}  // namespace slc::ctl
