#include <linux/magic.h>

#include <doctest/doctest.h>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/finding.h"

namespace slc::ctl {
namespace {

using Level = Finding::Level;

}  // namespace

TEST_CASE("Findings are a line each, what to do is one below, and one sums up") {
  CHECK(FindingsText({Good("home", "/h"), Good("kernel", "Linux 6.1")}) ==
        "ok     home                /h\nok     kernel              Linux 6.1\nall is well\n");
  const std::string name(64, 'n');
  const Findings some{Good("home", "/h"), Warn("disk", "only 10 MB free", "free some space"),
                      Wrong("port of a", "3001 is held\x1b[2J", "stop that"),
                      Good("log of " + name, "/h/logs")};
  CHECK(FindingsText(some) ==
        "ok     home                /h\n"
        "warn   disk                only 10 MB free\n"
        "       -> free some space\n"
        "wrong  port of a           3001 is held\\x1b[2J\n"
        "       -> stop that\n"
        "ok     log of " +
            name +
            "\n"
            "       /h/logs\n"
            "1 wrong, 1 warning\n");
  CHECK(AnyWrong(some));
  CHECK_FALSE(AnyWrong({Warn("disk", "", "")}));
}

TEST_CASE("A kernel older than 5.11 is wrong") {
  CHECK(JudgeKernel("6.1.0-18-amd64").level == Level::kOk);
  CHECK(JudgeKernel("5.11").level == Level::kOk);
  CHECK(JudgeKernel("5.10.0-8").level == Level::kWrong);
  CHECK(JudgeKernel("4.19").level == Level::kWrong);
  CHECK(JudgeKernel("next").level == Level::kWarn);
}

TEST_CASE("A full disk is wrong, one that is nearly full a warning") {
  CHECK(JudgeRoom("/h", Room{1ULL << 40, 1 << 20, true}).level == Level::kOk);
  CHECK(JudgeRoom("/h", Room{1ULL << 40, 0, false}).level == Level::kOk);
  CHECK(JudgeRoom("/h", Room{10 << 20, 1 << 20, true}).level == Level::kWarn);
  CHECK(JudgeRoom("/h", Room{1ULL << 40, 10, true}).level == Level::kWarn);
  CHECK(JudgeRoom("/h", Room{0, 1 << 20, true}).level == Level::kWrong);
  CHECK(JudgeRoom("/h", Room{1ULL << 40, 0, true}).level == Level::kWrong);
}

TEST_CASE("A home that a reboot, a container's end or a server takes away is a warning") {
  for (const std::int64_t type : {std::int64_t{TMPFS_MAGIC}, std::int64_t{OVERLAYFS_SUPER_MAGIC},
                                  std::int64_t{0x6969}, std::int64_t{0xff534d42}}) {
    CAPTURE(type);
    CHECK(JudgeFileSystem("/h", type).level == Level::kWarn);
  }
  CHECK(JudgeFileSystem("/h", EXT4_SUPER_MAGIC).level == Level::kOk);
}

TEST_CASE("Limits are judged by what the services need") {
  CHECK(JudgeFileLimit({1024, 524288}, 8, false).level == Level::kOk);
  CHECK(JudgeFileLimit({524288, 524288}, 8, true).level == Level::kOk);
  CHECK(JudgeFileLimit({1024, 524288}, 8, true).level == Level::kWarn);
  CHECK(JudgeFileLimit({1024, 1024}, 8, false).level == Level::kWarn);
  CHECK(JudgeFileLimit({4096, 4096}, 1000, false).level == Level::kWrong);
  CHECK(JudgeQueue(4096).level == Level::kOk);
  CHECK(JudgeQueue(128).level == Level::kWarn);
  CHECK(JudgeProcesses(100, 32768).level == Level::kOk);
  CHECK(JudgeProcesses(30000, 32768).level == Level::kWarn);
}

TEST_CASE("A clock of long ago is a warning, no boot id wrong") {
  CHECK(JudgeClock(1'790'000'000'000, "id").level == Level::kOk);
  CHECK(JudgeClock(0, "id").level == Level::kWarn);
  CHECK(JudgeClock(1'790'000'000'000, "").level == Level::kWrong);
}
}  // namespace slc::ctl
