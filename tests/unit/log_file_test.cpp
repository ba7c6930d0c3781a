#include "daemon/log_file.h"

#include <sys/resource.h>

#include <csignal>

#include "tests/unit/temp_folder.h"

namespace slc {

TEST_CASE("A log file is appended to, and goes on where it ended") {
  TempFolder folder;
  {
    LogFile file(folder / "d/slcd", 1000, 3);
    CHECK_FALSE(folder.Has("d"));
    REQUIRE(file.Append("one\n"));
    REQUIRE(file.Append("two\n"));
  }
  LogFile file(folder / "d/slcd", 1000, 3);
  REQUIRE(file.Append("three\n"));
  CHECK(folder.Read("d/slcd.log") == "one\ntwo\nthree\n");
}

TEST_CASE("A log file is rotated at its size, whole lines and so many files") {
  TempFolder folder;
  LogFile file(folder / "slcd", 10, 3);
  for (const char* line : {"aaaaaaa\n", "b\n", "ccccccc\n", "ddddddd\n", "longer than a file\n"}) {
    REQUIRE(file.Append(line));
  }
  CHECK(folder.Read("slcd.log") == "longer than a file\n");
  CHECK(folder.Read("slcd.1.log") == "ddddddd\n");
  CHECK(folder.Read("slcd.2.log") == "ccccccc\n");
  CHECK_FALSE(folder.Has("slcd.3.log"));
}

TEST_CASE(
    "A log file that was removed, renamed or lost its folder is made anew with the next line") {
  TempFolder folder;
  LogFile file(folder / "logs/slcd", 1000, 3);
  REQUIRE(file.Append("one\n"));
  REQUIRE(::unlink((folder / "logs/slcd.log").c_str()) == 0);
  REQUIRE(file.Append("two\n"));
  CHECK(folder.Read("logs/slcd.log") == "two\n");
  REQUIRE(::rename((folder / "logs/slcd.log").c_str(), (folder / "logs/mine").c_str()) == 0);
  REQUIRE(file.Append("three\n"));
  CHECK(folder.Read("logs/mine") == "two\n");
  CHECK(folder.Read("logs/slcd.log") == "three\n");
  REQUIRE(RemoveTreeAt(folder.fd(), "logs"));
  REQUIRE(file.Append("four\n"));
  CHECK(folder.Read("logs/slcd.log") == "four\n");
}

TEST_CASE("A line for which there is no room leaves nothing of itself in the log") {
  TempFolder folder;
  LogFile file(folder / "slcd", 1000, 3);
  REQUIRE(file.Append("one\n"));
  // What a full disk does: the first bytes go in, the rest does not.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit narrow{6, before.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &narrow) == 0);
  const Status refused = file.Append("two\n");
  const Status again = file.Append("three\n");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  CHECK_FALSE(refused);
  CHECK_FALSE(again);
  CHECK(folder.Read("slcd.log") == "one\n");
  REQUIRE(file.Append("four\n"));
  CHECK(folder.Read("slcd.log") == "one\nfour\n");
}

TEST_CASE("A log file goes through no symbolic link, and into no pipe") {
  TempFolder folder;
  folder.Write("precious", "x");
  REQUIRE(::symlink("precious", (folder / "slcd.log").c_str()) == 0);
  LogFile file(folder / "slcd", 1000, 3);
  CHECK_FALSE(file.Append("one\n"));
  CHECK(folder.Read("precious") == "x");
  REQUIRE(::unlink((folder / "slcd.log").c_str()) == 0);
  REQUIRE(::mkfifo((folder / "slcd.log").c_str(), 0600) == 0);
  CHECK_FALSE(file.Append("one\n"));
}

}  // namespace slc
