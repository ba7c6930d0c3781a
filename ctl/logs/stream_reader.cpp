#include "ctl/logs/stream_reader.h"

#include <algorithm>

namespace slc::ctl {
namespace {

constexpr std::size_t kReadBytes = 64U << 10;

}  // namespace

LogStreamReader::LogStreamReader(std::string directory, LogStream stream)
    : folder_(std::move(directory), stream) {}

// --- Where to begin ---

Status LogStreamReader::StartAtEnd() {
  auto opened = folder_.Open();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  auto current = folder_.OpenFile("", &warnings_);
  std::vector<std::string> stamps = folder_.StampsAfter("");
  if (current && !stamps.empty()) {
    // Put aside between the two calls above: it still is what we read first.
    const auto newest = folder_.OpenFile(stamps.back(), &warnings_);
    if (newest && newest->inode() == current->inode()) stamps.pop_back();
  }
  if (!stamps.empty()) after_ = stamps.back();
  if (!current) return Ok();
  const std::uint64_t end = EndOfLastLine(*current);
  Begin(std::move(current), LogPart{"", end, false});
  return Ok();
}

Status LogStreamReader::StartAt(Millis since) {
  auto opened = folder_.Open();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  for (const std::string& stamp : folder_.StampsAfter("")) {
    // No line in it is younger than the moment it was put aside.
    if (TimeOfStamp(stamp) < since) {
      after_ = stamp;
    } else {
      aside_.push_back(LogPart{stamp, 0, false});
    }
  }
  if (aside_.empty()) OpenNext();
  return Ok();
}

Status LogStreamReader::StartAfter(const LogPosition& position, std::uint64_t most) {
  auto opened = folder_.Open();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  LogRest rest = RestAfter(folder_, position, most, &warnings_);
  after_ = std::move(rest.after);
  aside_ = std::move(rest.aside);
  if (aside_.empty() && rest.file) Begin(std::move(rest.file), rest.current);
  return Ok();
}

std::vector<LogLine> LogStreamReader::Last(const LastLinesQuery& query) {
  if (!file_ && after_.empty()) return {};
  auto lines = LastLines(folder_, LogEnd{file_.get(), offset_, after_}, query, &warnings_);
  if (file_) file_->MoveTo(offset_);
  return lines;
}

// --- From file to file ---

void LogStreamReader::Begin(std::unique_ptr<LogFile> file, const LogPart& part) {
  file_ = std::move(file);
  stamp_ = part.stamp;
  // One byte earlier shows whether the offset is within a line.
  const bool look_back = part.within_line && part.offset > 0;
  offset_ = look_back ? part.offset - 1 : part.offset;
  skip_line_ = look_back;
  file_->MoveTo(offset_);
  buffer_.clear();
  begin_ = 0;
  searched_ = 0;
  files_.push_back(FileId{after_, file_->inode()});
  if (!std::exchange(stamped_, false)) {
    time_ = TimeOfStamp(after_);
    latest_ = stamp_.empty() ? file_->changed() : TimeOfStamp(stamp_);
  }
}

bool LogStreamReader::OpenNext() {
  if (!folder_.is_open()) {
    auto opened = folder_.Open();
    if (!opened) warnings_.push_back(opened.error().message);
    if (!opened || !*opened) return false;
  }
  while (true) {
    if (aside_.empty()) {
      auto current = folder_.OpenFile("", &warnings_);
      const std::vector<std::string> stamps = folder_.StampsAfter(after_);
      if (stamps.empty()) {
        if (!current) return false;
        Begin(std::move(current), LogPart{});
        return true;
      }
      for (const std::string& stamp : stamps) aside_.push_back(LogPart{stamp, 0, false});
    }
    const LogPart next = aside_.front();
    aside_.erase(aside_.begin());
    if (auto file = folder_.OpenFile(next.stamp, &warnings_)) {
      Begin(std::move(file), next);
      return true;
    }
    // Removed, to keep within the limit.
    after_ = next.stamp;
  }
}

bool LogStreamReader::CurrentWasCut() const {
  return file_->size() < offset_ + (buffer_.size() - begin_);
}

// The current file was read to its end and is not the current one any more: finds out which of the
// files put aside it is, so as not to read it again.
void LogStreamReader::LeaveCurrent() {
  LogPosition position;
  position.inode = file_->inode();
  position.offset = offset_;
  std::string tail(std::min<std::uint64_t>(offset_, kRememberedBytes), '\0');
  file_->MoveTo(offset_ - tail.size());
  if (file_->Read(tail.data(), tail.size()) == static_cast<ssize_t>(tail.size())) {
    position.Remember(tail);
  }
  const std::unique_ptr<LogFile> left = std::move(file_);  // open until it was found
  if (folder_.IsInPlace()) {
    after_ = StampOf(folder_, position, after_, &warnings_);
    return;
  }
  folder_.Close();
  after_.clear();
}

// --- From line to line ---

bool LogStreamReader::Next(LogLine* line) {
  while (true) {
    if (!file_ && !OpenNext()) return false;
    if (TakeLine(line)) return true;
    if (Fill()) continue;
    const bool complete = !stamp_.empty() || !folder_.IsCurrent(*file_);
    if (!complete) {
      if (!CurrentWasCut()) return false;
      // Somebody emptied it to make room: what is in it now is new.
      Begin(std::move(file_), LogPart{});
      continue;
    }
    // Nothing is added to a file once it has lost its name, but it may have been before we looked.
    if (stamp_.empty() && Fill()) continue;
    if (begin_ < buffer_.size() && !skip_line_) {
      TakeRest(line);
      return true;
    }
    if (stamp_.empty()) {
      LeaveCurrent();
    } else {
      after_ = stamp_;
      file_.reset();
    }
  }
}

LogPosition LogStreamReader::After(const LogLine& line) const {
  LogPosition position;
  position.after = files_[line.file].after;
  position.inode = files_[line.file].inode;
  position.offset = line.end;
  position.Remember(line.ended ? line.text + '\n' : line.text);
  return position;
}

bool LogStreamReader::Fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const ssize_t got = file_->Read(buffer_.data() + size, kReadBytes);
  if (std::string failure = file_->TakeFailure(); !failure.empty()) {
    warnings_.push_back(folder_.path() + ": " + failure);
  }
  buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

void LogStreamReader::Describe(LogLine* line, std::string_view text, bool ended) {
  const Millis stamp = stamps_.Parse(text);
  if (stamp >= 0) {
    time_ = stamp;
    latest_ = stamp;
    stamped_ = true;
  }
  line->text.assign(text);
  line->time = time_;
  line->latest = latest_;
  line->stream = folder_.stream();
  line->ended = ended;
  line->end = offset_;
  line->file = static_cast<std::uint32_t>(files_.size() - 1);
}

bool LogStreamReader::TakeLine(LogLine* line) {
  while (true) {
    const std::size_t newline = buffer_.find('\n', searched_);
    if (newline == std::string::npos) {
      searched_ = buffer_.size();
      return false;
    }
    const std::string_view text = std::string_view(buffer_).substr(begin_, newline - begin_);
    offset_ += text.size() + 1;
    begin_ = newline + 1;
    searched_ = begin_;
    if (std::exchange(skip_line_, false)) continue;
    Describe(line, text, true);
    return true;
  }
}

void LogStreamReader::TakeRest(LogLine* line) {
  const std::string_view text = std::string_view(buffer_).substr(begin_);
  offset_ += text.size();
  begin_ = buffer_.size();
  searched_ = begin_;
  Describe(line, text, false);
}

}  // namespace slc::ctl
