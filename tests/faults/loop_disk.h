// LoopDisk: an ext4 file system of its own on a loop device, mounted where a home is to be: it can
// lose its power and hang for real. And TinyDisk: a tmpfs that gets full, of blocks or of inodes.
//
// Both need root, and mount in a mount namespace of this test program: nothing of it is left
// however that ends. When it goes, so do all processes of the world's home.
#pragma once

#include <optional>
#include <string>

#include "tests/faults/thaw_guard.h"
#include "tests/system/harness.h"

namespace slc::test {

// False (and says so): this machine cannot mount.
bool CanMount();

class LoopDisk {
 public:
  // `megabytes` big, mounted at `path`, which is made.
  LoopDisk(World& world, std::string path, int megabytes);
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  // Power goes: what was not synced is gone, and the disk answers nothing but errors.
  void CutPower();
  // ... and comes back: checks nothing, mounts what is there, as a boot does.
  void Reboot();
  // Whoever writes waits, as for a disk that does not answer, until Thaw(), or the end of this
  // program, however it ends.
  void Freeze();
  void Thaw();

 private:
  void Mount();
  void Unmount();

  World& world_;
  const std::string image_;
  const std::string path_;
  std::optional<ThawGuard> guard_;  // while it is frozen
};

class TinyDisk {
 public:
  // `options`: of tmpfs, "size=4m,nr_inodes=200".
  TinyDisk(World& world, std::string path, const std::string& options);
  ~TinyDisk();
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;

  void TakeAllBlocks();
  void TakeAllInodes();
  void GiveBack();

 private:
  World& world_;
  const std::string path_;
};

// SIGKILL to all processes of the world's home, until none is left; without a word in its checks.
void KillEverything(World& world);

}  // namespace slc::test
