#include "daemon/master/log_writer.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/log_files.h"
#include "daemon/master/log_pump.h"
#include "tests/unit/log_test_support.h"

namespace slc {
namespace {

using testing::AppendText;
using testing::Exists;
using testing::FileNames;
using testing::ReadText;
using testing::TempDir;
using testing::WaitUntil;
using testing::WholeStream;
using testing::WriteText;

// "000000 xxxx\n000001 xxxx\n...": `count` lines of `size` bytes with their ends.
std::string Numbered(int first, int count, std::size_t size = 100) {
  std::string text;
  for (int i = first; i < first + count; ++i) {
    std::string line = std::to_string(1000000 + i) + " ";
    line.resize(size - 1, 'x');
    text += line + "\n";
  }
  return text;
}

bool AppendAll(LogFiles& files, LogStream stream, const std::string& text) {
  std::size_t offset = 0;
  return files.Append(stream, text, &offset).ok() && offset == text.size();
}

std::size_t CountLines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// --- LogFiles ---

TEST_CASE("the log directory is made private, and nothing is made before the first line") {
  TempDir home;
  const std::string directory = home / "logs/app";
  LogFiles files(directory);
  CHECK(!Exists(home / "logs"));
  CHECK(AppendAll(files, LogStream::kErr, "one\n"));
  struct stat info {};
  REQUIRE(::stat(directory.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  REQUIRE(::stat((directory + "/err.log").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(FileNames(directory) == std::vector<std::string>{"err.log"});
}

TEST_CASE("files are put aside at their limit, compressed, and hold all lines in order") {
  TempDir home;
  LogFiles files(home.path());
  files.SetLimits(20000, 100);
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string block = Numbered(i * 7, 7, 100 + static_cast<std::size_t>(i));
    all += block;
    REQUIRE(AppendAll(files, LogStream::kOut, block));
    files.Tend();
  }
  CHECK(WaitUntil([&] {
    files.Tend();
    return files.gzip_fd() < 0;
  }));
  std::size_t compressed = 0;
  for (const std::string& name : FileNames(home.path())) {
    if (name == "out.log") continue;
    const auto parsed = ParseRotatedLogName(name);
    REQUIRE(parsed);
    CHECK(parsed->compressed);
    CHECK(!parsed->temporary);
    ++compressed;
    const std::string text = testing::RunForOutput("gzip -dc " + home.path() + "/" + name);
    CHECK(text.size() <= 20000);
    CHECK(text.size() > 18000);
    CHECK(text.back() == '\n');
  }
  CHECK(compressed >= 13);
  CHECK(WholeStream(home.path(), LogStream::kOut) == all);
}

TEST_CASE("a line larger than a file's limit gets a file of its own") {
  TempDir home;
  LogFiles files(home.path());
  files.SetLimits(50, 100);
  CHECK(AppendAll(files, LogStream::kOut, "small\n" + Numbered(0, 1, 200) + "small\n"));
  CHECK(FileNames(home.path()).size() >= 3);
  CHECK(WholeStream(home.path(), LogStream::kOut) == "small\n" + Numbered(0, 1, 200) + "small\n");
}

TEST_CASE("there are never more files than the limit, and stdout does not push stderr's out") {
  TempDir home;
  LogFiles files(home.path());
  files.SetLimits(1000, 6);
  CHECK(AppendAll(files, LogStream::kErr, Numbered(0, 30)));
  for (int i = 0; i < 20; ++i) {
    REQUIRE(AppendAll(files, LogStream::kOut, Numbered(i * 10, 10)));
    const auto names = FileNames(home.path());
    // One more may be on its way from gzip.
    CHECK(std::count_if(names.begin(), names.end(),
                        [](const auto& name) { return !EndsWith(name, ".tmp"); }) <= 6);
  }
  // The last lines are there, and stderr has kept half of the places.
  CHECK(EndsWith(WholeStream(home.path(), LogStream::kOut), Numbered(180, 20)));
  CHECK(CountLines(WholeStream(home.path(), LogStream::kErr)) >= 20);
}

TEST_CASE("names sort by age even when files fill within one millisecond") {
  TempDir home;
  LogFiles files(home.path());
  files.SetLimits(100, 1000);
  CHECK(AppendAll(files, LogStream::kOut, Numbered(0, 300)));
  CHECK(WholeStream(home.path(), LogStream::kOut) == Numbered(0, 300));
  // A file put aside by a clock that was ahead is older all the same.
  TempDir other;
  WriteText(other / "out.log.20991231T235959.999Z", "first\n");
  LogFiles later(other.path());
  later.SetLimits(5, 1000);
  CHECK(AppendAll(later, LogStream::kOut, "second\nthird\n"));
  CHECK(WholeStream(other.path(), LogStream::kOut) == "first\nsecond\nthird\n");
}

TEST_CASE("a deleted or moved file is made anew") {
  TempDir home;
  LogFiles files(home.path());
  CHECK(AppendAll(files, LogStream::kOut, "one\n"));
  ::unlink((home / "out.log").c_str());
  CHECK(AppendAll(files, LogStream::kOut, "two\n"));
  CHECK(ReadText(home / "out.log") == "two\n");
  ::rename((home / "out.log").c_str(), (home / "out.log.1").c_str());
  CHECK(AppendAll(files, LogStream::kOut, "three\n"));
  CHECK(ReadText(home / "out.log") == "three\n");
  CHECK(ReadText(home / "out.log.1") == "two\n");
}

TEST_CASE("a removed or replaced directory is made anew") {
  TempDir home;
  const std::string directory = home / "logs/app";
  LogFiles files(directory);
  CHECK(AppendAll(files, LogStream::kOut, "one\n"));
  CHECK(RemoveTreeAt(AT_FDCWD, home / "logs").ok());
  CHECK(AppendAll(files, LogStream::kOut, "two\n"));
  CHECK(ReadText(directory + "/out.log") == "two\n");
  ::rename((home / "logs").c_str(), (home / "old").c_str());
  CHECK(AppendAll(files, LogStream::kOut, "three\n"));
  CHECK(ReadText(directory + "/out.log") == "three\n");
  CHECK(ReadText(home / "old/app/out.log") == "two\n");
}

TEST_CASE("the rest of a line goes on from its beginning when the file has vanished") {
  TempDir home;
  LogFiles files(home.path());
  CHECK(AppendAll(files, LogStream::kOut, "one\n"));
  ::unlink((home / "out.log").c_str());
  // As if the disk had taken half of the second line before.
  const std::string block = "first\nsecond\nthird\n";
  std::size_t offset = 9;
  CHECK(files.Append(LogStream::kOut, block, &offset).ok());
  CHECK(ReadText(home / "out.log") == "second\nthird\n");
}

TEST_CASE("half a line left by a killed process is ended") {
  TempDir home;
  WriteText(home / "out.log", "whole\nhal");
  LogFiles files(home.path());
  CHECK(AppendAll(files, LogStream::kOut, "next\n"));
  CHECK(ReadText(home / "out.log") == "whole\nhal\nnext\n");
}

TEST_CASE("a symbolic link, a pipe or a directory in place of the file is refused") {
  TempDir home;
  WriteText(home / "victim", "");
  CHECK(::symlink((home / "victim").c_str(), (home / "out.log").c_str()) == 0);
  LogFiles files(home.path());
  std::size_t offset = 0;
  const Status refused = files.Append(LogStream::kOut, "text\n", &offset);
  REQUIRE(!refused);
  CHECK(refused.error().message.find("out.log") != std::string::npos);
  CHECK(ReadText(home / "victim").empty());
  ::unlink((home / "out.log").c_str());
  CHECK(::mkfifo((home / "out.log").c_str(), 0600) == 0);
  CHECK(!files.Append(LogStream::kOut, "text\n", &offset));
  ::unlink((home / "out.log").c_str());
  CHECK(::mkdir((home / "out.log").c_str(), 0700) == 0);
  CHECK(!files.Append(LogStream::kOut, "text\n", &offset));
  ::rmdir((home / "out.log").c_str());
  CHECK(offset == 0);
  CHECK(files.Append(LogStream::kOut, "text\n", &offset).ok());
}

TEST_CASE("without gzip old files stay as they are, which is said once") {
  TempDir home;
  LogFiles files(home.path());
  files.SetLimits(1000, 10);
  files.SetGzip("/nonexistent/gzip");
  CHECK(AppendAll(files, LogStream::kOut, Numbered(0, 50)));
  CHECK(files.TakeNote().find("no gzip") != std::string::npos);
  CHECK(AppendAll(files, LogStream::kOut, Numbered(50, 20)));
  CHECK(files.TakeNote().empty());
  CHECK(WholeStream(home.path(), LogStream::kOut) == Numbered(0, 70));
  for (const std::string& name : FileNames(home.path()))
    CHECK(name.find(".gz") == std::string::npos);
}

TEST_CASE("what a failing gzip leaves is thrown away and the file is kept") {
  TempDir home;
  // The first says it was successful and was not, the second says so.
  for (const char* program : {"/bin/true", "/bin/false"}) {
    const std::string directory = home / std::string(program).substr(5);
    LogFiles files(directory);
    files.SetLimits(1000, 10);
    files.SetGzip(program);
    CHECK(AppendAll(files, LogStream::kOut, Numbered(0, 15)));
    CHECK(WaitUntil([&] {
      files.Tend();
      return files.gzip_fd() < 0;
    }));
    CHECK(FileNames(directory).size() == 2);
    CHECK(WholeStream(directory, LogStream::kOut) == Numbered(0, 15));
  }
}

TEST_CASE("what a killed process was compressing is compressed by the next one") {
  TempDir home;
  WriteText(home / "out.log.20261122T171638.688Z", "old\n");
  WriteText(home / "out.log.20261122T171638.688Z.gz.tmp", "half a file");
  LogFiles files(home.path());
  CHECK(AppendAll(files, LogStream::kOut, "new\n"));
  CHECK(WaitUntil([&] {
    files.Tend();
    return files.gzip_fd() < 0;
  }));
  CHECK(FileNames(home.path()) ==
        std::vector<std::string>{"out.log", "out.log.20261122T171638.688Z.gz"});
  CHECK(WholeStream(home.path(), LogStream::kOut) == "old\nnew\n");
}

TEST_CASE("names of log files are told from others") {
  CHECK(ParseRotatedLogName("out.log.20261122T171638.688Z"));
  CHECK(ParseRotatedLogName("err.log.20261122T171638.688Z.gz")->compressed);
  CHECK(ParseRotatedLogName("err.log.20261122T171638.688Z.gz.tmp")->temporary);
  CHECK(ParseRotatedLogName("err.log.20261122T171638.688Z")->time() == 1795367798688);
  for (const char* other : {"out.log", "out.log.1", "out.log.20261122T171638.688", "x.log.1.gz",
                            "out.log.20269922T171638.688Z", "out.log.20261122T171638.688Z.tmp"}) {
    CHECK(!ParseRotatedLogName(other));
  }
}

// --- A disk of our own ---

class SmallDisk {
 public:
  // tmpfs of so many KiB.
  explicit SmallDisk(int kib) {
    const std::string options = "mode=0700,size=" + std::to_string(kib) + "k";
    mounted_ = ::mount("slc-test", home_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
    if (!mounted_) MESSAGE("skipped: mounting is not permitted here");
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(home_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  explicit operator bool() const { return mounted_; }
  const std::string& path() const { return home_.path(); }
  std::string operator/(const std::string& name) const { return home_ / name; }
  bool Remount(unsigned long flags) const {
    return ::mount("slc-test", home_.path().c_str(), "tmpfs", MS_REMOUNT | flags, "") == 0;
  }

 private:
  TempDir home_;
  bool mounted_ = false;
};

TEST_CASE("a full disk takes what it has room for, and the rest later without a gap") {
  SmallDisk disk(64);
  if (!disk) return;
  LogFiles files(disk / "logs");
  CHECK(AppendAll(files, LogStream::kOut, "first\n"));
  WriteText(disk / "ballast", std::string(40000, 'x'));
  const std::string block = Numbered(0, 500);
  std::size_t offset = 0;
  const Status full = files.Append(LogStream::kOut, block, &offset);
  REQUIRE(!full);
  CHECK(full.error().message.find("No space left") != std::string::npos);
  CHECK(offset > 0);
  CHECK(offset < block.size());
  ::unlink((disk / "ballast").c_str());
  CHECK(files.Append(LogStream::kOut, block, &offset).ok());
  CHECK(ReadText(disk / "logs/out.log") == "first\n" + block);
}

// --- LogWriter ---

// How many writers' threads there are.
int Threads() {
  int count = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(tasks)) {
    const std::string name = std::string("/proc/self/task/") + entry->d_name + "/comm";
    count += ReadText(name) == "slc-log\n" ? 1 : 0;
  }
  ::closedir(tasks);
  return count;
}

bool PushLine(LogWriter& writer, const std::string& text) {
  LogWriter::Access queue(writer);
  const LineHead head(LogFormat::kRaw, LogStream::kOut, 0, 1, 1);
  if (queue->Push(head, text)) return true;
  queue->Drop(head);
  return false;
}

bool AllWritten(const LogWriter& writer) {
  const LogWriter::Counts counts = writer.counts();
  return counts.produced == counts.written + counts.dropped;
}

TEST_CASE("there is no thread before the first line and none after the end") {
  TempDir home;
  const int before = Threads();
  {
    LogWriter writer(home.path(), LogSettings{}, nullptr);
    CHECK(Threads() == before);
    CHECK(PushLine(writer, "hello"));
    CHECK(Threads() == before + 1);
    CHECK(WaitUntil([&] { return AllWritten(writer); }));
    CHECK(ReadText(home / "out.log") == "hello\n");
  }
  // A thread that was joined stays in /proc for a moment.
  CHECK(WaitUntil([&] { return Threads() == before; }));
}

TEST_CASE("what was handed in is in the files when the writer has stopped") {
  TempDir home;
  std::string all;
  {
    LogWriter writer(home.path(), LogSettings{}, nullptr);
    for (int i = 0; i < 2000; ++i) {
      all += "line " + std::to_string(i) + "\n";
      CHECK(PushLine(writer, "line " + std::to_string(i)));
    }
    writer.Stop(5000);
    CHECK(writer.counts().written == 2000);
    CHECK(writer.counts().dropped == 0);
  }
  CHECK(ReadText(home / "out.log") == all);
}

// Checks raw lines "N ..." of a file with gaps: nothing is missing that no gap tells of, in order.
void CheckNumbersWithGaps(const std::string& text, std::uint64_t produced, std::uint64_t dropped) {
  std::uint64_t next = 0;
  std::uint64_t reported = 0;
  for (const std::string& line : Split(text, '\n')) {
    if (StartsWith(line, "[slc: ")) {
      const auto count = std::strtoull(line.c_str() + 6, nullptr, 10);
      next += count;
      reported += count;
    } else if (!line.empty() && line[0] >= '0' && line[0] <= '9') {
      REQUIRE(std::strtoull(line.c_str(), nullptr, 10) == next);
      ++next;
    }
  }
  CHECK(next == produced);
  CHECK(reported == dropped);
}

TEST_CASE("a full disk costs counted lines, and writing goes on within a second of its end") {
  SmallDisk disk(256);
  if (!disk) return;
  LogSettings raw;
  raw.format = LogFormat::kRaw;
  LogWriter writer(disk / "logs", raw, nullptr);
  std::uint64_t next = 0;
  const auto push = [&](int count) {
    for (int i = 0; i < count; ++i) {
      std::string line = std::to_string(next++) + " ";
      line.resize(200, 'x');
      PushLine(writer, line);
    }
  };
  push(100);
  CHECK(WaitUntil([&] { return AllWritten(writer); }));
  WriteText(disk / "ballast", std::string(150000, 'x'));
  push(20000);
  CHECK(WaitUntil([&] { return !writer.trouble().empty(); }));
  CHECK(writer.trouble().find("No space left") != std::string::npos);
  CHECK(writer.counts().dropped > 10000);
  // A bigger disk, since all that waits has to go into it.
  REQUIRE(::mount("slc-test", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m") == 0);
  const Millis freed = BootNow();
  CHECK(WaitUntil([&] { return writer.trouble().empty(); }));
  CHECK(BootNow() - freed <= 1000);
  push(10);
  CHECK(WaitUntil([&] { return AllWritten(writer); }));
  writer.Stop(5000);
  const std::string text = ReadText(disk / "logs/out.log");
  CHECK(text.find("WARN log files could not be written for") != std::string::npos);
  CHECK(text.find("No space left on device") != std::string::npos);
  CheckNumbersWithGaps(text, next, writer.counts().dropped);
}

TEST_CASE("a read-only disk is waited for, and the writer does not spin meanwhile") {
  SmallDisk disk(1024);
  if (!disk) return;
  LogWriter writer(disk / "logs", LogSettings{}, nullptr);
  CHECK(PushLine(writer, "0"));
  CHECK(WaitUntil([&] { return AllWritten(writer); }));
  // The file is open for writing, which forbids making its file system read-only; a directory that
  // is gone has to be made anew, which a read-only one refuses.
  CHECK(RemoveTreeAt(AT_FDCWD, disk / "logs").ok());
  CHECK(PushLine(writer, "1"));
  CHECK(WaitUntil([&] { return AllWritten(writer); }));
  writer.Stop(1000);
  REQUIRE(disk.Remount(MS_RDONLY));
  LogWriter other(disk / "logs2", LogSettings{}, nullptr);
  CHECK(PushLine(other, "2"));
  CHECK(WaitUntil([&] { return !other.trouble().empty(); }));
  CHECK(other.trouble().find("Read-only") != std::string::npos);
  timespec cpu_before{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_before);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  timespec cpu_after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_after);
  const auto used = (cpu_after.tv_sec - cpu_before.tv_sec) * 1000000 +
                    (cpu_after.tv_nsec - cpu_before.tv_nsec) / 1000;
  CHECK(used < 20000);
  REQUIRE(disk.Remount(0));
  CHECK(WaitUntil([&] { return AllWritten(other); }, 2));
  CHECK(StartsWith(ReadText(disk / "logs2/out.log"), "2\n"));
}

TEST_CASE("stopping while the disk refuses ends in time and counts what is lost") {
  SmallDisk disk(64);
  if (!disk) return;
  LogWriter writer(disk / "logs", LogSettings{}, nullptr);
  std::string line(1000, 'x');
  for (int i = 0; i < 500; ++i) PushLine(writer, line);
  CHECK(WaitUntil([&] { return !writer.trouble().empty(); }));
  const Millis start = BootNow();
  writer.Stop(300);
  CHECK(BootNow() - start < 1000);
  const LogWriter::Counts counts = writer.counts();
  CHECK(counts.produced == 500);
  CHECK(counts.written + counts.dropped == 500);
  CHECK(counts.written == CountLines(ReadText(disk / "logs/out.log")));
}

// --- LogPump ---

class PumpFixture {
 public:
  explicit PumpFixture(const std::string& directory, LogSettings settings = {})
      : pump(loop, directory, std::move(settings)), timer_(loop, [this] { Look(); }) {}

  // Turns the loop until the condition holds; false if it does not in time.
  bool RunUntil(std::function<bool()> condition, int seconds = 20) {
    condition_ = std::move(condition);
    deadline_ = BootNow() + Millis{seconds} * 1000;
    timer_.StartIn(0);
    loop.Run();
    return !late_;
  }
  bool RunUntilIdle() {
    return RunUntil([this] { return pump.idle(); });
  }

  uv::Loop loop;
  LogPump pump;

 private:
  void Look() {
    late_ = BootNow() > deadline_;
    if (late_ || condition_()) {
      loop.Stop();
    } else {
      timer_.StartIn(2);
    }
  }

  std::function<bool()> condition_;
  Millis deadline_ = 0;
  bool late_ = false;
  uv::Timer timer_;
};

struct PipePair {
  PipePair() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  void Print(const std::string& text) const { REQUIRE(WriteAll(writer.get(), text).ok()); }

  UniqueFd reader;
  UniqueFd writer;
};

TEST_CASE("what two workers print is in the right files with their names") {
  TempDir home;
  PumpFixture fixture(home.path());
  PipePair out1;
  PipePair err1;
  PipePair out2;
  fixture.pump.Add(1, 101, out1.reader.get(), err1.reader.get());
  fixture.pump.Add(2, 102, out2.reader.get(), -1);
  out1.Print("hello\nwor");
  err1.Print("trouble\n");
  out2.Print("second\n");
  out1.Print("ld\n");
  fixture.pump.Say(log::Level::kInfo, "supervisor starting");
  const auto has = [&](const std::string& file, const std::string& part) {
    return ReadText(home / file).find(part) != std::string::npos;
  };
  CHECK(fixture.RunUntil([&] {
    return has("out.log", " pid:101 worker:1 hello\n") &&
           has("out.log", " pid:101 worker:1 world\n") &&
           has("out.log", " pid:102 worker:2 second\n") &&
           has("err.log", " pid:101 worker:1 trouble\n");
  }));
  CHECK(has("out.log",
            " pid:" + std::to_string(::getpid()) + " worker:0 INFO supervisor starting\n"));
  CHECK(CountLines(ReadText(home / "out.log")) == 4);
  CHECK(CountLines(ReadText(home / "err.log")) == 1);
  CHECK(fixture.pump.dropped() == 0);
  fixture.pump.FlushAndStop(1000);
}

TEST_CASE("removing a worker takes what is in its pipes and its last words without an end") {
  TempDir home;
  LogSettings raw;
  raw.format = LogFormat::kRaw;
  PumpFixture fixture(home.path(), raw);
  {
    PipePair out;
    PipePair err;
    fixture.pump.Add(7, 107, out.reader.get(), err.reader.get());
    out.Print(Numbered(0, 300) + "no end");
    err.Print("fatal: ");
    err.Print("it broke");
    // The other end is still open, as with a grandchild that lives on.
    fixture.pump.Remove(7);
  }
  CHECK(fixture.RunUntilIdle());
  CHECK(ReadText(home / "out.log") == Numbered(0, 300) + "no end\n");
  CHECK(ReadText(home / "err.log") == "fatal: it broke\n");
  const std::vector<std::string> tail = fixture.pump.Tail(7);
  REQUIRE(tail.size() == 20);
  CHECK(tail.back() == "fatal: it broke");
  CHECK(tail[18] == "no end");
  fixture.pump.ForgetTail(7);
  CHECK(fixture.pump.Tail(7).empty());
  fixture.pump.Remove(7);
  fixture.pump.Remove(8);
}

TEST_CASE("a worker that has closed its output is no longer watched, and its last line is there") {
  TempDir home;
  PumpFixture fixture(home.path());
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  out.Print("bye");
  out.writer.reset();
  CHECK(fixture.RunUntil(
      [&] { return ReadText(home / "out.log").find("worker:1 bye\n") != std::string::npos; }));
  // A pipe without a writer is readable for ever: the loop must not turn for it.
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  const Millis start = BootNow();
  CHECK(fixture.RunUntil([&] { return BootNow() - start > 300; }));
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000 <
        100000);
  fixture.pump.Remove(1);
}

TEST_CASE("the tail holds 20 lines and 8 KiB at most, of both streams, until it is forgotten") {
  TempDir home;
  PumpFixture fixture(home.path());
  PipePair out;
  PipePair err;
  fixture.pump.Add(1, 1, out.reader.get(), err.reader.get());
  out.Print(Numbered(0, 500));
  CHECK(fixture.RunUntil([&] { return fixture.pump.Tail(1).size() == 20; }));
  err.Print("Error: no\n    at x\n");
  CHECK(fixture.RunUntil([&] { return fixture.pump.Tail(1).back() == "    at x"; }));
  std::vector<std::string> tail = fixture.pump.Tail(1);
  CHECK(tail.size() == 20);
  CHECK(tail[18] == "Error: no");
  CHECK(StartsWith(tail[17], "1000499 "));
  CHECK(StartsWith(tail[0], "1000482 "));
  err.Print(std::string(5000, 'a') + "\n" + std::string(5000, 'b') + "\n");
  CHECK(fixture.RunUntil([&] { return fixture.pump.Tail(1).back()[0] == 'b'; }));
  CHECK(fixture.pump.Tail(1).size() == 1);
  fixture.pump.ForgetTail(1);
  err.Print("later\n");
  CHECK(fixture.RunUntil(
      [&] { return ReadText(home / "err.log").find("later") != std::string::npos; }));
  CHECK(fixture.pump.Tail(1).empty());
  fixture.pump.Remove(1);
}

TEST_CASE("a new generation's format and limits hold from then on") {
  TempDir home;
  PumpFixture fixture(home.path());
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  out.Print("text\n");
  CHECK(fixture.RunUntil([&] { return CountLines(ReadText(home / "out.log")) == 1; }));
  LogSettings json;
  json.format = LogFormat::kJson;
  json.file_bytes = 1000;
  fixture.pump.SetSettings(json);
  out.Print("json\n");
  CHECK(fixture.RunUntil([&] {
    return ReadText(home / "out.log").find("\"stream\":\"out\",\"text\":\"json\"}\n") !=
           std::string::npos;
  }));
  out.Print(Numbered(0, 20));
  CHECK(fixture.RunUntil([&] { return FileNames(home.path()).size() > 2; }));
  fixture.pump.Remove(1);
}

// Prints numbered raw lines as fast as it can, in a thread of its own.
std::thread Flood(int fd, int lines, std::size_t size = 100) {
  return std::thread([fd, lines, size] {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      std::string line = std::to_string(i) + " ";
      line.resize(size - 1, 'x');
      text += line + "\n";
      if (text.size() < 4096 && i + 1 < lines) continue;
      if (!WriteAll(fd, text)) return;
      text.clear();
    }
  });
}

TEST_CASE("a flood goes through whole, in order and over many files") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.file_bytes = 2U << 20;
  settings.files = 100;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  constexpr int kLines = 300000;
  std::atomic<bool> over = false;
  std::thread flood([&] {
    Flood(out.writer.get(), kLines).join();
    over = true;
  });
  CHECK(fixture.RunUntil([&] { return over.load(); }, 60));
  flood.join();
  fixture.pump.Remove(1);
  out.reader.reset();
  CHECK(fixture.RunUntilIdle());
  const std::uint64_t dropped = fixture.pump.dropped();
  // A busy machine may starve the writer's thread; the count has to be right all the same.
  if (dropped > 0) MESSAGE("lines dropped: " << dropped);
  CheckNumbersWithGaps(WholeStream(home.path(), LogStream::kOut), kLines, dropped);
}

TEST_CASE("a full disk does not stop a worker, and all of its lines are accounted for") {
  SmallDisk disk(512);
  if (!disk) return;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  PumpFixture fixture(disk / "logs", settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  constexpr int kLines = 400000;
  std::atomic<bool> over = false;
  const Millis start = BootNow();
  std::thread flood([&] {
    Flood(out.writer.get(), kLines).join();
    over = true;
  });
  CHECK(fixture.RunUntil([&] { return over.load(); }, 60));
  const Millis took = BootNow() - start;
  flood.join();
  CHECK(took < 10000);
  CHECK(!fixture.pump.trouble().empty());
  REQUIRE(::mount("slc-test", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0);
  fixture.pump.Remove(1);
  CHECK(fixture.RunUntilIdle());
  CHECK(fixture.pump.trouble().empty());
  CHECK(fixture.pump.dropped() > 200000);
  CheckNumbersWithGaps(WholeStream(disk / "logs", LogStream::kOut), kLines, fixture.pump.dropped());
}

// ext4 in a file, which can be frozen: then everything that writes to it hangs.
class FreezableDisk {
 public:
  FreezableDisk() {
    const std::string image = home_ / "image";
    ::mkdir((home_ / "disk").c_str(), 0700);
    WriteText(image, "");
    ready_ = ::truncate(image.c_str(), 8 << 20) == 0 &&
             std::system(("/sbin/mkfs.ext4 -q " + image + " >/dev/null 2>&1 && mount -o loop " +
                          image + " " + path() + " >/dev/null 2>&1")
                             .c_str()) == 0;
    if (!ready_) {
      MESSAGE("skipped: a loop mount is not permitted here");
      return;
    }
    directory_.reset(::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~FreezableDisk() {
    if (!ready_) return;
    Thaw();
    directory_.reset();
    for (int i = 0; i < 100 && ::umount2(path().c_str(), 0) != 0; ++i) ::usleep(20000);
  }
  FreezableDisk(const FreezableDisk&) = delete;
  FreezableDisk& operator=(const FreezableDisk&) = delete;

  explicit operator bool() const { return ready_; }
  std::string path() const { return home_ / "disk"; }
  bool Freeze() {
    frozen_ = ::ioctl(directory_.get(), FIFREEZE, 0) == 0;
    return frozen_;
  }
  void Thaw() {
    if (std::exchange(frozen_, false)) ::ioctl(directory_.get(), FITHAW, 0);
  }

 private:
  TempDir home_;
  UniqueFd directory_;
  bool ready_ = false;
  bool frozen_ = false;
};

TEST_CASE("a disk that hangs stops neither the loop nor a worker, nor the end of the process") {
  FreezableDisk disk;
  if (!disk) return;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  const int threads = Threads();
  auto fixture = std::make_unique<PumpFixture>(disk.path() + "/logs", settings);
  PipePair out;
  fixture->pump.Add(1, 1, out.reader.get(), -1);
  out.Print("0\n");
  CHECK(fixture->RunUntil([&] { return ReadText(disk.path() + "/logs/out.log") == "0\n"; }));
  REQUIRE(disk.Freeze());
  std::atomic<bool> over = false;
  std::thread flood([&] {
    Flood(out.writer.get(), 200000).join();
    over = true;
  });
  // The longest time between two turns of the loop.
  Millis last = BootNow();
  Millis longest = 0;
  CHECK(fixture->RunUntil([&] {
    longest = std::max(longest, BootNow() - last);
    last = BootNow();
    return over.load();
  }));
  flood.join();
  CHECK(longest < 200);
  CHECK(fixture->pump.dropped() > 100000);
  const Millis start = BootNow();
  fixture->pump.FlushAndStop(300);
  CHECK(BootNow() - start < 1000);
  disk.Thaw();
  // The thread goes on now and ends by itself.
  CHECK(WaitUntil([&] { return Threads() == threads; }));
  fixture.reset();
}

int HungLogThreads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (ReadText(task.path() / "stat").find("(slc-log) D") != std::string::npos) ++count;
  }
  return count;
}

TEST_CASE(
    "a thread that hangs in the disk with nothing to write does not rest, and goes on later") {
  FreezableDisk disk;
  if (!disk) return;
  TempDir elsewhere;
  const std::string go = elsewhere / "go";
  const std::string gzip = elsewhere / "gzip";
  // Ends when the disk hangs already: what the writer does then needs the disk.
  WriteText(gzip, "#!/bin/sh\nwhile [ ! -e " + go + " ]; do sleep 0.01; done\n");
  REQUIRE(::chmod(gzip.c_str(), 0700) == 0);
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.file_bytes = 64;
  settings.gzip = gzip;
  const int threads = Threads();
  PumpFixture fixture(disk.path() + "/logs", settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  const std::string line = std::string(63, 'x') + "\n";
  out.Print(line + line);
  const std::string current = disk.path() + "/logs/out.log";
  CHECK(fixture.RunUntil([&] { return ReadText(current) == line && fixture.pump.idle(); }));
  REQUIRE(disk.Freeze());
  WriteText(go, "");
  CHECK(WaitUntil([] { return HungLogThreads() == 1; }));

  fixture.pump.Pause();
  CHECK(fixture.pump.idle());
  const Millis start = BootNow();
  CHECK_FALSE(fixture.pump.Close());
  CHECK(BootNow() - start < 200);
  fixture.pump.Resume();
  out.Print("after\n");
  disk.Thaw();
  CHECK(fixture.RunUntil([&] { return ReadText(current) == "after\n" && fixture.pump.idle(); }));

  fixture.pump.Pause();
  CHECK(fixture.pump.Close());
  CHECK(Threads() == threads);
  fixture.pump.Resume();
  out.Print("at last\n");
  CHECK(fixture.RunUntil([&] { return ReadText(current) == "after\nat last\n"; }));
  CHECK(fixture.pump.dropped() == 0);
}

TEST_CASE("a last burst beyond the buffer is not lost when its worker is removed") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kText;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  ::fcntl(out.writer.get(), F_SETPIPE_SZ, 1 << 20);
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  // 100,000 lines of 10 bytes: five times the buffer once each has its time in front.
  std::string burst;
  for (int i = 0; i < 100000; ++i) burst += std::to_string(100000000 + i) + "\n";
  out.Print(burst);
  fixture.pump.Remove(1);
  out.reader.reset();
  out.writer.reset();
  CHECK(fixture.RunUntilIdle());
  if (fixture.pump.dropped() > 0) {
    MESSAGE("lines dropped: " << fixture.pump.dropped());
  } else {
    CHECK(CountLines(ReadText(home / "out.log")) == 100000);
  }
}

TEST_CASE("flushing at the end brings everything that was read to the files") {
  TempDir home;
  LogSettings raw;
  raw.format = LogFormat::kRaw;
  PumpFixture fixture(home.path(), raw);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  out.Print("one\ntwo\nthr");
  CHECK(fixture.RunUntil([&] { return fixture.pump.Tail(1).size() == 2; }));
  fixture.pump.FlushAndStop(2000);
  CHECK(ReadText(home / "out.log") == "one\ntwo\nthr\n");
  // Afterwards nothing happens any more.
  fixture.pump.Say(log::Level::kError, "late");
  fixture.pump.Remove(1);
  CHECK(ReadText(home / "out.log") == "one\ntwo\nthr\n");
}

}  // namespace
}  // namespace slc
