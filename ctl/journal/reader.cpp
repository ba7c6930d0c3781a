#include "ctl/journal/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/files.h"

namespace slc::ctl {
namespace {

// A journal is put aside at 4 MB; one of this size was not written by us.
constexpr std::uint64_t kMostBytes = 64U << 20;

// Empty without an error: there is none.
Result<UniqueFd> Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno != ENOENT) return SystemError("open " + path, errno);
  return fd;
}

// `text` consists of whole lines.
std::size_t StartOfLastLine(std::string_view text) {
  if (text.empty()) return 0;
  const std::size_t before = text.substr(0, text.size() - 1).rfind('\n');
  return before == std::string_view::npos ? 0 : before + 1;
}

}  // namespace

Result<std::string> JournalReader::ReadFrom(int fd, std::uint64_t& offset) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("look at the journal", errno);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kInvalid, home_ + "/journal is not a file"};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  // slcd has cut a torn line off.
  offset = std::min(offset, size);
  if (size - offset > kMostBytes)
    return Error{ErrorCode::kInvalid, home_ + "/journal is too large"};
  std::string text(static_cast<std::size_t>(size - offset), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t part =
        ::pread(fd, text.data() + got, text.size() - got, static_cast<off_t>(offset + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return SystemError("read " + home_ + "/journal", errno);
    if (part == 0) break;
    got += static_cast<std::size_t>(part);
  }
  text.resize(got);
  const std::size_t end = text.rfind('\n');
  text.resize(end == std::string::npos ? 0 : end + 1);
  offset += text.size();
  return text;
}

void JournalReader::Decode(const std::string& text, std::vector<JournalRecord>& records) {
  const JournalScan scan = ScanJournal(text, [&](std::string_view line) {
    auto record = DecodeJournalLine(line.substr(0, line.size() - 1));
    if (record) records.push_back(std::move(*record));
    last_line_ = line;
  });
  damaged_ += scan.damaged;
}

Result<std::vector<JournalRecord>> JournalReader::Last(std::size_t count, const Wanted& wanted,
                                                       const std::string& hint) {
  std::vector<JournalRecord> records;
  last_line_.clear();
  for (const char* name : {kJournalFile, kOlderJournalFile}) {
    auto fd = Open(home_ + "/" + name);
    if (!fd) return fd.error();
    const bool current = name == std::string_view(kJournalFile);
    if (current && !*fd) file_.reset();
    // Put aside between our two looks.
    if (!current && *fd && file_ && IsSameFile(fd->get(), file_.get())) continue;
    if (!*fd) continue;
    std::uint64_t offset = 0;
    auto text = ReadFrom(fd->get(), offset);
    if (!text) return text.error();
    if (current) {
      file_ = std::move(*fd);
      offset_ = offset;
      last_line_ = text->substr(StartOfLastLine(*text));
    }
    // From the end, so that what nobody asked for is not even looked at.
    std::string_view rest = *text;
    while (!rest.empty() && records.size() < count) {
      const std::size_t start = StartOfLastLine(rest);
      const std::string_view line = rest.substr(start, rest.size() - 1 - start);
      rest = rest.substr(0, start);
      if (!hint.empty() && line.find(hint) == std::string_view::npos) continue;
      auto record = DecodeJournalLine(line);
      if (!record) {
        ++damaged_;
      } else if (wanted(*record)) {
        records.push_back(std::move(*record));
      }
    }
  }
  std::reverse(records.begin(), records.end());
  return records;
}

Status JournalReader::Reopen() {
  auto fd = Open(home_ + "/" + kJournalFile);
  if (!fd) return fd.error();
  if (!*fd) return Ok();
  if (file_ && IsSameFile(fd->get(), file_.get())) return Ok();
  file_ = std::move(*fd);
  offset_ = 0;
  if (last_line_.empty()) return Ok();
  // A journal that was repaired has the lines of before; one that was begun anew has not.
  std::uint64_t end = 0;
  auto text = ReadFrom(file_.get(), end);
  if (!text) return text.error();
  const std::size_t at = text->rfind(last_line_);
  if (at != std::string::npos) offset_ = at + last_line_.size();
  return Ok();
}

Result<std::vector<JournalRecord>> JournalReader::Next() {
  std::vector<JournalRecord> records;
  // What was written to the old file before it was put aside comes first.
  for (int file = 0; file < 2; ++file) {
    if (file_) {
      auto text = ReadFrom(file_.get(), offset_);
      if (!text) return text.error();
      Decode(*text, records);
    }
    if (file == 0) {
      if (Status open = Reopen(); !open) return open.error();
    }
  }
  return records;
}

}  // namespace slc::ctl
