#include "common/base/zone_files.h"

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20;

Result<TimeZone> LoadFile(const std::string& path) {
  const auto bytes = ReadRegularFile(path, kLargestFile);
  if (!bytes) return bytes.error();
  auto zone = TimeZone::Parse(*bytes);
  if (!zone) return zone.error().During(path);
  return zone;
}

}  // namespace

Status CheckZoneName(const std::string& name) {
  constexpr std::size_t kLongest = 128;
  const Error wrong{ErrorCode::kInvalid, "'" + Printable(name.substr(0, kLongest)) +
                                             "' is no name of a time zone, such as Europe/Berlin"};
  if (name.empty() || name.size() > kLongest) return wrong;
  for (const std::string& part : Split(name, '/')) {
    if (part.empty() || part[0] == '.') return wrong;
    for (const char c : part) {
      const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '.';
      if (!fits) return wrong;
    }
  }
  return Ok();
}

Result<TimeZone> LoadTimeZone(const std::string& name, const std::string& folder) {
  if (Status good = CheckZoneName(name); !good) return good.error();
  auto zone = LoadFile(folder + "/" + name);
  if (zone || zone.error().code != ErrorCode::kNotFound) return zone;
  if (name == "UTC") return TimeZone();
  return Error{ErrorCode::kNotFound, "there is no time zone '" + name + "' in " + folder +
                                         "; names are like Europe/Berlin, and come with the "
                                         "package tzdata"};
}

Result<TimeZone> LoadLocalTimeZone(const char* variable) {
  if (variable == nullptr) {
    auto zone = LoadFile(kLocalZoneFile);
    if (!zone && zone.error().code == ErrorCode::kNotFound) return TimeZone();
    return zone;
  }
  std::string name = variable;
  if (StartsWith(name, ":")) name = name.substr(1);
  if (name.empty()) return TimeZone();
  auto zone = name[0] == '/' ? LoadFile(name) : LoadTimeZone(name);
  if (zone) return zone;
  auto rule = TimeZone::FromRule(name);
  return rule ? rule : zone.error().During("TZ");
}

}  // namespace slc
