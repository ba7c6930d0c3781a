// FileWatches: the services with --watch, each with a FolderWatch as long as it is to run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/model/journal.h"
#include "common/model/view.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "daemon/core/registry.h"
#include "daemon/folder_watch.h"

namespace slc {

class FileWatches {
 public:
  struct Hands {
    std::function<bool(ServiceId id)> is_busy;  // it is being changed
    // `occasion`: what has changed, for people.
    std::function<void(ServiceId id, const std::string& occasion)> restart;
    std::function<void(ServiceId id, JournalRecord record)> on_record;
  };
  // `home`: the path of slcd's. All but `hands` outlives this.
  FileWatches(uv::Loop& loop, const Registry& registry, uv::DiskThread& disk, std::string home,
              Hands hands);

  // Takes up all services. Before, Settle() does nothing.
  void Begin();
  // The wish may have changed, or is gone.
  void Settle(ServiceId id);
  // Fills in what is watched, and why not all is well.
  void Describe(ServiceView& view) const;

 private:
  struct Entry {
    std::string directory;
    std::vector<std::string> only;
    Generation generation = 0;
    std::unique_ptr<FolderWatch> watch;
  };

  uv::Loop& loop_;
  const Registry& registry_;
  uv::DiskThread& disk_;
  const std::string home_;
  const Hands hands_;
  std::map<ServiceId, Entry> entries_;
  bool begun_ = false;
};

}  // namespace slc
