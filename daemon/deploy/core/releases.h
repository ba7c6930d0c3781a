// The releases of one service: their names and order, which of them are to go, and which is meant
// by what somebody typed. Pure; HOME/releases/SERVICE/ is the shell's, see common/model/release.h.
//
//   NAME/ NAME.json        a release and its record
//   .staging-REQUEST/      what slc-unpack makes of an upload, until its hash is known
//   deploy.json            the deploy under way, see deploy_transaction.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/release.h"

namespace slc::deploy {

inline constexpr std::uint32_t kKeptReleases = 5;  // unless --keep says otherwise
inline constexpr const char* kDeployFile = "deploy.json";

// `request`: a client's, so not to be trusted. kInvalid unless it is 1 to 64 letters, digits, '-'
// or '_'.
Result<std::string> StagingName(const std::string& request);
std::string RecordName(const std::string& release);
// The name for a new release of this hash: the hash itself, or "HASH.2" while that is in `names`.
std::string FreeName(const std::string& hash, const std::vector<std::string>& names);
// One more than the highest. A release that failed is gone, so the next one may get its number.
std::uint32_t NextNumber(const std::vector<Release>& releases);

struct ReleaseFolder {
  std::vector<std::string> names;   // all in it
  std::vector<Release> releases;    // whose records can be read
  std::vector<std::string> in_use;  // releases that a wish, a master or a deploy's record names
};
// What is to be removed when slcd starts: of deploys that are not under way any more. What is in
// use stays, and so does a release whose record is damaged, for people to look at.
std::vector<std::string> Leftovers(const ReleaseFolder& folder);

// What a rollback goes to if nothing is said: the one before, in order, that is proven.
std::optional<Release> RollbackTarget(const std::vector<Release>& releases,
                                      const std::string& in_service);

// The names of those that are proven and more than enough: all but the `keep` newest, and never one
// in use, nor the one that a rollback goes to.
std::vector<std::string> Surplus(const std::vector<Release>& releases,
                                 const std::string& in_service,
                                 const std::vector<std::string>& in_use, std::uint32_t keep);

// By its number, its name, or the first digits (at least 4) of its hash. kNotFound; kConflict if
// several are meant.
Result<Release> FindRelease(const std::vector<Release>& releases, const std::string& text);

}  // namespace slc::deploy
