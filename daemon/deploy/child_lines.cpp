#include "daemon/deploy/child_lines.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/text.h"

namespace slc::deploy {

ChildLines::ChildLines(uv::Loop& loop, UniqueFd pipe,
                       std::function<void(const std::string& line)> tell)
    : pipe_(std::move(pipe)),
      tell_(std::move(tell)),
      poll_(loop, pipe_.get(), [this](uv::Poll::Ready) { Read(); }) {
  poll_.Watch(true, false);
}

bool ChildLines::Read() {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(pipe_.get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    poll_.Watch(false, false);
    return false;
  }
  Take({buffer.data(), static_cast<std::size_t>(got)});
  return true;
}

void ChildLines::Take(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      Tell();
    } else if (line_.size() < kLongest) {
      line_ += c;
    }
  }
}

void ChildLines::Tell() {
  while (!line_.empty() && line_.back() == '\r') line_.pop_back();
  // What redraws its line is told as it stands in the end.
  const std::string line = Printable(line_.substr(line_.rfind('\r') + 1));
  line_.clear();
  last_.push_back(line);
  if (last_.size() > kKept) last_.pop_front();
  if (told_ < kMost) tell_(line);
  if (++told_ == kMost) tell_("(more lines are not shown)");
}

void ChildLines::Finish() {
  // Not for ever: what it has started may go on printing.
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads && Read(); ++i) {
  }
  if (!line_.empty()) Tell();
  poll_.Watch(false, false);
}

}  // namespace slc::deploy
