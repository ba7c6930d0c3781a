// FolderWatch: notices what changes in the folder of one service, by inotify: nothing runs while
// nothing happens there. WatchRules says what counts, WatchPace what comes of it.
//
// The tree is walked by the disk thread, in slices, so that a record of slcd's waits for some
// folders and not for all. Events wait in the kernel meanwhile; if they are too many for it, that
// counts as a change, and the tree is walked anew.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/core/watch_pace.h"
#include "daemon/core/watch_rules.h"

namespace slc {

class FolderWatch {
 public:
  struct Hands {
    std::function<bool()> is_busy;  // the service is being changed
    std::function<void(const std::string& occasion)> restart;
    // It pauses, or sees less than all: for the journal.
    std::function<void(const char* kind, const std::string& text)> tell;
  };
  // `directory` is what the service is started with: a symbolic link is followed. `home`: of slcd,
  // which is not watched. `disk` outlives this.
  FolderWatch(uv::Loop& loop, uv::DiskThread& disk, std::string directory,
              std::vector<std::string> only, std::string home, Hands hands);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // A new generation: the symbolic link may lead elsewhere by now.
  void LookAgain();
  // "12 folders of /srv/app"
  std::string Describe() const;
  // Why a change may go unnoticed, or makes no restart now; empty: all is well.
  std::string Trouble() const;

 private:
  struct Walk;
  struct Alive {};
  using Folders = std::map<int, std::string>;  // by their watch, relative to root_
  Status Open();
  void Forget(const Folders& before, const std::vector<std::pair<int, std::string>>& now);
  void Begin();
  void Continue();
  void OnWalked();
  void WalkLater(std::string folder);
  void OnEvents();
  void OnEvent(int watch, unsigned mask, const std::string& name);
  void OnFolder(unsigned mask, const std::string& path);
  void Leave(const std::string& folder);
  void Changed(const std::string& path);
  void Judge();
  void SetTrouble(const std::string& trouble);

  uv::Loop& loop_;
  uv::DiskThread& disk_;
  const std::string directory_;
  const std::vector<std::string> only_;
  const std::string home_;
  const Hands hands_;
  std::string root_;  // where directory_ leads
  WatchRules rules_;
  UniqueFd inotify_;
  std::unique_ptr<uv::Poll> poll_;
  Folders folders_;
  std::shared_ptr<Walk> walk_;                                // the one that is under way
  std::vector<std::string> to_walk_;                          // folders that have come meanwhile
  bool anew_ = false;                                         // all is to be walked again
  bool gone_ = false;                                         // the root
  std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();  // ends with this object
  WatchPace pace_;
  std::string trouble_;
  uv::Timer timer_;  // of the pace
  uv::Timer again_;  // as long as there is trouble
};

}  // namespace slc
