#include "ctl/logs/rest.h"

#include <cstddef>
#include <utility>

namespace slc::ctl {
namespace {

// Whether the file with the index `i` after the position's stamp is the one of the position: known
// by its inode or, since compressing makes a new one, by its place.
bool IsFileOf(const LogPosition& position, const LogFile& file, std::size_t i) {
  return file.compressed() ? i == 0 : file.inode() == position.inode;
}

// Forgets files at the front, and the front of the first one left, that are not among the last
// `most` bytes.
void KeepLast(LogFolder& folder, LogRest* rest, std::uint64_t most,
              std::vector<std::string>* warnings) {
  std::uint64_t kept = 0;
  // True: `part` is where the last `most` bytes begin.
  const auto reaches = [&](LogPart& part, const LogFile* file) {
    const std::uint64_t size = file != nullptr ? file->size() : 0;
    const std::uint64_t length = size > part.offset ? size - part.offset : 0;
    if (kept + length < most) {
      kept += length;
      return false;
    }
    if (!file->compressed() && kept + length > most) {
      part.offset = size - (most - kept);
      part.within_line = true;
    }
    return true;
  };
  std::vector<LogPart>& aside = rest->aside;
  std::size_t first = aside.size();
  if (!reaches(rest->current, rest->file.get())) {
    while (first > 0) {
      const auto file = folder.OpenFile(aside[--first].stamp, warnings);
      if (reaches(aside[first], file.get())) break;
    }
  }
  if (first > 0) rest->after = aside[first - 1].stamp;
  aside.erase(aside.begin(), aside.begin() + static_cast<std::ptrdiff_t>(first));
}

}  // namespace

LogRest RestAfter(LogFolder& folder, const LogPosition& position, std::uint64_t most,
                  std::vector<std::string>* warnings) {
  LogRest rest;
  rest.file = folder.OpenFile("", warnings);
  std::vector<LogPart>& aside = rest.aside;
  for (const std::string& stamp : folder.StampsAfter(position.after)) {
    aside.push_back(LogPart{stamp, 0, false});
  }
  std::size_t first = aside.size();
  bool current_was_put_aside = false;
  for (std::size_t i = 0; i < aside.size(); ++i) {
    const auto file = folder.OpenFile(aside[i].stamp, warnings);
    if (!file) continue;
    if (rest.file && file->inode() == rest.file->inode()) current_was_put_aside = true;
    if (first == aside.size() && IsFileOf(position, *file, i) && Matches(*file, position)) {
      first = i;
    }
  }
  if (current_was_put_aside) rest.file.reset();
  if (first < aside.size()) {
    aside[first].offset = position.offset;
  } else if (rest.file && rest.file->inode() == position.inode && Matches(*rest.file, position)) {
    rest.current.offset = position.offset;
  } else {
    // It is gone, or this is the first time: all that is younger is new.
    first = 0;
  }
  rest.after = first > 0 ? aside[first - 1].stamp : position.after;
  aside.erase(aside.begin(), aside.begin() + static_cast<std::ptrdiff_t>(first));
  KeepLast(folder, &rest, most, warnings);
  return rest;
}

std::string StampOf(LogFolder& folder, const LogPosition& position, const std::string& after,
                    std::vector<std::string>* warnings) {
  const std::vector<std::string> stamps = folder.StampsAfter(after);
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    const auto file = folder.OpenFile(stamps[i], warnings);
    if (!file || !IsFileOf(position, *file, i)) continue;
    if (!file->compressed()) return stamps[i];
    // An empty one cannot be told from others.
    if (position.offset > 0 && Matches(*file, position)) return stamps[i];
  }
  return after;
}

}  // namespace slc::ctl
