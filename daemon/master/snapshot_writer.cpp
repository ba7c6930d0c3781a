#include "daemon/master/snapshot_writer.h"

#include <algorithm>
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
  if (!snapshot) return;
  snapshot_ = std::move(*snapshot);
  wanted_ = true;
}

void SnapshotWriter::Start() {
  wanted_ = true;
  changed_ = true;
  Save();
}

void SnapshotWriter::Save() {
  if (!changed_ || !wanted_) return;
  const std::string text = EncodeInstanceState(gather_());
  const bool written = (snapshot_ && snapshot_->Write(text)) || Renew(text);
  if (written == failing_) {
    failing_ = !written;
    if (written) log::Info("the state is written again");
  }
  changed_ = !written;
}

// A new one with more room.
bool SnapshotWriter::Renew(const std::string& text) {
  auto larger = Snapshot::Create(std::max(kFirstBytes, text.size() * 2));
  if (!larger || !larger->Write(text)) {
    if (failing_) return false;
    log::Failure("the state cannot be written, a successor would know an older one: " +
                 (larger ? std::string("no memory") : larger.error().message));
    return false;
  }
  snapshot_ = std::move(*larger);
  safekeeping_.Store(KeptFds());
  return true;
}

std::vector<KeptFd> SnapshotWriter::KeptFds() const {
  if (!snapshot_) return {};
  return {{link::kStateName, snapshot_->fd()}};
}

}  // namespace slc
