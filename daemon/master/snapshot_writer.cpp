#include "daemon/master/snapshot_writer.h"

#include <string>

#include "common/base/log.h"
#include "common/model/json.h"
#include "common/wire/link.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

constexpr std::size_t kFirstBytes = 16U << 10;

}  // namespace

void SnapshotWriter::Continue(UniqueFd memfd) {
  auto snapshot = Snapshot::Continue(std::move(memfd));
  if (snapshot) snapshot_ = std::move(*snapshot);
}

void SnapshotWriter::Start() {
  auto snapshot = Snapshot::Create(kFirstBytes);
  if (!snapshot) {
    log::Failure("no snapshot: " + snapshot.error().message);
    return;
  }
  snapshot_ = std::move(*snapshot);
  changed_ = true;
  Save();
  safekeeping_.Store(KeptFds());
}

void SnapshotWriter::Save() {
  if (!changed_ || !snapshot_) return;
  changed_ = false;
  const std::string text = EncodeInstanceState(gather_());
  if (snapshot_->Write(text)) return;
  auto larger = Snapshot::Create(text.size() * 2);
  if (!larger) {
    log::Failure("the snapshot cannot grow: " + larger.error().message);
    return;
  }
  snapshot_ = std::move(*larger);
  snapshot_->Write(text);
  safekeeping_.Store(KeptFds());
}

std::vector<KeptFd> SnapshotWriter::KeptFds() const {
  if (!snapshot_) return {};
  return {{link::kStateName, snapshot_->fd()}};
}

}  // namespace slc
