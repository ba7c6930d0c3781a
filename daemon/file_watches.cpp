#include "daemon/file_watches.h"

#include <utility>

namespace slc {

FileWatches::FileWatches(uv::Loop& loop, const Registry& registry, uv::DiskThread& disk,
                         std::string home, Hands hands)
    : loop_(loop),
      registry_(registry),
      disk_(disk),
      home_(std::move(home)),
      hands_(std::move(hands)) {}

void FileWatches::Begin() {
  begun_ = true;
  for (const auto& [id, wish] : registry_.wishes()) Settle(id);
}

void FileWatches::Settle(ServiceId id) {
  if (!begun_) return;
  const Wish* wish = registry_.Get(id);
  const bool wanted = wish != nullptr && wish->run && !wish->removing && wish->spec.watch &&
                      !wish->spec.directory.empty();
  if (!wanted) {
    entries_.erase(id);
    return;
  }
  Entry& entry = entries_[id];
  const ServiceSpec& spec = wish->spec;
  if (entry.watch && entry.directory == spec.directory && entry.only == spec.watch_only) {
    if (std::exchange(entry.generation, wish->generation) != wish->generation) {
      entry.watch->LookAgain();
    }
    return;
  }
  entry = Entry{spec.directory, spec.watch_only, wish->generation, nullptr};
  FolderWatch::Hands hands;
  hands.is_busy = [this, id] { return hands_.is_busy(id); };
  hands.restart = [this, id](const std::string& occasion) { hands_.restart(id, occasion); };
  hands.tell = [this, id](const char* kind, const std::string& text) {
    JournalRecord record;
    record.kind = kind;
    record.text = text;
    hands_.on_record(id, std::move(record));
  };
  entry.watch = std::make_unique<FolderWatch>(loop_, disk_, spec.directory, spec.watch_only, home_,
                                              std::move(hands));
}

void FileWatches::Describe(ServiceView& view) const {
  const auto found = entries_.find(view.id);
  if (found == entries_.end()) return;
  view.watch = found->second.watch->Describe();
  view.watch_trouble = found->second.watch->Trouble();
}

}  // namespace slc
