// Disks of our own for the tests of logs: one that is small, and one that can be made to hang.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "tests/unit/log_test_support.h"

namespace slc::testing {

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

}  // namespace slc::testing
