#include "daemon/master/log_pump.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/core/flood_pace.h"
#include "tests/unit/log_test_disks.h"
#include "tests/unit/log_test_support.h"

namespace slc {
namespace {

using testing::CheckNumbersWithGaps;
using testing::CountLines;
using testing::FileNames;
using testing::FreezableDisk;
using testing::Numbered;
using testing::ReadText;
using testing::SmallDisk;
using testing::TempDir;
using testing::Threads;
using testing::WaitUntil;
using testing::WholeStream;
using testing::WriteText;

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

TEST_CASE("a flood without end is slowed down after its burst, and loses nothing") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.files = 2;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  std::atomic<bool> over = false;
  std::thread flood([&] {
    const std::string block = Numbered(0, 10'000, 99);
    const std::int64_t most = FloodPace::kBurst + FloodPace::kSteady;
    for (std::int64_t sum = 0; sum < most; sum += static_cast<std::int64_t>(block.size()))
      out.Print(block);
    over = true;
  });
  const Millis start = BootNow();
  CHECK(fixture.RunUntil([&] { return over.load(); }, 60));
  flood.join();
  // A second for what is beyond the burst, but for what the pipe takes at the end.
  CHECK(BootNow() - start >= 950);
  fixture.pump.Remove(1);
  out.reader.reset();
  CHECK(fixture.RunUntilIdle());
  CHECK(fixture.pump.dropped() == 0);
}

TEST_CASE("beyond the rate whole lines are dropped, counted and told of, and the flood goes on") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.rate = 100U << 10;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  constexpr int kLines = 100000;
  std::atomic<bool> over = false;
  std::thread flood([&] {
    Flood(out.writer.get(), kLines).join();
    over = true;
  });
  CHECK(fixture.RunUntil([&] { return over.load(); }, 60));
  flood.join();
  // Nobody prints any more: it is told of all the same.
  CHECK(fixture.RunUntil([&] {
    return fixture.pump.idle() && EndsWith(ReadText(home / "out.log"), " lines dropped]\n");
  }));
  const std::uint64_t dropped = fixture.pump.dropped();
  CHECK(dropped > kLines / 10);
  const std::string text = WholeStream(home.path(), LogStream::kOut);
  CheckNumbersWithGaps(text, kLines, dropped);
  CHECK(text.size() >= settings.rate);

  fixture.pump.SetSettings({});
  out.Print("without a rate\n");
  fixture.pump.Remove(1);
  CHECK(fixture.RunUntilIdle());
  CHECK(fixture.pump.dropped() == dropped);
}

TEST_CASE("what the rate refused is told of at the end of the process") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.rate = 1000;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  std::string lines;
  for (int i = 0; i < 50; ++i) {
    std::string line = std::to_string(i);
    line.resize(99, ' ');
    lines += line + "\n";
  }
  out.Print(lines);
  CHECK(fixture.RunUntil([&] { return fixture.pump.dropped() > 0; }));
  fixture.pump.FlushAndStop(1000);
  CHECK(fixture.pump.dropped() == 40);
  CheckNumbersWithGaps(WholeStream(home.path(), LogStream::kOut), 50, 40);
}

// Bytes in a pipe.
std::size_t Unread(int fd) {
  int count = 0;
  REQUIRE(::ioctl(fd, FIONREAD, &count) == 0);
  return static_cast<std::size_t>(count);
}

TEST_CASE("a flood has no more in hand than whoever takes over would be told") {
  TempDir home;
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.file_bytes = 1U << 30;
  PumpFixture fixture(home.path(), settings);
  PipePair out;
  REQUIRE(::fcntl(out.writer.get(), F_SETFL, O_NONBLOCK) == 0);
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  constexpr std::size_t kAll = 30'000'000;
  const std::string lines = std::string(99, 'x') + "\n" + std::string(3999, 'y') + "\n";
  std::size_t printed = 0;
  std::size_t most_usual = 0;
  std::size_t most_behind = 0;
  CHECK(fixture.RunUntil([&] {
    const std::size_t in_pipe = Unread(out.reader.get());
    struct stat file {};
    if (::stat((home / "out.log").c_str(), &file) != 0) file.st_size = 0;
    const std::size_t in_hand = printed - in_pipe - static_cast<std::size_t>(file.st_size);
    auto& most = fixture.pump.behind() ? most_behind : most_usual;
    most = std::max(most, in_hand);
    ssize_t got = 0;
    while (printed < kAll && got >= 0) {
      got = ::write(out.writer.get(), lines.data(), lines.size());
      printed += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return in_hand == 0 && in_pipe == 0 && printed >= kAll;
  }));
  CHECK(most_usual <= InHand::Most(false));
  CHECK(most_behind <= InHand::Most(true));
  // Else nothing was seen.
  CHECK(most_usual > 0);
  CHECK(fixture.pump.dropped() == 0);
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
  std::vector<bool> behind;
  fixture->pump.OnBehind([&] { behind.push_back(fixture->pump.behind()); });
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
  CHECK(behind == std::vector<bool>{true});
  const Millis start = BootNow();
  fixture->pump.FlushAndStop(300);
  CHECK(BootNow() - start < 1000);
  disk.Thaw();
  // The thread goes on now and ends by itself.
  CHECK(WaitUntil([&] { return Threads() == threads; }));
  fixture.reset();
}

TEST_CASE("when a disk that was silent has taken all, little is in hand again") {
  FreezableDisk disk;
  if (!disk) return;
  PumpFixture fixture(disk.path() + "/logs");
  std::vector<bool> behind;
  fixture.pump.OnBehind([&] { behind.push_back(fixture.pump.behind()); });
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  out.Print("0\n");
  CHECK(fixture.RunUntilIdle());
  CHECK(behind.empty());
  REQUIRE(disk.Freeze());
  const std::string line = std::string(1023, 'x') + "\n";
  const auto print = [&](std::size_t bytes) {
    for (std::size_t i = 0; i < bytes / line.size(); ++i) out.Print(line);
  };
  print(InHand::kUsual);
  CHECK(fixture.RunUntil([&] { return Unread(out.reader.get()) == 0; }));
  print(InHand::kUsual);
  CHECK(fixture.RunUntil([&] { return !behind.empty(); }));
  CHECK(fixture.RunUntil([&] { return Unread(out.reader.get()) == 0; }));
  disk.Thaw();
  CHECK(fixture.RunUntil([&] { return !fixture.pump.behind(); }));
  CHECK(behind == std::vector<bool>{true, false});
  CHECK(fixture.pump.dropped() == 0);
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

  // It cannot even say that what it compressed has ended.
  fixture.pump.Pause();
  CHECK_FALSE(fixture.pump.idle());
  const Millis start = BootNow();
  CHECK_FALSE(fixture.pump.Close());
  CHECK(BootNow() - start < 200);
  fixture.pump.Resume();
  out.Print("after\n");
  disk.Thaw();
  CHECK(fixture.RunUntil([&] { return ReadText(current) == "after\n" && fixture.pump.idle(); }));

  fixture.pump.Pause();
  CHECK(fixture.RunUntilIdle());
  CHECK(fixture.pump.Close());
  CHECK(Threads() == threads);
  fixture.pump.Resume();
  out.Print("at last\n");
  CHECK(fixture.RunUntil([&] { return ReadText(current) == "after\nat last\n"; }));
  CHECK(fixture.pump.dropped() == 0);
}

// A worker whose pipe takes a burst of 100,000 lines of 10 bytes: five times the buffer once each
// has its time in front.
struct BurstFixture : PumpFixture {
  static constexpr std::uint64_t kLines = 100'000;

  explicit BurstFixture(const std::string& directory) : PumpFixture(directory, Text()) {
    ::fcntl(out.writer.get(), F_SETPIPE_SZ, 1 << 20);
    pump.Add(1, 1, out.reader.get(), -1);
  }
  static LogSettings Text() {
    LogSettings settings;
    settings.format = LogFormat::kText;
    return settings;
  }
  void PrintBurst() const {
    std::string burst;
    for (std::uint64_t i = 0; i < kLines; ++i) burst += std::to_string(100'000'000 + i) + "\n";
    out.Print(burst);
  }

  PipePair out;
};

TEST_CASE("a last burst beyond the buffer is not lost when its worker is removed") {
  TempDir home;
  BurstFixture fixture(home.path());
  PipePair& out = fixture.out;
  fixture.PrintBurst();
  fixture.pump.Remove(1);
  out.reader.reset();
  out.writer.reset();
  CHECK(fixture.RunUntilIdle());
  if (fixture.pump.dropped() > 0) {
    MESSAGE("lines dropped: " << fixture.pump.dropped());
  } else {
    CHECK(CountLines(ReadText(home / "out.log")) == BurstFixture::kLines);
  }
}

TEST_CASE("where no descriptor is left a last burst is written or counted, at once") {
  FreezableDisk disk;
  TempDir home;
  const std::string directory = disk ? disk.path() + "/logs" : home.path();
  BurstFixture fixture(directory);
  // The writer has its files open before it could be told that there is no room for them.
  fixture.out.Print("first\n");
  REQUIRE(fixture.RunUntil([&] { return CountLines(ReadText(directory + "/out.log")) == 1; }));
  fixture.PrintBurst();
  // A writer on a free core may be as quick as the burst is read.
  if (disk) REQUIRE(disk.Freeze());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(UniqueFd(::dup(0)).get());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const Millis start = BootNow();
  fixture.pump.Remove(1);
  CHECK(BootNow() - start < 1000);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  fixture.out.reader.reset();
  if (disk) disk.Thaw();
  CHECK(fixture.RunUntilIdle());
  const auto dropped = fixture.pump.dropped();
  if (disk) CHECK(dropped > 0);
  // All lines, and what tells of those dropped.
  const auto marks =
      CountLines(ReadText(directory + "/out.log")) - 1 - BurstFixture::kLines + dropped;
  CHECK(marks >= (dropped > 0 ? 1 : 0));
  CHECK(marks <= (dropped > 0 ? 10 : 0));
}

TEST_CASE("a pump that is paused gives a compression up, and goes on with it afterwards") {
  // What tests before have killed at their end, and a busy machine has not let end in 100 ms.
  CHECK(WaitUntil([] { return ::waitpid(-1, nullptr, WNOHANG) == -1; }));
  TempDir home;
  WriteText(home / "slow", "#!/bin/sh\nexec sleep 100\n");
  REQUIRE(::chmod((home / "slow").c_str(), 0700) == 0);
  LogSettings settings;
  settings.format = LogFormat::kRaw;
  settings.file_bytes = 1000;
  settings.gzip = home / "slow";
  PumpFixture fixture(home / "logs", settings);
  PipePair out;
  fixture.pump.Add(1, 1, out.reader.get(), -1);
  const auto names = [&](const std::string& end) {
    const auto all = FileNames(home / "logs");
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& name) { return EndsWith(name, end); });
  };
  out.Print(Numbered(0, 15, 100));
  CHECK(fixture.RunUntil([&] { return names(".gz.tmp") == 1; }));
  fixture.pump.Pause();
  CHECK(fixture.RunUntilIdle());
  CHECK(names(".gz.tmp") == 0);
  CHECK(names("Z") == 1);
  // No child is left that would be nobody's in another image.
  siginfo_t child{};
  const int left = ::waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT);
  CHECK_MESSAGE(left == -1, "child ", child.si_pid, ": ",
                ReadText("/proc/" + std::to_string(child.si_pid) + "/stat"));
  CHECK(fixture.pump.Close());
  settings.gzip.clear();
  fixture.pump.SetSettings(settings);
  fixture.pump.Resume();
  out.Print(Numbered(15, 1, 100));
  CHECK(fixture.RunUntil([&] { return names(".gz") == 1; }));
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
