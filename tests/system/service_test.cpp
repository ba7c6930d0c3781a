// slc service where there is no systemd, and for whom it is. With one: tests/faults/systemd_test.
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

TEST_SUITE("service") {
  TEST_CASE("without systemd a line of the crontab is named, and nothing is changed") {
    if (!Possible(::geteuid() == 0, "only root can hide the systemd of a machine")) return;
    World world;
    for (const char* what : {"install", "uninstall"}) {
      const Ran ran =
          world
              .BeginProgram({"unshare", "-m", "sh", "-c",
                             "mount -t tmpfs none /run && exec \"$0\" service \"$1\" --yes",
                             BinaryPath("slc"), what})
              .Wait();
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "not booted with systemd"), ran.err);
      CHECK_MESSAGE(Contains(ran.err, "@reboot SLC_HOME=" + world.home()), ran.err);
    }
    CHECK(!Exists(world.home()));
  }

  TEST_CASE("root's unit is the machine's, that of others their own") {
    World world;
    const bool root = ::geteuid() == 0;
    const Ran ran = root ? world.Slc({"service", "install", "--user", "--yes"})
                         : world.Slc({"service", "install", "--yes"});
    CHECK(ran.code != 0);
    CHECK_MESSAGE(Contains(ran.err, root ? "other users than root" : "--user"), ran.err);
  }
}
