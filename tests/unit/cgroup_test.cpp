#include "common/base/cgroup.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr const char* kUnified =
    "23 29 0:21 / /sys rw - sysfs sysfs rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

std::string FolderOf(const char* cgroups, const char* mountinfo) {
  const auto folder = CgroupFolder(cgroups, mountinfo);
  return folder ? *folder : "no: " + folder.error().message;
}

}  // namespace

TEST_CASE("The folder of a cgroup is where its hierarchy is mounted") {
  CHECK(FolderOf("0::/system.slice/slc.service\n", kUnified) ==
        "/sys/fs/cgroup/system.slice/slc.service");
  CHECK(FolderOf("0::/\n", kUnified) == "/sys/fs/cgroup");
  CHECK(FolderOf("4:memory:/a\n1:cpu:/b\n0::/c:d\n", kUnified) == "/sys/fs/cgroup/c:d");
  // Only a part of it is mounted, as in containers without a namespace of their own.
  const char* part = "30 23 0:26 /docker/1f /sys/fs/cgroup\\0402 ro - cgroup2 cgroup rw\n";
  CHECK(FolderOf("0::/docker/1f/app\n", part) == "/sys/fs/cgroup 2/app");
  CHECK(FolderOf("0::/docker/1f\n", part) == "/sys/fs/cgroup 2");
  CHECK(FolderOf("0::/docker/1f2\n", part) ==
        "no: cgroup v2 is mounted nowhere with our own cgroup /docker/1f2 in it");
  CHECK(FolderOf("4:memory:/a\n", kUnified) == "no: this process is in no cgroup v2");
  CHECK(FolderOf("0::/a\n", "23 29 0:21 / /sys rw - sysfs sysfs rw\n") ==
        "no: cgroup v2 is mounted nowhere with our own cgroup /a in it");
}

TEST_CASE("A limit of CPUs is so much of each tenth of a second") {
  CHECK(CpuMaxText(1500) == "150000 100000");
  CHECK(CpuMaxText(10) == "1000 100000");
  CHECK(CpuMaxText(1'024'000) == "102400000 100000");
}

}  // namespace slc
