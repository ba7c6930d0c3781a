#include "common/wire/result_stream.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr std::size_t kHead = 4;
constexpr std::uint32_t kFail = 1U << 31U;
// Our agent says less.
constexpr std::uint32_t kLongestReason = 4096;

}  // namespace

std::string_view ResultReader::Take(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kWhole || state_ == State::kFailed) Break("something is behind its end");
    if (state_ == State::kBroken) {
      bytes = {};
      break;
    }
    if (left_ == 0) {
      const std::size_t part = std::min(bytes.size(), kHead - head_.size());
      head_ += bytes.substr(0, part);
      bytes.remove_prefix(part);
      if (head_.size() == kHead) Begin();
      continue;
    }
    const std::string_view part = bytes.substr(0, std::min<std::size_t>(bytes.size(), left_));
    bytes.remove_prefix(part.size());
    left_ -= static_cast<std::uint32_t>(part.size());
    if (!failing_) {
      size_ += part.size();
      return part;
    }
    reason_ += part;
    if (left_ > 0) continue;
    // It is shown on terminals and kept in logs, and the app may have made it up.
    reason_ = Printable(reason_);
    state_ = State::kFailed;
  }
  return {};
}

void ResultReader::Begin() {
  std::uint32_t number = 0;
  for (const char byte : head_) number = number << 8U | static_cast<unsigned char>(byte);
  head_.clear();
  if (number == 0) {
    state_ = State::kWhole;
    return;
  }
  failing_ = (number & kFail) != 0;
  left_ = number & ~kFail;
  if (!failing_) return;
  if (left_ > kLongestReason) Break("it says that it failed, at too great length");
  if (left_ == 0) {
    reason_ = "it does not say why";
    state_ = State::kFailed;
  }
}

void ResultReader::Break(const char* reason) {
  state_ = State::kBroken;
  reason_ = reason;
}

Result<std::string> WholeResult(std::string_view stream) {
  ResultReader reader;
  std::string result;
  while (!stream.empty()) result += reader.Take(stream);
  switch (reader.state()) {
    case ResultReader::State::kWhole:
      return result;
    case ResultReader::State::kFailed:
      return Error{ErrorCode::kSystem, "the worker could not make it: " + reader.reason()};
    case ResultReader::State::kBroken:
      return Error{ErrorCode::kProtocol, "what the worker sent is no result: " + reader.reason()};
    case ResultReader::State::kGoesOn:
      break;
  }
  return Error{ErrorCode::kUnreachable, "the worker ended, or gave up, before all of it had come"};
}

}  // namespace slc
