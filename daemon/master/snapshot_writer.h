// SnapshotWriter: keeps the snapshot as new as the deeds of this master.
//
// Whoever takes over knows only what is written here. So Save() comes *before* a worker is spawned,
// drained, terminated or killed, and before a message of a worker is consumed whose answer it will
// not ask for again. A change that is followed by no such deed is written at the end of the turn of
// events that made it (Instance::Feed).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "common/model/instance.h"
#include "daemon/master/safekeeping.h"
#include "daemon/master/snapshot.h"

namespace slc {

class SnapshotWriter {
 public:
  // `gather` tells the state of the moment.
  SnapshotWriter(Safekeeping& safekeeping, std::function<InstanceState()> gather)
      : safekeeping_(safekeeping), gather_(std::move(gather)) {}

  // Goes on in the memfd of a predecessor, if it is whole.
  void Continue(UniqueFd memfd);
  // Makes a new snapshot, writes it and stores it with slcd.
  void Start();
  bool started() const { return wanted_; }

  void NoteChange() { changed_ = true; }
  // Writes if something has changed since. Nothing is written before Start() or Continue(). What
  // the system has no memory or descriptor for is tried again by the next call.
  void Save();

  std::vector<KeptFd> KeptFds() const;

 private:
  bool Renew(const std::string& text);

  Safekeeping& safekeeping_;
  std::function<InstanceState()> gather_;
  std::optional<Snapshot> snapshot_;
  bool wanted_ = false;
  bool changed_ = false;
  bool failing_ = false;
};

}  // namespace slc
