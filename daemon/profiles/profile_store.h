// ProfileStore: HOME/profiles/, see common/model/profile.h for what is in it. All calls block:
// Profiles makes them on a thread of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/model/profile.h"
#include "daemon/profiles/core/shelf.h"

namespace slc::profiles {

class ProfileStore {
 public:
  // `home`: the open directory, not owned.
  explicit ProfileStore(int home) : home_(home) {}

  // Those of which there may be profiles.
  std::vector<ServiceId> Services() const;
  // Of a service, or (0) of all, by their ids; those whose records can be read.
  Result<ProfileList> List(ServiceId service) const;

  // Puts one that is about to be made on record, and gives it its id. One that the same request
  // has asked for before is given instead.
  Result<Profile> Reserve(Profile draft) const;
  // The file that is to become its: to be written to, and empty.
  Result<UniqueFd> MakePart(const Profile& profile) const;
  // All of it was written, and is on the disk: it has its file, and the record says so.
  Status Place(const Profile& profile) const;
  // What was written of it goes, and the record tells why.
  Status Fail(const Profile& profile) const;
  // To be read.
  Result<UniqueFd> Open(const Profile& profile) const;

  Status Remove(const Profile& profile) const;
  // Of a service that is no more.
  Status RemoveAll(ServiceId service) const;
  // Of profiles that were under way when slcd ended; nothing may be now.
  Status RemoveLeftovers(ServiceId service) const;

 private:
  Result<UniqueFd> OpenShelf(bool create) const;
  Result<UniqueFd> OpenFolder(ServiceId service, bool create) const;
  // Reads the records of a folder; those that cannot be are told of by their ids.
  static Result<ShelfFolder> ReadFolder(const UniqueFd& folder, ServiceId service);
  Result<ProfileId> NextId() const;

  int home_;
};

}  // namespace slc::profiles
