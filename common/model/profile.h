// A profile: what a look into a worker has made, and slcd has kept.
//
//   HOME/profiles/SERVICE/ID.cpuprofile   or ID.heapsnapshot: there once all of it is
//   HOME/profiles/SERVICE/ID.json         its record, a Profile
//   HOME/profiles/last.json               the last id that was given
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/model/inspection.h"

namespace slc {

using ProfileId = std::uint32_t;  // per home, from 1, never used again

enum class ProfileType { kCpu, kHeap };
// The ending of its file, too: "cpuprofile", "heapsnapshot".
const char* Name(ProfileType type);
std::optional<ProfileType> ProfileTypeFromName(const std::string& name);
// What makes one.
Inspection MakerOf(ProfileType type);

struct Profile {
  ProfileId id = 0;
  ServiceId service = 0;
  WorkerId worker = 0;
  int pid = 0;  // of the worker
  ProfileType type = ProfileType::kCpu;
  std::string by;           // who asked for it
  std::string request;      // the id of the request; empty: nobody asked
  Millis started = 0;       // wall: when the worker was asked for it
  Millis completed = 0;     // wall: when all of it was there; 0: it is not
  std::uint64_t bytes = 0;  // of its file; so far, while it is under way
  std::string errored;      // why it never will be; empty: it is there, or under way

  bool whole() const { return completed > 0; }
  bool over() const { return whole() || !errored.empty(); }
  bool operator==(const Profile&) const = default;
};

using ProfileList = std::vector<Profile>;

// "3.cpuprofile".
std::string FileNameOf(const Profile& profile);

// Of the record's file. Decoding is strict, a checksum tells damage; kProtocol: a newer version of
// slc has written it.
std::string EncodeProfile(const Profile& profile);
Result<Profile> DecodeProfile(const std::string& text);

}  // namespace slc
