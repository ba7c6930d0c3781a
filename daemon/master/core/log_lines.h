// Lines of a worker's output: bytes in, whole lines out, and how a line looks in a log file.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/log_names.h"
#include "common/base/time.h"
#include "common/model/service.h"

namespace slc {

// Longer lines are cut into pieces of this many bytes.
inline constexpr std::size_t kLongestLine = 16U << 10;

// LineSplitter cuts the output of one pipe into lines and keeps what has no end yet. A line ends
// with
// "\n" or "\r\n", which is not part of it.
//
// Whoever takes the lines may refuse one (there is no room now); nothing is lost then: what Feed()
// reports as used is kept here, the rest is to be fed again.
class LineSplitter {
 public:
  // Calls `take(line)` for each whole line, in order, until it returns false. Returns how many of
  // the bytes were used. A refused line that had begun in an earlier call is kept and offered again
  // first; Feed("") is a way to ask for that. The view given to `take` is good only during the call
  // if the line began in an earlier one, else as long as `bytes`.
  template <typename Take>
  std::size_t Feed(std::string_view bytes, Take&& take);

  // The output has ended: what is left is a line. False if it was refused.
  template <typename Take>
  bool Rest(Take&& take);

  bool empty() const { return partial_.empty(); }
  // What has no end yet; GoOn() takes up that of another splitter, whose output goes on here.
  const std::string& partial() const { return partial_; }
  void GoOn(std::string partial) { partial_ = std::move(partial); }

 private:
  // True if `text`, of which nothing ends a line, is so long that a piece must be cut off. A "\r"
  // just behind the longest line may turn out to be part of its end.
  static bool TooLong(std::string_view text) {
    if (text.size() == kLongestLine + 1) return text.back() != '\r';
    return text.size() > kLongestLine;
  }
  // The line in `text`, which ends with "\n".
  static std::string_view WithoutEnd(std::string_view text) {
    text.remove_suffix(1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    return text;
  }
  template <typename Take>
  bool OfferPartial(Take& take, bool* undecided);
  void ClearPartial();

  // The beginning of a line; or one or two bytes more than the longest line; or a refused line with
  // its end.
  std::string partial_;
};

// LineHead is what stands before (and behind) the lines of one worker and stream that were read at
// one moment. Made once per read, since making it costs more than writing a line.
//
//   text  2026-11-22T17:16:38.688Z pid:27466 worker:1 TEXT
//   json  {"time":"2026-11-22T17:16:38.688Z","pid":27466,"worker":1,"stream":"out","text":"TEXT"}
//   raw   TEXT
//
// Text and raw pass all bytes through. JSON replaces what is not UTF-8 by U+FFFD.
class LineHead {
 public:
  LineHead(LogFormat format, LogStream stream, Millis wall, int pid, WorkerId worker);

  LogFormat format() const { return format_; }
  LogStream stream() const { return stream_; }
  Millis wall() const { return wall_; }

  // The most bytes Write() touches for a text of this size.
  std::size_t Room(std::size_t text_size) const {
    return kMostHead + (format_ == LogFormat::kJson ? text_size * 6 : text_size) + 4;
  }
  // What Write() writes for it, where nothing has to be escaped.
  std::size_t Length(std::size_t text_size) const { return size_ + text_size + 1; }
  // Writes the whole line with its "\n" and returns where it ends. Room() bytes from `to` on may be
  // overwritten.
  char* Write(char* to, std::string_view text) const;

 private:
  static constexpr std::size_t kMostHead = 128;

  LogFormat format_;
  LogStream stream_;
  Millis wall_;
  std::size_t size_ = 0;
  std::array<char, kMostHead> head_{};
};

template <typename Take>
std::size_t LineSplitter::Feed(std::string_view bytes, Take&& take) {
  std::size_t used = 0;
  while (!partial_.empty()) {
    bool undecided = false;
    if (!OfferPartial(take, &undecided)) return used;
    if (!undecided) continue;
    if (used == bytes.size()) return used;
    const std::string_view rest = bytes.substr(used, kLongestLine + 2 - partial_.size());
    const std::size_t end = rest.find('\n');
    const std::size_t count = end == std::string_view::npos ? rest.size() : end + 1;
    partial_.append(rest.substr(0, count));
    used += count;
  }
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    const void* found = std::memchr(rest.data(), '\n', rest.size());
    if (found == nullptr) {
      if (!TooLong(rest)) {
        partial_.assign(rest);
        return bytes.size();
      }
      if (!take(rest.substr(0, kLongestLine))) return used;
      used += kLongestLine;
      continue;
    }
    const auto count = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data()) + 1;
    const std::string_view line = WithoutEnd(rest.substr(0, count));
    if (line.size() > kLongestLine) {
      if (!take(rest.substr(0, kLongestLine))) return used;
      used += kLongestLine;
      continue;
    }
    if (!take(line)) return used;
    used += count;
  }
  return used;
}

template <typename Take>
bool LineSplitter::OfferPartial(Take& take, bool* undecided) {
  const std::string_view text(partial_);
  if (text.back() == '\n') {
    const std::string_view line = WithoutEnd(text);
    if (line.size() <= kLongestLine) {
      if (!take(line)) return false;
      ClearPartial();
      return true;
    }
  } else if (!TooLong(text)) {
    *undecided = true;
    return true;
  }
  if (!take(text.substr(0, kLongestLine))) return false;
  partial_.erase(0, kLongestLine);
  return true;
}

template <typename Take>
bool LineSplitter::Rest(Take&& take) {
  while (!partial_.empty()) {
    bool undecided = false;
    if (!OfferPartial(take, &undecided)) return false;
    if (!undecided) continue;
    // At most one byte more than a line may have: the "\r" whose "\n" never came.
    const std::string_view text = std::string_view(partial_).substr(0, kLongestLine);
    if (!take(text)) return false;
    ClearPartial();
  }
  return true;
}

}  // namespace slc
