#include "daemon/master/log_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "tests/unit/log_test_disks.h"
#include "tests/unit/log_test_support.h"

namespace slc {
namespace {

using testing::CountLines;
using testing::Exists;
using testing::FileNames;
using testing::Numbered;
using testing::ReadText;
using testing::SmallDisk;
using testing::TempDir;
using testing::WaitUntil;
using testing::WholeStream;
using testing::WriteText;

bool AppendAll(LogFiles& files, LogStream stream, const std::string& text) {
  std::size_t offset = 0;
  return files.Append(stream, text, &offset).ok() && offset == text.size();
}

bool AllCompressed(LogFiles& files) {
  files.Tend();
  return files.gzip_fd() < 0 && files.gzip_due() < 0;
}

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
  CHECK(WaitUntil([&] { return AllCompressed(files); }));
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

TEST_CASE("a log that grows fast is compressed when it has calmed down") {
  TempDir home;
  LogFiles files(home.path());
  // 2 s is the longest that each may take to fill: no disk here is that slow, even with sanitizers.
  files.SetLimits(10'000'000, 10);
  const std::string ten_megabytes = Numbered(0, 100'000, 99);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(AppendAll(files, LogStream::kOut, ten_megabytes));
    files.Tend();
    CHECK(files.gzip_fd() < 0);
  }
  CHECK(files.gzip_due() > BootNow());
  // It goes on in the same file: 10 MB within a second are no calm either.
  files.SetLimits(1'000'000'000, 10);
  const Millis due = files.gzip_due();
  REQUIRE(AppendAll(files, LogStream::kOut, ten_megabytes));
  CHECK(WaitUntil([&] { return BootNow() >= due; }));
  files.Tend();
  CHECK(files.gzip_fd() < 0);
  CHECK(files.gzip_due() > due);
  CHECK(WaitUntil([&] { return AllCompressed(files); }));
  for (const std::string& name : FileNames(home.path()))
    CHECK((name == "out.log" || EndsWith(name, ".gz")));
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
  CHECK(WaitUntil([&] { return AllCompressed(files); }));
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

}  // namespace
}  // namespace slc
