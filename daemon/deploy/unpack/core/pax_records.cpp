#include "daemon/deploy/unpack/core/pax_records.h"

#include <limits>

#include "common/base/text.h"

namespace slc::unpack {
namespace {

Error Broken() {
  return Error{ErrorCode::kInvalid, "a pax header is not LENGTH KEY=VALUE: the archive is damaged"};
}

Status Keep(std::optional<std::string>& target, std::string_view key, std::string_view value) {
  if (target || value.empty() || value.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::kInvalid, "a pax header gives its member " +
                                          std::string(target ? "two times a " : "an unusable ") +
                                          std::string(key)};
  }
  target = std::string(value);
  return Ok();
}

Status KeepSize(std::optional<std::uint64_t>& target, std::string_view value) {
  const auto size = ParseInteger(value, 0, std::numeric_limits<std::int64_t>::max());
  if (target || !size) {
    return Error{ErrorCode::kInvalid,
                 "a pax header gives its member two sizes, or one that is no number"};
  }
  target = static_cast<std::uint64_t>(*size);
  return Ok();
}

Status KeepRecord(PaxRecords& records, std::string_view key, std::string_view value) {
  if (key == "path") return Keep(records.path, key, value);
  if (key == "linkpath") return Keep(records.link, key, value);
  if (key == "size") return KeepSize(records.size, value);
  if (StartsWith(key, "GNU.sparse.")) {
    return Error{ErrorCode::kInvalid,
                 "the archive holds sparse files; pack it without --sparse (-S)"};
  }
  return Ok();
}

}  // namespace

Result<PaxRecords> DecodePaxRecords(std::string_view text) {
  PaxRecords records;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return Broken();
    const auto length = ParseInteger(text.substr(0, blank), static_cast<std::int64_t>(blank) + 3,
                                     static_cast<std::int64_t>(text.size()));
    if (!length) return Broken();
    const std::string_view record = text.substr(0, static_cast<std::size_t>(*length));
    const std::size_t equals = record.find('=', blank);
    if (equals == std::string_view::npos || record.back() != '\n') return Broken();
    const std::string_view key = record.substr(blank + 1, equals - blank - 1);
    const std::string_view value = record.substr(equals + 1, record.size() - equals - 2);
    if (Status kept = KeepRecord(records, key, value); !kept) return kept.error();
    text.remove_prefix(record.size());
  }
  return records;
}

}  // namespace slc::unpack
