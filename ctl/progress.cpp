#include "ctl/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/text.h"
#include "ctl/output.h"

namespace slc::ctl {

void ProgressText::On(const Progress& progress) {
  note_ = progress.kind == "note" ? progress.text : std::string();
  if (progress.kind == "worker_ready") {
    ++ready_;
    draining_ = false;
  } else if (progress.kind == "worker_draining") {
    draining_ = true;
  } else if (progress.kind == "worker_exited") {
    draining_ = false;
  }
}

std::string ProgressText::Line(Millis elapsed) const {
  std::string line = doing_;
  if (!note_.empty())
    return line + ": " + note_ + " ... (" + std::to_string(elapsed / 1000) + " s)";
  if (total_ && *total_ > 0) {
    // While a predecessor drains, its successor is ready already.
    const std::uint32_t current = std::min(ready_ + (draining_ ? 0 : 1), *total_);
    line += ": worker " + std::to_string(std::max(current, 1U)) + " of " + std::to_string(*total_);
    if (draining_) line += ", the old one drains";
  } else if (ready_ > 0) {
    line += ": " + std::to_string(ready_) + (ready_ == 1 ? " worker" : " workers") + " ready";
  }
  return line + " ... (" + std::to_string(elapsed / 1000) + " s)";
}

void ProgressLine::Show(const std::string& line) {
  if (!enabled_) return;
  std::size_t columns = 80;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) columns = size.ws_col;
  std::string text = Printable(line);
  if (text.size() >= columns) text.resize(columns - 1);
  if (text == shown_) return;
  Remark("\r" + text + "\x1b[K");
  shown_ = text;
}

void ProgressLine::Clear() {
  if (shown_.empty()) return;
  Remark("\r\x1b[K");
  shown_.clear();
}

}  // namespace slc::ctl
