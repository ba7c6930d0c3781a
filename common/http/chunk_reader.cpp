#include "common/http/chunk_reader.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "common/base/text.h"
#include "common/http/head_lines.h"

namespace slc::http {
namespace {

constexpr std::string_view kLongerThanItsSize = "a chunk is longer than its size";

// "1f;name=value" -> 31; an extension is looked at only for bytes that belong in no line.
std::optional<std::uint64_t> ChunkSize(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  const bool clean = std::all_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) >= 0x20 || c == '\t') && c != 0x7f;
  });
  return whole && clean && size <= kMostLength ? std::optional(size) : std::nullopt;
}

}  // namespace

std::size_t ChunkReader::MostOfLine() const {
  switch (expected_) {
    case Expected::kSize:
      return kMostHead;
    case Expected::kTrailer:
      return kMostTrailers - trailers_;
    case Expected::kEndOfData:
    case Expected::kNothing:
      break;
  }
  return kLineEnd.size();
}

ChunkReader::Event ChunkReader::Refuse(std::string_view reason) {
  reason_ = reason;
  return Event::kRefused;
}

ChunkReader::Event ChunkReader::Next(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      data_ = bytes.substr(0, count);
      bytes.remove_prefix(count);
      left_ -= count;
      return Event::kData;
    }
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    const std::size_t most = MostOfLine();
    line_.append(piece.substr(0, most + 1));
    bytes.remove_prefix(piece.size());
    if (line_.size() > most) {
      if (expected_ == Expected::kSize)
        return Refuse("the head of a chunk is longer than 320 bytes");
      if (expected_ == Expected::kTrailer) return Refuse("the trailers are longer than 4 KiB");
      return Refuse(kLongerThanItsSize);
    }
    if (end == std::string_view::npos) return Event::kMore;
    if (!EndsWith(line_, kLineEnd) || line_.find('\r') != line_.size() - kLineEnd.size()) {
      return Refuse("a line between chunks does not end with CR LF");
    }
    const std::string line = line_.substr(0, line_.size() - kLineEnd.size());
    line_.clear();
    if (const auto wrong = TakeLine(line)) return Refuse(*wrong);
    if (expected_ == Expected::kNothing) return Event::kEnd;
  }
  return Event::kMore;
}

std::optional<std::string_view> ChunkReader::TakeLine(std::string_view line) {
  if (expected_ == Expected::kEndOfData) {
    expected_ = Expected::kSize;
    return line.empty() ? std::nullopt : std::optional(kLongerThanItsSize);
  }
  if (expected_ == Expected::kTrailer) {
    trailers_ += line.size() + kLineEnd.size();
    if (!line.empty()) return FaultOfHeader(line);
    expected_ = Expected::kNothing;
    return std::nullopt;
  }
  const auto size = ChunkSize(line);
  if (!size) return "a chunk does not begin with its size";
  left_ = *size;
  expected_ = left_ > 0 ? Expected::kEndOfData : Expected::kTrailer;
  return std::nullopt;
}

}  // namespace slc::http
