#include "daemon/profiles/core/shelf.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "common/base/text.h"

namespace slc::profiles {
namespace {

constexpr std::string_view kRecord = "json";
constexpr std::string_view kPart = ".part";
// Files are replaced by way of these (ReplaceFileAt), which a crash leaves behind.
constexpr std::string_view kTemporary = ".json.tmp";

// The id that a name of ours begins with; 0 if it is none of ours.
ProfileId IdOf(const std::string& name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return 0;
  const auto id =
      ParseInteger(std::string_view(name).substr(0, dot), 1, std::numeric_limits<ProfileId>::max());
  return id ? static_cast<ProfileId>(*id) : 0;
}

bool IsLeftover(const ShelfFolder& folder, const std::string& name) {
  const ProfileId id = IdOf(name);
  if (id == 0) return false;
  const std::string rest = name.substr(name.find('.') + 1);
  const bool data = ProfileTypeFromName(rest).has_value();
  if (!data && rest != kRecord) return EndsWith(name, kPart) || EndsWith(name, kTemporary);
  if (std::find(folder.foreign.begin(), folder.foreign.end(), id) != folder.foreign.end()) {
    return false;
  }
  const auto found = std::find_if(folder.profiles.begin(), folder.profiles.end(),
                                  [id](const Profile& each) { return each.id == id; });
  if (found == folder.profiles.end()) return true;
  return data && (!found->whole() || rest != Name(found->type));
}

}  // namespace

ProfileList Surplus(ProfileList profiles, const ShelfBounds& bounds) {
  std::sort(profiles.begin(), profiles.end(),
            [](const Profile& one, const Profile& other) { return one.id > other.id; });
  ProfileList surplus;
  // Failures take no place of those that are whole.
  std::map<std::pair<ServiceId, bool>, std::size_t> seen;
  std::uint64_t bytes = 0;
  bool full = false;
  for (Profile& profile : profiles) {
    const bool too_many = ++seen[{profile.service, profile.whole()}] > bounds.per_service;
    // From the first that does not fit on, none that is older stays.
    full = full || (!too_many && bytes + profile.bytes > bounds.bytes);
    if (too_many || (full && profile.bytes > 0)) {
      surplus.push_back(std::move(profile));
    } else {
      bytes += profile.bytes;
    }
  }
  return surplus;
}

std::string RecordName(ProfileId id) { return std::to_string(id) + "." + std::string(kRecord); }

std::string PartName(const Profile& profile) { return FileNameOf(profile) + std::string(kPart); }

std::vector<std::string> Leftovers(const ShelfFolder& folder) {
  std::vector<std::string> leftovers;
  for (const std::string& name : folder.names) {
    if (IsLeftover(folder, name)) leftovers.push_back(name);
  }
  return leftovers;
}

ProfileId HighestId(const std::vector<std::string>& names) {
  ProfileId highest = 0;
  for (const std::string& name : names) highest = std::max(highest, IdOf(name));
  return highest;
}

}  // namespace slc::profiles
