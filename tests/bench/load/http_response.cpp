#include "tests/bench/load/http_response.h"

#include <algorithm>
#include <charconv>

namespace slc::load {
namespace {

constexpr std::size_t kMostLineBytes = 64 * 1024;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `lower` is already in lower case.
bool EqualsNoCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return Lower(a) == b; });
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool HasToken(std::string_view list, std::string_view lower_token) {
  while (true) {
    std::size_t comma = list.find(',');
    if (EqualsNoCase(TrimBlanks(list.substr(0, comma)), lower_token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool ParseUnsigned(std::string_view text, int base, std::uint64_t& value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc() && stop == end;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::size_t ResponseParser::Feed(std::string_view bytes) {
  const std::size_t given = bytes.size();
  if (given > 0) started_ = true;
  while (!bytes.empty()) {
    switch (state_) {
      case State::kComplete:
      case State::kFailed:
        return given - bytes.size();
      case State::kFixedBody:
      case State::kChunkData: {
        std::uint64_t taken = std::min<std::uint64_t>(left_, bytes.size());
        left_ -= taken;
        body_bytes_ += taken;
        bytes.remove_prefix(static_cast<std::size_t>(taken));
        if (left_ == 0) {
          state_ = state_ == State::kFixedBody ? State::kComplete : State::kChunkEnd;
        }
        break;
      }
      case State::kBodyUntilEof:
        body_bytes_ += bytes.size();
        bytes = {};
        break;
      default: {
        std::string_view line;
        if (TakeLine(bytes, line)) OnLine(line);
      }
    }
  }
  return given;
}

void ResponseParser::FeedEof() {
  if (state_ == State::kBodyUntilEof) state_ = State::kComplete;
}

void ResponseParser::Reset() {
  ResetHead();
  started_ = false;
  body_bytes_ = 0;
  line_bytes_ = 0;
  partial_.clear();
  error_.clear();
}

// What an interim response must not leave behind for the final one.
void ResponseParser::ResetHead() {
  state_ = State::kStatusLine;
  keeps_alive_ = true;
  has_length_ = false;
  chunked_ = false;
  status_ = 0;
  length_ = 0;
  left_ = 0;
  worker_.clear();
}

// Takes a line (without its end) or, when it has not ended, keeps what there is of it.
bool ResponseParser::TakeLine(std::string_view& bytes, std::string_view& line) {
  std::size_t newline = bytes.find('\n');
  std::size_t taken = newline == std::string_view::npos ? bytes.size() : newline + 1;
  line_bytes_ += taken;
  if (line_bytes_ > kMostLineBytes) {
    Fail("more than 64 KiB of headers or chunk lines");
    return false;
  }
  if (newline == std::string_view::npos) {
    partial_ += bytes;
    bytes = {};
    return false;
  }
  line = bytes.substr(0, newline);
  bytes.remove_prefix(taken);
  if (!partial_.empty()) {
    line_.assign(partial_).append(line);
    partial_.clear();
    line = line_;
  }
  if (line.empty() || line.back() != '\r') {
    Fail("a line does not end in CR LF");
    return false;
  }
  line.remove_suffix(1);
  return true;
}

void ResponseParser::OnLine(std::string_view line) {
  switch (state_) {
    case State::kStatusLine:
      OnStatusLine(line);
      break;
    case State::kHeader:
      if (line.empty()) {
        OnHeadersEnd();
      } else {
        OnHeader(line);
      }
      break;
    case State::kChunkSize:
      OnChunkSize(line);
      break;
    case State::kChunkEnd:
      if (!line.empty()) return Fail("a chunk is longer than its size");
      // Chunk lines of a long body are no endless head.
      line_bytes_ = 0;
      state_ = State::kChunkSize;
      break;
    case State::kTrailer:
      if (line.empty()) state_ = State::kComplete;
      break;
    default:
      break;
  }
}

void ResponseParser::OnStatusLine(std::string_view line) {
  bool well_formed = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && IsDigit(line[7]) &&
                     line[8] == ' ' && IsDigit(line[9]) && IsDigit(line[10]) && IsDigit(line[11]) &&
                     (line.size() == 12 || line[12] == ' ');
  if (!well_formed) return Fail("no HTTP/1.x status line");
  status_ = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status_ < 100) return Fail("no HTTP/1.x status line");
  keeps_alive_ = line[7] != '0';
  state_ = State::kHeader;
}

void ResponseParser::OnHeader(std::string_view line) {
  std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || line[0] == ' ' || line[0] == '\t') {
    return Fail("malformed header line");
  }
  std::string_view name = line.substr(0, colon);
  std::string_view value = TrimBlanks(line.substr(colon + 1));
  switch (name.size()) {
    case 8:
      if (EqualsNoCase(name, "x-worker")) worker_ = value;
      break;
    case 10:
      if (EqualsNoCase(name, "connection")) {
        if (HasToken(value, "close")) {
          keeps_alive_ = false;
        } else if (HasToken(value, "keep-alive")) {
          keeps_alive_ = true;
        }
      }
      break;
    case 14:
      if (EqualsNoCase(name, "content-length")) {
        std::uint64_t length = 0;
        if (!ParseUnsigned(value, 10, length)) return Fail("malformed content-length");
        if (has_length_ && length != length_) return Fail("two different content-lengths");
        has_length_ = true;
        length_ = length;
      }
      break;
    case 17:
      if (EqualsNoCase(name, "transfer-encoding")) {
        if (!EqualsNoCase(value, "chunked")) return Fail("unknown transfer-encoding");
        chunked_ = true;
      }
      break;
    default:
      break;
  }
}

void ResponseParser::OnHeadersEnd() {
  if (chunked_ && has_length_) return Fail("both chunked and content-length");
  if (status_ < 200 && status_ != 101) {
    ResetHead();
  } else if (status_ == 204 || status_ == 304) {
    state_ = State::kComplete;
  } else if (chunked_) {
    state_ = State::kChunkSize;
  } else if (has_length_) {
    left_ = length_;
    state_ = left_ == 0 ? State::kComplete : State::kFixedBody;
  } else {
    keeps_alive_ = false;
    state_ = State::kBodyUntilEof;
  }
}

void ResponseParser::OnChunkSize(std::string_view line) {
  // A chunk extension is legal and means nothing to us.
  std::string_view size = TrimBlanks(line.substr(0, line.find(';')));
  if (!ParseUnsigned(size, 16, left_)) return Fail("malformed chunk size");
  state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
}

void ResponseParser::Fail(std::string error) {
  state_ = State::kFailed;
  error_ = std::move(error);
}

}  // namespace slc::load
