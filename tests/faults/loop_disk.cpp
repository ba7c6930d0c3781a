#include "tests/faults/loop_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "tests/system/dice.h"

namespace slc::test {
namespace {

// linux/ext4.h is not for programs.
constexpr unsigned long kExt4Shutdown = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t kWithoutFlushingTheLog = 2;

bool Works(const std::string& command) { return std::system((command + " >&2").c_str()) == 0; }

void Must(const std::string& command) {
  if (!Works(command)) FAIL("failed: ", command);
}

void Control(const std::string& path, unsigned long request, void* argument) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::ioctl(fd.get(), request, argument) != 0) {
    FAIL("ioctl on ", path, ": ", std::strerror(errno));
  }
}

void MakeFolderFor(const std::string& path) { REQUIRE(MakeDirectories(path).ok()); }

// SIGKILL to all that live of the world's home; false: none does.
bool SignalAll(World& world) {
  bool any = false;
  auto all = world.Supervisors();
  for (const ProcessIdentity& each : world.Workers()) all.push_back(each);
  for (const ProcessIdentity& each : all) {
    if (!IsAlive(each)) continue;
    any = true;
    SignalProcess(OpenProcess(each), SIGKILL);
  }
  return any;
}

// At the end of a test that has failed nothing may throw any more.
void LeaveDisk(World& world, const std::string& path) {
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  while (::umount(path.c_str()) != 0 && BootNow() < deadline) {
    SignalAll(world);
    LetPass(10);
  }
  ::umount2(path.c_str(), MNT_DETACH);
}

}  // namespace

bool CanMount() {
  static const bool can = [] {
    return ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }();
  return Possible(can, "this machine does not let us mount");
}

LoopDisk::LoopDisk(World& world, std::string path, int megabytes)
    : world_(world), image_(world.folder() + "/disk.img"), path_(std::move(path)) {
  MakeFolderFor(path_);
  Must("truncate -s " + std::to_string(megabytes) + "M " + image_ + " && mkfs.ext4 -q " + image_);
  Mount();
  REQUIRE(::chmod(path_.c_str(), 0700) == 0);
}

LoopDisk::~LoopDisk() {
  guard_.reset();
  LeaveDisk(world_, path_);
}

void LoopDisk::Mount() { Must("mount -o loop " + image_ + " " + path_); }

void LoopDisk::Unmount() {
  // Whoever was killed a moment ago may still be closing its files.
  WaitUntil([&] { return ::umount(path_.c_str()) == 0; }, 10'000, "the end of users of " + path_);
}

void LoopDisk::CutPower() {
  std::uint32_t how = kWithoutFlushingTheLog;
  Control(path_, kExt4Shutdown, &how);
}

void LoopDisk::Reboot() {
  Unmount();
  Mount();
}

void LoopDisk::Freeze() {
  {
    const UniqueFd folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(folder);
    guard_.emplace(folder.get());
  }
  Control(path_, FIFREEZE, nullptr);
}

void LoopDisk::Thaw() {
  Control(path_, FITHAW, nullptr);
  guard_->Leave();
  guard_.reset();
}

TinyDisk::TinyDisk(World& world, std::string path, const std::string& options)
    : world_(world), path_(std::move(path)) {
  MakeFolderFor(path_);
  Must("mount -t tmpfs -o mode=700," + options + " none " + path_);
}

TinyDisk::~TinyDisk() { LeaveDisk(world_, path_); }

void TinyDisk::TakeAllBlocks() {
  const UniqueFd fd(
      ::open((path_ + "/fill").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  REQUIRE(fd);
  // Down to the last byte.
  for (const std::size_t size : {65536UL, 4096UL, 1UL}) {
    const std::string bytes(size, 'x');
    while (::write(fd.get(), bytes.data(), bytes.size()) > 0) {
    }
    REQUIRE(errno == ENOSPC);
  }
}

void TinyDisk::TakeAllInodes() {
  MakeFolderFor(path_ + "/files");
  for (int i = 0;; ++i) {
    const std::string name = path_ + "/files/" + std::to_string(i);
    const UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (fd) continue;
    REQUIRE(errno == ENOSPC);
    return;
  }
}

void TinyDisk::GiveBack() {
  std::error_code ignored;
  std::filesystem::remove(path_ + "/fill", ignored);
  std::filesystem::remove_all(path_ + "/files", ignored);
}

void KillEverything(World& world) {
  WaitUntil([&] { return !SignalAll(world); }, 10'000, "the end of all processes of the home");
}

}  // namespace slc::test
