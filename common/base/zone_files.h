// Where the system keeps its time zones. Reads files: for the disk thread, or at start.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/time_zone.h"

namespace slc {

inline constexpr const char* kZoneFolder = "/usr/share/zoneinfo";
inline constexpr const char* kLocalZoneFile = "/etc/localtime";

// A name as in the zone database: "Europe/Berlin". kInvalid for what would lead out of the folder.
Status CheckZoneName(const std::string& name);

// kNotFound if `folder` has no such zone. "UTC" needs no file.
Result<TimeZone> LoadTimeZone(const std::string& name, const std::string& folder = kZoneFolder);

// That of this machine: `variable` is what TZ holds, null if it is not set; then it is that of
// /etc/localtime, and UTC where that is missing.
Result<TimeZone> LoadLocalTimeZone(const char* variable);

}  // namespace slc
