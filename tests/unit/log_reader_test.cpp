#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <limits>
#include <mutex>
#include <random>
#include <sstream>
#include <streambuf>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "ctl/logs/cursor.h"
#include "ctl/logs/dump.h"
#include "ctl/logs/merge.h"
#include "ctl/logs/pattern.h"
#include "ctl/logs/show.h"
#include "ctl/logs/stream_reader.h"
#include "daemon/master/log_files.h"
#include "tests/unit/log_test_support.h"

namespace slc::ctl {
namespace {

using testing::AppendText;
using testing::Exists;
using testing::FileNames;
using testing::ReadText;
using testing::TempDir;
using testing::WaitUntil;
using testing::WriteText;

using Lines = std::vector<std::string>;

constexpr Millis kMoment = 1795367798688;  // 2026-11-22T17:16:38.688Z
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

std::string Stamped(Millis after_moment, const std::string& text, int worker = 1) {
  return FormatIso(kMoment + after_moment) + " pid:100 worker:" + std::to_string(worker) + " " +
         text + "\n";
}

std::string RotatedName(LogStream stream, Millis after_moment) {
  return CurrentLogName(stream) + "." + LogStamp(kMoment + after_moment);
}

void Compress(const std::string& path) { REQUIRE(std::system(("gzip " + path).c_str()) == 0); }

// What RunLogs prints.
struct Printed {
  int code = 0;
  std::string out;
  std::string err;
};
Printed Logs(const LogsOptions& options) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunLogs(options, out, err);
  return Printed{code, out.str(), err.str()};
}
Printed Dump(const std::string& directory) {
  LogDumpOptions options;
  options.sources = {{"app", directory}};
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunLogDump(options, out, err);
  return Printed{code, out.str(), err.str()};
}
LogsOptions Of(const std::string& directory) {
  LogsOptions options;
  options.sources = {{"app", directory}};
  return options;
}

Lines Texts(const std::string& printed) {
  Lines texts;
  for (const std::string& line : Split(printed, '\n')) {
    if (!line.empty()) texts.push_back(ParseLogLine(line).text);
  }
  return texts;
}

TEST_CASE("fields of lines in all formats") {
  const LogFields text = ParseLogLine("2026-11-22T17:16:38.688Z pid:27466 worker:3 some  text ");
  CHECK(text.time == kMoment);
  CHECK(text.pid == 27466);
  CHECK(text.worker == 3U);
  CHECK(text.text == "some  text ");
  const LogFields json = ParseLogLine(
      R"({"time":"2026-11-22T17:16:38.688Z","pid":5,"worker":0,"stream":"err","text":"a\"b"})");
  CHECK(json.time == kMoment);
  CHECK(json.pid == 5);
  CHECK(json.worker == 0U);
  CHECK(json.text == "a\"b");
  for (const char* raw :
       {"", "plain", "2026-11-22T17:16:38.688Z", "2026-11-22T17:16:38.688Z pid:x worker:1 y",
        R"({"time":"2026-11-22T17:16:38.688Z")", "2026-99-22T17:16:38.688Z pid:1 worker:1 x"}) {
    const LogFields fields = ParseLogLine(raw);
    CHECK(!fields.time);
    CHECK(!fields.pid);
    CHECK(fields.text == raw);
  }
  StampParser stamps;
  CHECK(stamps.Parse("2026-11-22T17:16:38.688Z x") == kMoment);
  CHECK(stamps.Parse("2026-11-22T17:17:38.688Z x") == kMoment + 60000);
  CHECK(stamps.Parse("2026-11-22T17:17:38.688Zx") == -1);
}

TEST_CASE("history is merged by time over streams and files, compressed or not") {
  TempDir home;
  WriteText(home / RotatedName(LogStream::kOut, 20), Stamped(0, "out 0") + Stamped(15, "out 15"));
  Compress(home / RotatedName(LogStream::kOut, 20));
  WriteText(home / RotatedName(LogStream::kOut, 40), Stamped(25, "out 25") + Stamped(35, "out 35"));
  WriteText(home / "out.log", Stamped(50, "out 50") + Stamped(70, "out 70"));
  WriteText(home / RotatedName(LogStream::kErr, 45), Stamped(10, "err 10") + Stamped(30, "err 30"));
  WriteText(home / "err.log", Stamped(60, "err 60") + "    at stack\n" + Stamped(70, "err 70"));
  // Files that are none of ours.
  WriteText(home / "out.log.1", "strange\n");
  WriteText(home / (RotatedName(LogStream::kErr, 45) + ".gz.tmp"), "half");
  const Lines all{"out 0",  "err 10", "out 15",       "out 25", "err 30", "out 35",
                  "out 50", "err 60", "    at stack", "out 70", "err 70"};
  CHECK(Texts(Logs(Of(home.path())).out) == all);

  for (std::size_t count = 0; count <= 12; ++count) {
    LogsOptions last = Of(home.path());
    last.lines = count;
    const std::size_t expected = std::min(count, all.size());
    CHECK(Texts(Logs(last).out) ==
          Lines(all.end() - static_cast<std::ptrdiff_t>(expected), all.end()));
  }
  for (const Millis since : {0, 1, 15, 16, 20, 21, 40, 41, 61, 71}) {
    LogsOptions options = Of(home.path());
    options.since = kMoment + since;
    Lines expected;
    for (const std::string& text : all) {
      const bool trace = text == "    at stack";
      if (std::atoi(text.c_str() + 4) >= since || (trace && since <= 60)) expected.push_back(text);
    }
    CHECK(Texts(Logs(options).out) == expected);
    // The same with a number of lines, which reads from the end.
    options.lines = 100;
    CHECK(Texts(Logs(options).out) == expected);
    options.lines = 2;
    const std::size_t left = std::min<std::size_t>(2, expected.size());
    CHECK(Texts(Logs(options).out) ==
          Lines(expected.end() - static_cast<std::ptrdiff_t>(left), expected.end()));
  }
  LogsOptions errors = Of(home.path());
  errors.errors_only = true;
  CHECK(Texts(Logs(errors).out) == Lines{"err 10", "err 30", "err 60", "    at stack", "err 70"});
  // A file and its compressed self, as they are for a moment, count once.
  WriteText(home / RotatedName(LogStream::kOut, 20), Stamped(0, "out 0") + Stamped(15, "out 15"));
  CHECK(Texts(Logs(Of(home.path())).out) == all);
}

TEST_CASE("twenty lines unless asked otherwise, and lines within a stream keep their order") {
  TempDir home;
  std::string text;
  for (int i = 0; i < 100; ++i) text += Stamped(0, std::to_string(i));
  WriteText(home / "out.log", text);
  const Lines printed = Texts(Logs(Of(home.path())).out);
  REQUIRE(printed.size() == 20);
  CHECK(printed.front() == "80");
  CHECK(printed.back() == "99");
}

TEST_CASE("the clock going back does not change the order of a stream") {
  TempDir home;
  WriteText(home / "out.log", Stamped(100, "a") + Stamped(0, "b") + Stamped(200, "c"));
  CHECK(Texts(Logs(Of(home.path())).out) == Lines{"a", "b", "c"});
}

TEST_CASE("several services have their names in front") {
  TempDir home;
  ::mkdir((home / "a").c_str(), 0700);
  ::mkdir((home / "long").c_str(), 0700);
  WriteText(home / "a/out.log", Stamped(10, "from a"));
  WriteText(home / "long/err.log", Stamped(5, "from long"));
  LogsOptions options;
  options.sources = {{"a", home / "a"}, {"long", home / "long"}, {"none", home / "none"}};
  const Printed printed = Logs(options);
  CHECK(printed.code == 0);
  const Lines lines = Split(printed.out, '\n');
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] + "\n" == "long | " + Stamped(5, "from long"));
  CHECK(StartsWith(lines[1], "a    | 2026"));
  CHECK(printed.err == "slc: none has not logged anything yet\n");
}

TEST_CASE("a pattern filters, a bad one is refused") {
  TempDir home;
  std::string text;
  for (int i = 0; i < 50; ++i) {
    text +=
        Stamped(i, "GET /page " + std::to_string(i) + (i % 10 == 0 ? " [500]" : " [200]"), i % 2);
  }
  WriteText(home / "out.log", text);
  LogsOptions options = Of(home.path());
  options.grep = R"(\[5\d\d\])";
  CHECK(Texts(Logs(options).out).size() == 5);
  options.lines = 2;
  CHECK(Texts(Logs(options).out) == Lines{"GET /page 30 [500]", "GET /page 40 [500]"});
  options.grep = "page 7";
  CHECK(Texts(Logs(options).out) == Lines{"GET /page 7 [200]"});
  options.grep = "worker:1 GET.*page 1[0-3]";
  options.lines = 10;
  CHECK(Texts(Logs(options).out).size() == 2);
  for (const char* bad : {"(", ")(", "a{2", "[z-a]", "*", "(a)\\1"}) {
    options.grep = bad;
    const Printed refused = Logs(options);
    CHECK(refused.code == 1);
    CHECK(refused.out.empty());
    CHECK(StartsWith(refused.err, std::string("slc: '") + bad + "' is not a regular expression: "));
  }
}

TEST_CASE("expressions mean what they mean elsewhere") {
  const auto matches = [](const std::string& expression, const std::string& line) {
    auto pattern = LinePattern::Compile(expression);
    REQUIRE(pattern);
    return pattern->Matches(line);
  };
  CHECK(matches("a+b", "xxaaab"));
  CHECK(matches("ab*c", "ac"));
  CHECK(matches("ab?c", "ac"));
  CHECK(matches("ab{0,2}c", "ac"));
  CHECK(!matches("ab{1,2}c", "ac"));
  CHECK(matches("^start", "start of it"));
  CHECK(!matches("^start", "the start"));
  CHECK(matches("end$", "the end"));
  CHECK(!matches("end$", "the end."));
  CHECK(matches("a.c", "xabcx"));
  CHECK(matches("1\\.2", "v1.2"));
  CHECK(!matches("1\\.2", "v1x2"));
  CHECK(matches("[]x]y|z", "z"));
  CHECK(matches("[a\\]]k", "]k"));
  CHECK(matches("\\bword\\b", "a word here"));
  CHECK(!matches("\\bword\\b", "swordfish"));
  CHECK(matches("\\x41B", "AB"));
  CHECK(matches("colou?r \\w+", "color red"));
  CHECK(matches("(GET|POST) /", "POST /"));
  CHECK(matches("gr\xc3\xbc\xc3\x9f.", "gr\xc3\xbc\xc3\x9f!"));
  CHECK(!matches("plain text", "plain  text"));
}

TEST_CASE("a pattern that would take a backtracking matcher for ever is quick on a long line") {
  auto pattern = LinePattern::Compile("(a*)*b");
  REQUIRE(pattern);
  const Millis start = BootNow();
  CHECK(!pattern->Matches(std::string(98304, 'a')));
  CHECK(pattern->Matches(std::string(98304, 'a') + "b"));
  CHECK(BootNow() - start < 20000);
}

TEST_CASE("JSON output is one object per line whatever is in the files") {
  TempDir home;
  WriteText(
      home / "out.log",
      Stamped(0, "text") +
          R"({"time":"2026-11-22T17:16:39.000Z","pid":7,"worker":2,"stream":"out","text":"j\u0007"})" +
          "\nraw \xff\x7f\xc2\x9b\n");
  LogsOptions options = Of(home.path());
  options.json = true;
  const Lines lines = Split(Logs(options).out, '\n');
  REQUIRE(lines.size() == 4);
  CHECK(
      lines[0] ==
      R"({"service":"app","time":"2026-11-22T17:16:38.688Z","pid":100,"worker":1,"stream":"out","text":"text"})");
  CHECK(
      lines[1] ==
      R"({"service":"app","time":"2026-11-22T17:16:39.000Z","pid":7,"worker":2,"stream":"out","text":"j\u0007"})");
  CHECK(lines[2] ==
        "{\"service\":\"app\",\"time\":null,\"pid\":null,\"worker\":null,\"stream\":\"out\","
        "\"text\":\"raw \xef\xbf\xbd\\u007f\\u009b\"}");
}

TEST_CASE("a terminal gets no control bytes, a file gets them as they are") {
  TempDir home;
  WriteText(home / "out.log", Stamped(0, "\x1b[2J\x07"));
  LogsOptions options = Of(home.path());
  CHECK(Logs(options).out.find("\x1b[2J\x07") != std::string::npos);
  options.terminal = true;
  const std::string shown = Logs(options).out;
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find("\\x1b[2J\\x07") != std::string::npos);
}

TEST_CASE("raw files are read one after the other, and since a time as far as the files tell") {
  TempDir home;
  WriteText(home / RotatedName(LogStream::kOut, 20), "old 1\nold 2\n");
  WriteText(home / "out.log", "new 1\nnew 2\n");
  CHECK(Texts(Logs(Of(home.path())).out) == Lines{"old 1", "old 2", "new 1", "new 2"});
  LogsOptions options = Of(home.path());
  options.since = WallNow() - 60000;
  // What was put aside before is older. (The moment of this test is in the future of no clock.)
  WriteText(home / RotatedName(LogStream::kErr, -kMoment + 1000), "ancient\n");
  const Lines recent = Texts(Logs(options).out);
  CHECK(std::find(recent.begin(), recent.end(), "ancient") == recent.end());
  CHECK(std::find(recent.begin(), recent.end(), "new 2") != recent.end());
}

TEST_CASE("the last lines of a large file are found without reading all of it") {
  TempDir home;
  std::string text;
  for (int i = 0; i < 150000; ++i)
    text += Stamped(i, "some text to fill the line " + std::to_string(i));
  WriteText(home / "out.log", text);
  const auto bytes_read = [] {
    const std::string io = ReadText("/proc/self/io");
    return std::strtoull(io.c_str() + io.find("rchar: ") + 7, nullptr, 10);
  };
  const auto before = bytes_read();
  const Lines printed = Texts(Logs(Of(home.path())).out);
  CHECK(bytes_read() - before < 600000);
  REQUIRE(printed.size() == 20);
  CHECK(printed.back() == "some text to fill the line 149999");
}

TEST_CASE("no log yet is no failure, an unreadable place is") {
  TempDir home;
  const Printed none = Logs(Of(home / "nothing"));
  CHECK(none.code == 0);
  CHECK(none.out.empty());
  CHECK(none.err == "slc: app has not logged anything yet\n");
  WriteText(home / "file", "");
  CHECK(Logs(Of(home / "file")).code == 1);
  // A link where the file should be is named and not followed.
  WriteText(home / "secret", Stamped(0, "secret"));
  CHECK(::symlink((home / "secret").c_str(), (home / "out.log").c_str()) == 0);
  const Printed linked = Logs(Of(home.path()));
  CHECK(linked.out.empty());
  CHECK(linked.err.find("out.log") != std::string::npos);
}

TEST_CASE("a damaged compressed file is named and the rest is shown") {
  TempDir home;
  WriteText(home / (RotatedName(LogStream::kOut, 20) + ".gz"), "this is no gzip file, not at all");
  WriteText(home / "out.log", Stamped(30, "fine"));
  const Printed printed = Logs(Of(home.path()));
  CHECK(printed.code == 0);
  CHECK(Texts(printed.out) == Lines{"fine"});
  CHECK(printed.err.find(RotatedName(LogStream::kOut, 20) + ".gz is damaged") != std::string::npos);
}

// --- Reading on ---

bool AppendAll(LogFiles& files, const std::string& text) {
  std::size_t offset = 0;
  return files.Append(LogStream::kOut, text, &offset).ok();
}

TEST_CASE(
    "random histories: a reader sees every line once, in order, over files put aside and "
    "compressed") {
  std::mt19937 random(5);
  for (int round = 0; round < 9; ++round) {
    TempDir home;
    LogFiles files(home.path());
    files.SetLimits(3000, 1000);
    if (round % 3 == 0) files.SetGzip("/nonexistent");
    LogStreamReader reader(home.path(), LogStream::kOut);
    REQUIRE(reader.StartAt(0).ok());
    int produced = 0;
    int seen = 0;
    LogLine line;
    for (int step = 0; step < 60; ++step) {
      std::string block;
      for (auto i = random() % 30; i > 0; --i) {
        block += Stamped(produced, std::to_string(produced) + std::string(random() % 200, '.'));
        ++produced;
      }
      if (!block.empty()) REQUIRE(AppendAll(files, block));
      files.Tend();
      if (random() % 8 == 0) {
        WaitUntil([&] {
          files.Tend();
          return files.gzip_fd() < 0;
        });
      }
      if (random() % 3 != 0) continue;
      for (auto count = random() % 200; count > 0 && reader.Next(&line); --count) {
        REQUIRE(std::atoi(ParseLogLine(line.text).text.c_str()) == seen);
        ++seen;
      }
    }
    while (reader.Next(&line)) {
      REQUIRE(std::atoi(ParseLogLine(line.text).text.c_str()) == seen);
      ++seen;
    }
    CHECK(seen == produced);
    CHECK(reader.TakeWarnings().empty());
  }
}

TEST_CASE(
    "random histories: dumps give every line once, in order, over files put aside and compressed") {
  std::mt19937 random(6);
  for (int round = 0; round < 6; ++round) {
    TempDir home;
    LogFiles files(home.path());
    files.SetLimits(3000, 1000);
    int produced = 0;
    int seen = 0;
    const auto dump = [&] {
      const Printed printed = Dump(home.path());
      REQUIRE(printed.code == 0);
      for (const std::string& text : Texts(printed.out)) {
        REQUIRE(std::atoi(text.c_str()) == seen);
        ++seen;
      }
    };
    for (int step = 0; step < 30; ++step) {
      std::string block;
      for (auto i = random() % 30; i > 0; --i) {
        block += Stamped(produced, std::to_string(produced) + std::string(random() % 200, '.'));
        ++produced;
      }
      if (!block.empty()) REQUIRE(AppendAll(files, block));
      files.Tend();
      if (random() % 4 == 0) {
        WaitUntil([&] {
          files.Tend();
          return files.gzip_fd() < 0;
        });
      }
      if (random() % 3 == 0) dump();
    }
    dump();
    CHECK(seen == produced);
  }
}

TEST_CASE("a half-written line waits for its end") {
  TempDir home;
  AppendText(home / "out.log", "one\ntw");
  LogStreamReader reader(home.path(), LogStream::kOut);
  REQUIRE(reader.StartAt(0).ok());
  LogLine line;
  REQUIRE(reader.Next(&line));
  CHECK(line.text == "one");
  CHECK(!reader.Next(&line));
  AppendText(home / "out.log", "o\n");
  REQUIRE(reader.Next(&line));
  CHECK(line.text == "two");
  // Of a file that is complete it is taken as it is.
  AppendText(home / "out.log", "cut");
  CHECK(!reader.Next(&line));
  ::rename((home / "out.log").c_str(), (home / RotatedName(LogStream::kOut, 1)).c_str());
  REQUIRE(reader.Next(&line));
  CHECK(line.text == "cut");
  CHECK(!reader.Next(&line));
}

TEST_CASE("reading goes on in new files after deletion, emptying and a new directory") {
  TempDir home;
  const std::string directory = home / "logs";
  LogStreamReader reader(directory, LogStream::kOut);
  REQUIRE(reader.StartAtEnd().ok());
  LogLine line;
  CHECK(!reader.Next(&line));
  const auto next = [&] { return reader.Next(&line) ? line.text : std::string("(none)"); };
  ::mkdir(directory.c_str(), 0700);
  CHECK(next() == "(none)");
  AppendText(directory + "/out.log", "one\n");
  CHECK(next() == "one");
  ::unlink((directory + "/out.log").c_str());
  CHECK(next() == "(none)");
  AppendText(directory + "/out.log", "two\nsecond\n");
  CHECK(next() == "two");
  CHECK(next() == "second");
  CHECK(::truncate((directory + "/out.log").c_str(), 0) == 0);
  CHECK(next() == "(none)");
  AppendText(directory + "/out.log", "three\n");
  CHECK(next() == "three");
  CHECK(RemoveTreeAt(AT_FDCWD, directory).ok());
  CHECK(next() == "(none)");
  ::mkdir(directory.c_str(), 0700);
  AppendText(directory + "/" + RotatedName(LogStream::kOut, 1), "four\n");
  AppendText(directory + "/out.log", "five\n");
  CHECK(next() == "four");
  CHECK(next() == "five");
  CHECK(next() == "(none)");
}

// `slc logs -f` in a thread, its output in a pipe.
class PipeBuffer : public std::streambuf {
 public:
  explicit PipeBuffer(int fd) : fd_(fd) {}

 protected:
  int_type overflow(int_type c) override {
    const char byte = static_cast<char>(c);
    return ::write(fd_, &byte, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    return WriteAll(fd_, {bytes, static_cast<std::size_t>(count)}) ? count : 0;
  }

 private:
  int fd_;
};

class Following {
 public:
  explicit Following(LogsOptions options) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
    options.follow = true;
    options.out_fd = writer_.get();
    thread_ = std::thread([this, options] {
      PipeBuffer buffer(writer_.get());
      std::ostream out(&buffer);
      std::ostringstream err;
      code = RunLogs(options, out, err);
      over = true;
    });
  }
  ~Following() {
    Hang();
    thread_.join();
  }
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

  // Waits until the last line printed is this one.
  bool Shows(const std::string& last) {
    return WaitUntil([&] {
      char bytes[65536];
      ssize_t got = 0;
      while ((got = ::read(reader_.get(), bytes, sizeof bytes)) > 0) {
        printed.append(bytes, static_cast<std::size_t>(got));
      }
      return EndsWith(printed, last + "\n");
    });
  }
  // The reader of the output goes away.
  void Hang() { reader_.reset(); }

  std::string printed;
  std::atomic<bool> over = false;
  std::atomic<int> code = -1;

 private:
  UniqueFd reader_;
  UniqueFd writer_;
  std::thread thread_;
};

TEST_CASE(
    "following shows what comes, over rotation, deletion and emptying, and ends with its reader") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "before"));
  Following follow(Of(home.path()));
  CHECK(follow.Shows("before"));
  // Far quicker than by looking once a second.
  const Millis start = BootNow();
  for (const char* text : {"one", "quick", "quicker", "still", "last"}) {
    AppendText(home / "out.log", Stamped(1, text));
    CHECK(follow.Shows(text));
  }
  CHECK(BootNow() - start < 3000);
  // Several files put aside at a time, one of them compressed at once.
  ::rename((home / "out.log").c_str(), (home / RotatedName(LogStream::kOut, 2)).c_str());
  AppendText(home / "out.log", Stamped(3, "two"));
  ::rename((home / "out.log").c_str(), (home / RotatedName(LogStream::kOut, 4)).c_str());
  Compress(home / RotatedName(LogStream::kOut, 4));
  AppendText(home / "out.log", Stamped(5, "three"));
  CHECK(follow.Shows("three"));
  AppendText(home / "err.log", Stamped(6, "four"));
  CHECK(follow.Shows("four"));
  ::unlink((home / "out.log").c_str());
  AppendText(home / "out.log", Stamped(7, "five"));
  CHECK(follow.Shows("five"));
  CHECK(::truncate((home / "out.log").c_str(), 0) == 0);
  // It has to be seen empty: what is as long again cannot be told from what was there.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  AppendText(home / "out.log", Stamped(8, "six"));
  CHECK(follow.Shows("six"));
  CHECK(Texts(follow.printed) == Lines{"before", "one", "quick", "quicker", "still", "last", "two",
                                       "three", "four", "five", "six"});
  follow.Hang();
  CHECK(WaitUntil([&] { return follow.over.load(); }, 3));
  CHECK(follow.code == 0);
}

TEST_CASE("following waits for a directory that is not there yet, and one that is replaced") {
  TempDir home;
  const std::string directory = home / "logs/app";
  Following follow(Of(directory));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(MakeDirectories(directory).ok());
  AppendText(directory + "/out.log", Stamped(0, "first"));
  CHECK(follow.Shows("first"));
  ::rename(directory.c_str(), (home / "away").c_str());
  ::mkdir(directory.c_str(), 0700);
  AppendText(directory + "/out.log", Stamped(1, "second"));
  CHECK(follow.Shows("second"));
  AppendText(directory + "/out.log", Stamped(2, "third"));
  CHECK(follow.Shows("third"));
}

TEST_CASE("Ctrl-C ends following with 0") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "before"));
  struct sigaction before {};
  ::sigaction(SIGINT, nullptr, &before);
  Following follow(Of(home.path()));
  CHECK(follow.Shows("before"));
  const auto ours = [&before] {
    struct sigaction action {};
    ::sigaction(SIGINT, nullptr, &action);
    return action.sa_handler == before.sa_handler;
  };
  CHECK(WaitUntil([&] { return !ours(); }));
  ::kill(::getpid(), SIGINT);
  CHECK(WaitUntil([&] { return follow.over.load(); }, 3));
  CHECK(follow.code == 0);
  // Whoever had the signal before has it again.
  CHECK(ours());
}

TEST_CASE("following nothing uses no processor time to speak of") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "before"));
  Following follow(Of(home.path()));
  CHECK(follow.Shows("before"));
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000 < 20000);
}

TEST_CASE("a reader that goes away is no failure, a full disk is") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "text"));
  const auto run = [&](int fd) {
    PipeBuffer buffer(fd);
    std::ostream out(&buffer);
    std::ostringstream err;
    const int code = RunLogs(Of(home.path()), out, err);
    return Printed{code, "", err.str()};
  };
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::close(ends[0]);
  const Printed gone = run(ends[1]);
  ::close(ends[1]);
  CHECK(gone.code == 0);
  CHECK(gone.err.empty());
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Printed failed = run(full.get());
  CHECK(failed.code == 1);
  CHECK(failed.err == "slc: cannot write to standard output: No space left on device\n");
}

// --- log-dump ---

TEST_CASE("a dump gives what came since the last one, of both streams") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "one"));
  AppendText(home / "err.log", Stamped(1, "two"));
  CHECK(Texts(Dump(home.path()).out) == Lines{"one", "two"});
  CHECK(Dump(home.path()).out.empty());
  AppendText(home / "err.log", Stamped(2, "three"));
  AppendText(home / "out.log", Stamped(3, "four"));
  CHECK(Texts(Dump(home.path()).out) == Lines{"three", "four"});
  ::unlink((home / "out.log").c_str());
  AppendText(home / "out.log", Stamped(4, "five"));
  CHECK(Texts(Dump(home.path()).out) == Lines{"five"});
  CHECK(::truncate((home / "out.log").c_str(), 0) == 0);
  AppendText(home / "out.log", Stamped(5, "six!"));
  CHECK(Texts(Dump(home.path()).out) == Lines{"six!"});
  CHECK(Dump(home.path()).out.empty());
  struct stat info {};
  REQUIRE(::stat((home / "dump.cursor").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a dump is at most the last MiB, in whole lines") {
  TempDir home;
  std::string text;
  for (int i = 0; i < 30000; ++i) text += Stamped(i, std::to_string(i) + std::string(50, 'x'));
  AppendText(home / RotatedName(LogStream::kOut, 30000), text.substr(0, text.size() / 2));
  AppendText(home / "out.log", text.substr(text.size() / 2));
  const Printed printed = Dump(home.path());
  CHECK(printed.out.size() <= kMostDumped);
  CHECK(printed.out.size() > kMostDumped - 200);
  CHECK(EndsWith(text, printed.out));
  CHECK(StartsWith(printed.out, "2026-"));
  CHECK(Dump(home.path()).out.empty());
  // Of both streams together.
  AppendText(home / "out.log", text);
  AppendText(home / "err.log", text);
  CHECK(Dump(home.path()).out.size() <= kMostDumped);
  CHECK(Dump(home.path()).out.empty());
}

TEST_CASE("lines that a dump had no room for do not come later, behind younger ones") {
  TempDir home;
  std::string few;
  for (int i = 0; i < 60; ++i) few += Stamped(i, "few " + std::to_string(i));
  std::string many;
  for (int i = 0; i < 30000; ++i) many += Stamped(100 + i, "many " + std::to_string(i));
  REQUIRE(many.size() > kMostDumped);
  for (const auto& [cut, filling] :
       {std::pair(LogStream::kErr, LogStream::kOut), std::pair(LogStream::kOut, LogStream::kErr)}) {
    // All of one stream is cut, and then none of it: the cursor moves behind what is printed too.
    AppendText(home / CurrentLogName(cut), few);
    AppendText(home / CurrentLogName(filling), many);
    CHECK(EndsWith(many, Dump(home.path()).out));
    CHECK(Dump(home.path()).out.empty());
    AppendText(home / CurrentLogName(cut), Stamped(50000, "new"));
    CHECK(Texts(Dump(home.path()).out) == Lines{"new"});
  }
}

TEST_CASE("a cursor moves behind what was cut only with what was printed") {
  TempDir home;
  AppendText(home / "err.log", Stamped(0, "cut"));
  std::string many;
  for (int i = 0; i < 30000; ++i) many += Stamped(100 + i, "many " + std::to_string(i));
  AppendText(home / "out.log", many);
  AppendText(home / "err.log", Stamped(50000, "last"));
  const auto read_and_move = [&](std::size_t count) {
    auto cursor = LogCursor::Open(home.path(), 0);
    REQUIRE(cursor);
    const auto read = cursor->Read();
    REQUIRE(read);
    CHECK(cursor->MoveBehind(*read, count).ok());
    return read->lines;
  };
  const std::size_t all = read_and_move(0).size();
  // Nothing was printed: all of it comes again.
  CHECK(read_and_move(all - 2).size() == all);
  const std::vector<LogLine> rest = read_and_move(0);
  REQUIRE(rest.size() == 2);
  CHECK(EndsWith(rest[0].text, "many 29999"));
  CHECK(EndsWith(rest[1].text, "last"));
}

TEST_CASE("what could not be written is dumped again") {
  TempDir home;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += Stamped(i, std::to_string(i));
  AppendText(home / "out.log", text);
  // A reader that takes some of it and goes away.
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  std::string taken;
  std::thread reader([&] {
    char bytes[4096];
    for (int i = 0; i < 10; ++i) {
      const ssize_t got = ::read(ends[0], bytes, sizeof bytes);
      taken.append(bytes, static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
  });
  ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  LogDumpOptions options;
  options.sources = {{"app", home.path()}};
  {
    PipeBuffer buffer(ends[1]);
    std::ostream out(&buffer);
    std::ostringstream err;
    CHECK(RunLogDump(options, out, err) == 0);
    CHECK(err.str().empty());
  }
  reader.join();
  ::close(ends[1]);
  CHECK(taken.size() < text.size() / 2);
  const std::string again = Dump(home.path()).out;
  // It goes on at a line, not behind what was taken but for what was in the pipe.
  CHECK(EndsWith(text, again));
  CHECK(again.size() + taken.size() + 3 * 4096 >= text.size());
  CHECK(again.size() < text.size());
}

TEST_CASE("a damaged cursor starts anew and says so") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "one"));
  Dump(home.path());
  WriteText(home / "dump.cursor", "nonsense");
  const Printed printed = Dump(home.path());
  CHECK(Texts(printed.out) == Lines{"one"});
  CHECK(printed.err.find("dump.cursor is damaged") != std::string::npos);
  CHECK(Dump(home.path()).out.empty());
}

TEST_CASE("a cursor comes back from its file as it went in, and nothing else does") {
  std::array<LogPosition, 2> positions;
  positions[0] = LogPosition{"20261122T171638.688Z", 12345, 1ULL << 40, 256, 0xdeadbeef};
  const std::string text = FormatCursor(positions);
  REQUIRE(ParseCursor(text));
  CHECK(*ParseCursor(text) == positions);
  for (std::size_t cut = 0; cut < text.size(); ++cut) CHECK(!ParseCursor(text.substr(0, cut)));
  CHECK(!ParseCursor(text + "x"));
}

TEST_CASE("two dumps at once do not give the same lines") {
  TempDir home;
  AppendText(home / "out.log", Stamped(0, "one"));
  {
    auto first = LogCursor::Open(home.path(), 0);
    REQUIRE(first);
    const auto second = LogCursor::Open(home.path(), 50);
    REQUIRE(!second);
    CHECK(second.error().code == ErrorCode::kConflict);
  }
  CHECK(LogCursor::Open(home.path(), 0).ok());
}

TEST_CASE("a dump without a log is empty") {
  TempDir home;
  const Printed none = Dump(home / "nothing");
  CHECK(none.code == 0);
  CHECK(none.out.empty());
}

TEST_CASE("in JSON a dump is one value, however many services there are and whatever happens") {
  TempDir home;
  LogDumpOptions options;
  options.sources = {{"app", home / "app"}, {"web", home / "web"}};
  options.json = true;
  const auto dump = [&options](int code) {
    std::ostringstream out;
    std::ostringstream err;
    CHECK(RunLogDump(options, out, err) == code);
    const Lines lines = Split(out.str(), '\n');
    REQUIRE(lines.size() == 2);
    return lines[0];
  };
  CHECK(dump(0) == R"({"logs":[],"ok":true})");
  REQUIRE(::mkdir((home / "app").c_str(), 0700) == 0);
  REQUIRE(::mkdir((home / "web").c_str(), 0700) == 0);
  AppendText(home / "app/out.log", "one \x7f\n");
  AppendText(home / "web/err.log", "two\n");
  CHECK(
      dump(0) ==
      R"({"logs":[{"log":"one \u007f\n","service":"app"},{"log":"two\n","service":"web"}],"ok":true})");
  CHECK(dump(0) == R"({"logs":[],"ok":true})");
  // One that fails: nothing counts as dumped.
  AppendText(home / "app/out.log", "three\n");
  options.sources.push_back({"odd", home / "app/out.log"});
  const auto failed = nlohmann::json::parse(dump(1));
  CHECK(failed["ok"] == false);
  CHECK(failed["error"]["message"].get<std::string>().find("of odd: ") != std::string::npos);
  options.sources.pop_back();
  CHECK(dump(0) == R"({"logs":[{"log":"three\n","service":"app"}],"ok":true})");
}

TEST_CASE("in JSON a dump that could not be written comes again") {
  TempDir home;
  AppendText(home / "out.log", "one\n");
  LogDumpOptions options;
  options.sources = {{"app", home.path()}};
  options.json = true;
  std::ostringstream err;
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  PipeBuffer buffer(full.get());
  std::ostream disk(&buffer);
  CHECK(RunLogDump(options, disk, err) == 1);
  std::ostringstream out;
  CHECK(RunLogDump(options, out, err) == 0);
  CHECK(out.str() == "{\"logs\":[{\"log\":\"one\\n\",\"service\":\"app\"}],\"ok\":true}\n");
}

TEST_CASE("logs that cannot be read are named, in JSON on standard output") {
  TempDir home;
  WriteText(home / "file", "");
  LogsOptions options;
  options.sources = {{"odd", home / "file"}};
  Printed printed = Logs(options);
  CHECK(printed.code == 1);
  CHECK(printed.out.empty());
  CHECK(printed.err == "slc: cannot read the log of odd: open directory " + home.path() +
                           "/file: Not a directory\n");
  options.json = true;
  printed = Logs(options);
  CHECK(printed.code == 1);
  CHECK(printed.err.empty());
  const auto error = nlohmann::json::parse(printed.out);
  CHECK(error["ok"] == false);
  CHECK(error["error"]["code"] == "system");
}

TEST_CASE("a service that wrote only to standard output is not said to be silent") {
  TempDir home;
  WriteText(home / "out.log", Stamped(0, "text"));
  LogsOptions options = Of(home.path());
  options.errors_only = true;
  CHECK(Logs(options).err == "slc: app has not written anything to standard error yet\n");
}

}  // namespace
}  // namespace slc::ctl
