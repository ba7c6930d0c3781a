// A release: one version of a service as it was deployed, unpacked and never changed by a deploy
// again.
//
//   HOME/releases/SERVICE/NAME/       what was unpacked; belongs to the user the service runs as
//   HOME/releases/SERVICE/NAME.json   its record, a Release; beside it, because the app may write
//                                     into the folder
//
// A folder that is run in place (`slc start DIR`) has a record only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

enum class ReleaseOrigin { kTarball, kGit, kFolder };
enum class ReleaseState {
  kPreparing,  // of a deploy that is not over
  kProven,     // it was once wholly in service: it can be rolled back to
};
const char* Name(ReleaseOrigin value);
const char* Name(ReleaseState value);
std::optional<ReleaseOrigin> ReleaseOriginFromName(const std::string& name);
std::optional<ReleaseState> ReleaseStateFromName(const std::string& name);

struct Release {
  std::uint32_t number = 0;  // the order of a service's releases, from 1
  std::string name;          // of its folder: the hash, or "HASH.2" for the same once more
  std::string hash;          // SHA-1 of the archive, the commit, or a checksum of the folder's path
  std::string sha256;        // of the archive; empty: there was none
  ReleaseOrigin origin = ReleaseOrigin::kTarball;
  std::string branch;  // of kGit
  std::string folder;  // of kFolder
  std::string by;      // who deployed it
  Millis when = 0;     // wall
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::string npm;         // "npm ci --omit=dev"; empty: nothing was run
  std::string npm_reason;  // for people
  ReleaseState state = ReleaseState::kPreparing;

  bool operator==(const Release&) const = default;
};

// As it is shown.
struct ReleaseView {
  Release release;
  bool in_service = false;  // the service runs it, or would

  bool operator==(const ReleaseView&) const = default;
};

// Of the record's file. Decoding is strict, a checksum tells damage; kProtocol: a newer version of
// slc has written it.
std::string EncodeRelease(const Release& release);
Result<Release> DecodeRelease(const std::string& text);

// A folder's name that a release can have: hex digits, and ".2".
bool IsReleaseName(const std::string& name);

}  // namespace slc
