#include "daemon/master/core/log_lines.h"

#include <algorithm>
#include <cstdint>

#include "common/base/text.h"

namespace slc {
namespace {

char* Append(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

// True if each of the eight bytes stands for itself in JSON: 0x20..0x7e without '"' and '\\'.
bool AllPlain(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = kOnes * 0x80;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  // For bytes below 0x80, (x - n) sets the high bit if x < n, ((x ^ c) - 1) if x == c, (x + 1) if
  // x == 0x7f. A borrow may also mark a byte above one that is marked: no harm.
  const std::uint64_t marks = word | (word - kOnes * 0x20) | ((word ^ (kOnes * '"')) - kOnes) |
                              ((word ^ (kOnes * '\\')) - kOnes) | (word + kOnes);
  return (marks & kHighBits) == 0;
}

char* AppendEscaped(char* to, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  while (!text.empty()) {
    while (text.size() >= 8 && AllPlain(text.data())) {
      std::memcpy(to, text.data(), 8);
      to += 8;
      text.remove_prefix(8);
    }
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t used = 1;
    if (byte == '"' || byte == '\\') {
      *to++ = '\\';
      *to++ = static_cast<char>(byte);
    } else if (byte == '\t') {
      to = Append(to, "\\t");
    } else if (byte < 0x20 || byte == 0x7f) {
      to = Append(to, "\\u00");
      *to++ = kHex[byte >> 4];
      *to++ = kHex[byte & 15];
    } else if (byte < 0x80) {
      *to++ = static_cast<char>(byte);
    } else if (const std::size_t size = Utf8CharacterSize(text); size > 0) {
      to = Append(to, text.substr(0, size));
      used = size;
    } else {
      to = Append(to, "\xef\xbf\xbd");
    }
    text.remove_prefix(used);
  }
  return to;
}

}  // namespace

void LineSplitter::ClearPartial() {
  // Room for a line cut by the end of a read is kept; that of a long one is given back.
  if (partial_.capacity() > 1024) {
    std::string().swap(partial_);
  } else {
    partial_.clear();
  }
}

LineHead::LineHead(LogFormat format, LogStream stream, Millis wall, int pid, WorkerId worker)
    : format_(format), stream_(stream), wall_(wall) {
  std::string head;
  if (format == LogFormat::kText) {
    head =
        FormatIso(wall) + " pid:" + std::to_string(pid) + " worker:" + std::to_string(worker) + " ";
  } else if (format == LogFormat::kJson) {
    head = R"({"time":")" + FormatIso(wall) + R"(","pid":)" + std::to_string(pid) +
           R"(,"worker":)" + std::to_string(worker) + R"(,"stream":")" + Name(stream) +
           R"(","text":")";
  }
  size_ = std::min(head.size(), head_.size());
  std::memcpy(head_.data(), head.data(), size_);
}

char* LineHead::Write(char* to, std::string_view text) const {
  if (format_ == LogFormat::kJson) {
    to = Append(to, {head_.data(), size_});
    to = AppendEscaped(to, text);
    return Append(to, "\"}\n");
  }
  if (format_ == LogFormat::kText) {
    // A copy of fixed size takes four moves where a call would need a branch for each size.
    std::memcpy(to, head_.data(), 64);
    to += size_;
  }
  to = Append(to, text);
  *to++ = '\n';
  return to;
}

}  // namespace slc
