// What is kept of profiles, and what may go: the decisions of slcd's profile store. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/model/profile.h"

namespace slc::profiles {

// Profiles are looked at within days of a trouble. Twenty of a service are more than anybody
// compares; a GiB holds the heap snapshot of a worker of some 500 MB, twice, and does not fill the
// disk of a small machine.
struct ShelfBounds {
  std::size_t per_service = 20;      // that are whole, and as many that failed
  std::uint64_t bytes = 1ULL << 30;  // of all services
};

// Those that go, of `profiles` in any order: of each service all but the newest that are whole, and
// the newest that are not; and of what is then left the oldest that have a file, until the files
// fit.
ProfileList Surplus(ProfileList profiles, const ShelfBounds& bounds);

std::string RecordName(ProfileId id);          // "3.json"
std::string PartName(const Profile& profile);  // "3.cpuprofile.part", until it is whole

// What is in a service's folder when slcd starts and nothing is under way.
struct ShelfFolder {
  std::vector<std::string> names;
  ProfileList profiles;            // those whose records could be read
  std::vector<ProfileId> foreign;  // whose records a newer version of slc has written
};
// The names in it that belong to no profile that is whole, nor to the record of one that is not.
// What is called by none of our names is none of ours.
std::vector<std::string> Leftovers(const ShelfFolder& folder);

// The highest id in such names; 0 if there is none.
ProfileId HighestId(const std::vector<std::string>& names);

}  // namespace slc::profiles
