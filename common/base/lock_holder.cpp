#include "common/base/lock_holder.h"

#include <limits>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kKept = "kept";

}  // namespace

std::string WriteLockHolder(const LockHolder& holder) {
  std::string text =
      std::to_string(holder.process.pid) + " " + std::to_string(holder.process.start_time);
  if (holder.kept) text += std::string(" ") + kKept;
  return text + "\n";
}

std::optional<LockHolder> ReadLockHolder(std::string_view text) {
  // A line that is cut short may name another process.
  if (text.empty() || text.back() != '\n') return std::nullopt;
  const auto words = Split(Trim(text), ' ');
  if (words.size() < 2) return std::nullopt;
  const auto pid = ParseInteger(words[0], 1, std::numeric_limits<pid_t>::max());
  const auto start = ParseInteger(words[1], 1, std::numeric_limits<std::int64_t>::max());
  if (!pid || !start) return std::nullopt;
  LockHolder holder;
  holder.process = {static_cast<pid_t>(*pid), static_cast<std::uint64_t>(*start)};
  holder.kept = words.size() > 2 && words[2] == kKept;
  return holder;
}

}  // namespace slc
