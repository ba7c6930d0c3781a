// ReleaseStore: HOME/releases/ID/ of each service, see core/releases.h for what is in it. All calls
// but the paths block: Deploys makes them on a thread of its own, since to remove a release may
// take seconds.
//
// A folder is named by the service's id, which is never used again. Where workers are another
// user's, the folders down to a release can be entered by everybody (0711), and listed by nobody.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/release.h"
#include "daemon/deploy/deploy_record.h"

namespace slc::deploy {

class ReleaseStore {
 public:
  // `home`: the open directory, not owned, and its path.
  ReleaseStore(int home, std::string path) : home_(home), path_(std::move(path)) {}

  std::string PathOf(ServiceId id, const std::string& release) const;
  // The name of the release of this service that `directory` is; empty if it is none.
  std::string ReleaseIn(ServiceId id, const std::string& directory) const;
  // The same of whatever lies in it, or of its real path.
  std::string ReleaseHolding(ServiceId id, const std::string& path) const;
  // A record for what is run in place.
  static Release OfFolder(const std::string& folder);

  // Services of which there may be releases, or a deploy that is not over.
  std::vector<ServiceId> Services() const;
  // Those whose records can be read, newest first; none if there is no folder.
  Result<std::vector<Release>> List(ServiceId id) const;

  // An empty folder for an upload, which belongs to `user`, or to us.
  Result<UniqueFd> MakeStaging(ServiceId id, const std::string& request,
                               const std::optional<RunAs>& user) const;
  // Gives a new release its number, and its name unless it is run in place.
  Status Name(ServiceId id, Release& release) const;
  // The staging folder of `request` becomes the release, with its record.
  Status Place(ServiceId id, const std::string& request, const Release& release) const;
  Status Write(ServiceId id, const Release& release) const;
  // What was unpacked and installed is on the disk, whatever happens to the machine.
  Status Sync(ServiceId id, const std::string& release) const;
  Result<UniqueFd> Open(ServiceId id, const std::string& release) const;

  // The path of the bare repository that is pushed to, made if need be, of `user` or ours.
  Result<std::string> MakeRepository(ServiceId id, const std::optional<RunAs>& user) const;

  // Nothing: none is under way. kInvalid: it is damaged.
  Result<std::optional<DeployRecord>> ReadDeploy(ServiceId id) const;
  Status WriteDeploy(ServiceId id, const DeployRecord& record) const;
  Status ForgetDeploy(ServiceId id) const;

  // Folder, record and staging folder, as far as they are there.
  Status Remove(ServiceId id, const std::string& release, const std::string& request) const;
  // Those of deploys that are not under way any more. `in_use`: see Leftovers.
  Status RemoveLeftovers(ServiceId id, const std::vector<std::string>& in_use) const;
  // Of a service that is no more.
  Status RemoveAll(ServiceId id) const;

 private:
  Result<UniqueFd> OpenFolder(ServiceId id, bool create, bool shared) const;

  int home_;
  std::string path_;
};

}  // namespace slc::deploy
