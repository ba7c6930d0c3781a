#include "daemon/journal_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/base/files.h"

namespace slc {
namespace {

// The last `most` bytes of a file; false if it has more, or cannot be read.
bool ReadEnd(int home, const char* name, std::size_t most, std::string& text) {
  const UniqueFd file(::openat(home, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return errno == ENOENT;
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const auto size = static_cast<std::size_t>(info.st_size);
  const std::size_t wanted = std::min(size, most);
  text.resize(wanted);
  std::size_t got = 0;
  while (got < wanted) {
    const ssize_t part = ::pread(file.get(), text.data() + got, wanted - got,
                                 static_cast<off_t>(size - wanted + got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  text.resize(got);
  return got == size;
}

}  // namespace

JournalEnd ReadJournalEnd(int home) {
  constexpr std::size_t kMost = 256U << 10;
  JournalEnd end;
  end.whole = ReadEnd(home, kJournalFile, kMost, end.text);
  if (!end.whole || end.text.size() == kMost) return end;
  // It was begun anew not long ago.
  std::string older;
  end.whole = ReadEnd(home, kOlderJournalFile, kMost - end.text.size(), older);
  end.text.insert(0, older);
  return end;
}

Status JournalFile::Append(std::string_view lines) {
  if (file_ && !IsInPlace()) file_.reset();
  if (!file_) {
    if (Status open = Open(); !open) {
      file_.reset();
      return open;
    }
  }
  if (size_ > 0 && size_ + lines.size() > most_bytes_) {
    if (Status rotated = Rotate(); !rotated) return rotated;
  }
  if (Status written = WriteAll(file_.get(), lines); !written) {
    // If this fails too, Open() will find the torn line.
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0);
    file_.reset();
    return written.error().During(kJournalFile);
  }
  size_ += lines.size();
  unsynced_ = true;
  return Ok();
}

Status JournalFile::Sync() {
  const bool file = std::exchange(unsynced_, false);
  const bool name = std::exchange(name_unsynced_, false);
  if (file && file_ && ::fdatasync(file_.get()) != 0) {
    return SystemError(std::string("fdatasync of ") + kJournalFile, errno);
  }
  if (name && ::fsync(home_) != 0) {
    return SystemError(std::string("fsync of the directory of ") + kJournalFile, errno);
  }
  return Ok();
}

std::vector<std::string> JournalFile::TakeWarnings() { return std::exchange(warnings_, {}); }

Status JournalFile::Open() {
  // Not blocked by a fifo, nor led astray by a link that somebody has put there.
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  file_.reset(::openat(home_, kJournalFile, kFlags, 0600));
  if (!file_) return SystemError(std::string("open ") + kJournalFile, errno);
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) {
    return SystemError(std::string("look at ") + kJournalFile, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kStorage, std::string(kJournalFile) + " is not a file; move it away"};
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  name_unsynced_ = true;
  // Not written by us, and too much to be looked through: it is kept as it is.
  if (size_ > 2 * most_bytes_) return Rotate();
  return Recover();
}

Status JournalFile::Recover() {
  auto text = ReadFileAt(home_, kJournalFile, 2 * most_bytes_);
  if (!text) return text.error();
  const JournalScan scan = ScanJournal(*text);
  if (scan.damaged == 0) {
    size_ = text->size() - scan.torn;
    if (scan.torn > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
      return SystemError(std::string("cut the torn last line of ") + kJournalFile, errno);
    }
    return Ok();
  }
  Status kept = ReplaceFileAt(home_, kDamagedJournalFile, *text, false);
  if (!kept) return kept;
  std::string sound;
  ScanJournal(*text, [&](std::string_view line) { sound += line; });
  if (Status replaced = ReplaceFileAt(home_, kJournalFile, sound, false); !replaced) {
    return replaced;
  }
  warnings_.push_back(std::string(kJournalFile) + " had " + std::to_string(scan.damaged) +
                      " damaged lines; it was kept as " + kDamagedJournalFile +
                      " and goes on with the " + std::to_string(scan.sound) + " sound ones");
  return Open();
}

Status JournalFile::Rotate() {
  if (::renameat(home_, kJournalFile, home_, kOlderJournalFile) != 0) {
    file_.reset();
    return SystemError(std::string("rename ") + kJournalFile + " to " + kOlderJournalFile, errno);
  }
  // What the file was still to be synced for is on its way with the rename, or lost with the power.
  Status synced = Sync();
  file_.reset();
  Status open = Open();
  return open ? synced : open;
}

bool JournalFile::IsInPlace() const { return IsFileAt(file_.get(), home_, kJournalFile); }

}  // namespace slc
