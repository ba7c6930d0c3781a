#include "daemon/deploy/core/releases.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "common/base/text.h"

namespace slc::deploy {
namespace {

constexpr std::string_view kStaging = ".staging-";
constexpr std::string_view kRecord = ".json";
// Files are replaced by way of these (ReplaceFileAt), which a crash leaves behind.
constexpr std::string_view kTemporary = ".json.tmp";

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Release> NewestFirst(std::vector<Release> releases) {
  std::sort(releases.begin(), releases.end(),
            [](const Release& one, const Release& other) { return one.number > other.number; });
  return releases;
}

// The release that `name` is the record of; empty if it is none.
std::string ReleaseOfRecord(const std::string& name) {
  if (!EndsWith(name, kRecord)) return {};
  std::string release = name.substr(0, name.size() - kRecord.size());
  return IsReleaseName(release) ? release : std::string();
}

bool IsLeftover(const ReleaseFolder& folder, const std::string& name) {
  if (StartsWith(name, kStaging) || EndsWith(name, kTemporary)) return true;
  const std::string of_record = ReleaseOfRecord(name);
  const std::string& release = of_record.empty() ? name : of_record;
  if (!IsReleaseName(release) || Contains(folder.in_use, release)) return false;
  const auto record =
      std::find_if(folder.releases.begin(), folder.releases.end(),
                   [&release](const Release& each) { return each.name == release; });
  const bool readable = record != folder.releases.end();
  if (of_record.empty()) {
    // Without a record it was never finished; a damaged one is no reason to lose it.
    if (!readable) return !Contains(folder.names, RecordName(release));
    return record->state == ReleaseState::kPreparing;
  }
  if (readable && record->state == ReleaseState::kPreparing) return true;
  const bool has_folder = !readable || record->origin != ReleaseOrigin::kFolder;
  return has_folder && !Contains(folder.names, release);
}

}  // namespace

Result<std::string> StagingName(const std::string& request) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr std::size_t kMost = 64;
  if (request.empty() || request.size() > kMost ||
      request.find_first_not_of(kAllowed) != std::string::npos) {
    return Error{ErrorCode::kInvalid,
                 "the request's id is not 1 to 64 letters, digits, '-' or '_'"};
  }
  return std::string(kStaging) + request;
}

std::string RecordName(const std::string& release) { return release + std::string(kRecord); }

std::string FreeName(const std::string& hash, const std::vector<std::string>& names) {
  const auto taken = [&names](const std::string& name) {
    return Contains(names, name) || Contains(names, RecordName(name));
  };
  std::string name = hash;
  for (int again = 2; taken(name); ++again) name = hash + "." + std::to_string(again);
  return name;
}

std::uint32_t NextNumber(const std::vector<Release>& releases) {
  std::uint32_t highest = 0;
  for (const Release& release : releases) highest = std::max(highest, release.number);
  return highest + 1;
}

std::vector<std::string> Leftovers(const ReleaseFolder& folder) {
  std::vector<std::string> leftovers;
  for (const std::string& name : folder.names) {
    if (IsLeftover(folder, name)) leftovers.push_back(name);
  }
  return leftovers;
}

std::optional<Release> RollbackTarget(const std::vector<Release>& releases,
                                      const std::string& in_service) {
  std::uint32_t current = std::numeric_limits<std::uint32_t>::max();
  for (const Release& release : releases) {
    if (release.name == in_service) current = release.number;
  }
  for (const Release& release : NewestFirst(releases)) {
    if (release.number < current && release.state == ReleaseState::kProven) return release;
  }
  return std::nullopt;
}

std::vector<std::string> Surplus(const std::vector<Release>& releases,
                                 const std::string& in_service,
                                 const std::vector<std::string>& in_use, std::uint32_t keep) {
  const auto target = RollbackTarget(releases, in_service);
  std::vector<std::string> surplus;
  std::uint32_t seen = 0;
  for (const Release& release : NewestFirst(releases)) {
    if (release.state != ReleaseState::kProven || ++seen <= keep) continue;
    const bool needed = release.name == in_service || Contains(in_use, release.name) ||
                        (target && release.name == target->name);
    if (!needed) surplus.push_back(release.name);
  }
  return surplus;
}

Result<Release> FindRelease(const std::vector<Release>& releases, const std::string& text) {
  constexpr std::size_t kLeastDigits = 4;
  const auto number = ParseInteger(text, 1, std::numeric_limits<std::uint32_t>::max());
  std::vector<Release> meant;
  for (const Release& release : NewestFirst(releases)) {
    if (release.name == text || (number && release.number == *number)) return release;
    if (text.size() >= kLeastDigits && StartsWith(release.name, text)) meant.push_back(release);
  }
  if (meant.size() == 1) return meant.front();
  std::vector<std::string> names;
  for (const Release& release : meant.empty() ? NewestFirst(releases) : meant) {
    names.push_back(std::to_string(release.number) + " (" + release.name.substr(0, 12) + ")");
  }
  if (!meant.empty()) {
    return Error{ErrorCode::kConflict,
                 Printable(text) + " may be release " + Join(names, " or ") + ": give its number"};
  }
  return Error{ErrorCode::kNotFound,
               "there is no release " + Printable(text) +
                   (names.empty() ? "; there is none at all" : "; there are " + Join(names, ", "))};
}

}  // namespace slc::deploy
