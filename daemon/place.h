// Place: what makes this slcd the one of its home, as others see it: the run folder, the lock and
// the socket in it, and the folder of the masters. Whoever clears such folders away (a cleaner of
// temporary files, rm -rf) may take any of it, and the home with it; the kernel tells so (inotify:
// no timer runs), and what is missing is made anew. PlanPlace decides.
//
// That is done by the loop, which waits for the disk then: one from which somebody has removed
// something a moment ago, and without a place in it no slcd can be reached.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/core/place_plan.h"

namespace slc {

class Place {
 public:
  struct Events {
    std::function<void()> on_lock;  // it was taken anew: masters may have obeyed others meanwhile
    std::function<void(UniqueFd listener)> on_listener;  // instead of the one of before
    std::function<void()> on_home;    // it is another one now: nothing that was recorded is in it
    std::function<void()> on_looked;  // all of it is there; folders of masters may be gone
    std::function<void(ServiceId id)> on_master;  // something has come to its folder, or is gone
    std::function<void()> on_displaced;           // another slcd serves the home. Told once
  };
  // Descriptors that are owned by the caller and outlive this. What is made anew takes their
  // numbers.
  struct Descriptors {
    int home = -1;
    int services = -1;
    int run = -1;
    int instances = -1;
    int lock = -1;
    int watch = -1;  // anything; becomes the inotify
  };
  // `kept`: as in the lock file, see LockHolder.
  Place(uv::Loop& loop, HomePaths paths, Descriptors descriptors, bool kept, Events events);
  ~Place();

  // Makes the socket. The lock is held.
  Result<UniqueFd> Listen();
  // Goes on with a socket that the last image of this process has made.
  void Adopt();
  // From now on what is taken away is made anew. Where the system refuses an inotify (its limits,
  // no descriptor) it is asked for again; until then what is taken away stays so.
  void Watch();
  // Calls on_master from now on, until the folder of this master is removed.
  void WatchMaster(ServiceId id);
  // Asks the disk whether the lock in its place is another's: then on_displaced has been called,
  // and nothing is to be done to any master any more.
  bool IsOurs();

 private:
  // An error: it cannot be told, by a failing disk. Paths are looked up, nothing is opened: it can
  // be told without a descriptor.
  Result<PlaceFacts> Look() const;
  Result<bool> IsHomeOurs() const;
  Result<PlaceLock> LookAtLock() const;
  Status TryWatch();
  void WatchFolders();
  void OnEvents();
  void Mend();
  Status Do(PlaceDeed deed);
  void Leave();

  uv::Loop& loop_;
  const HomePaths paths_;
  const Descriptors descriptors_;
  const bool kept_;
  const Events events_;
  std::optional<FileId> socket_;
  bool displaced_ = false;
  Millis failures_ = 0;             // in a row
  std::string trouble_;             // as it was logged
  std::unique_ptr<uv::Poll> poll_;  // of the inotify; there is none before
  int home_watch_ = -1;
  // Something was taken out of the home. Else it is not looked at: its disk may be another one than
  // that of the run folder, and silent.
  bool home_touched_ = false;
  std::map<int, ServiceId> watched_;   // masters by their watch
  std::set<ServiceId> to_be_watched_;  // as soon as there is an inotify
  std::string watch_trouble_;          // as it was logged
  uv::Timer again_;
  uv::Timer watch_again_;
};

}  // namespace slc
