#include "daemon/master/log_writer.h"

#include <sys/mount.h>
#include <unistd.h>

#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "tests/unit/log_test_disks.h"
#include "tests/unit/log_test_support.h"

namespace slc {
namespace {

using testing::CheckNumbersWithGaps;
using testing::CountLines;
using testing::ReadText;
using testing::SmallDisk;
using testing::TempDir;
using testing::Threads;
using testing::WaitUntil;
using testing::WriteText;

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

}  // namespace
}  // namespace slc
