#include "ctl/deploy/source.h"

#include <sys/stat.h>

#include <utility>

#include "common/base/text.h"
#include "common/model/app_folder.h"
#include "common/model/package_json.h"
#include "ctl/build/build.h"

namespace slc::ctl {
namespace {

bool IsBranch(const std::string& name, const std::string& folder, Steps& steps) {
  Step step;
  step.command = {"git", "rev-parse", "--verify", "--quiet", "refs/heads/" + name + "^{commit}"};
  step.folder = folder;
  return steps.Try(std::move(step));
}

enum class Kind { kNothing, kFile, kFolder };

Kind KindOf(const std::string& path, std::uint64_t& size) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Kind::kNothing;
  size = static_cast<std::uint64_t>(info.st_size);
  return S_ISDIR(info.st_mode) ? Kind::kFolder : Kind::kFile;
}

}  // namespace

Result<DeploySource> FindDeploySource(const std::string& what, const std::string& folder,
                                      Steps& steps) {
  DeploySource source;
  source.folder = folder;
  auto package = ReadPackageJson(folder);
  if (!package) return package.error();
  if (package->present) source.service = ServiceNameOf(*package, folder);
  if (!what.empty()) {
    source.name = what;
    const std::string path = AbsolutePath(what, folder);
    const Kind kind = KindOf(path, source.size);
    if (kind == Kind::kFile) {
      source.archive = path;
      return source;
    }
    if (IsBranch(what, folder, steps)) {
      source.branch = what;
      return source;
    }
    if (kind == Kind::kFolder) {
      return Error{ErrorCode::kInvalid, Printable(what) +
                                            " is a folder; `slc build` makes an archive of it, "
                                            "`slc start` runs it in place"};
    }
    return Error{ErrorCode::kNotFound, "there is neither a file nor a branch '" + Printable(what) +
                                           "'; a URL begins with http:// or the like"};
  }
  if (!package->present) {
    return Error{ErrorCode::kNotFound,
                 "there is no package.json in " + folder +
                     ": that is no folder of a Node app; name what is to be deployed: slc deploy "
                     "-s NAME URL FILE"};
  }
  source.name = "../" + ArchiveName(source.service, ArchiveVersion(package->version));
  const std::string path = AbsolutePath(source.name, folder);
  if (KindOf(path, source.size) == Kind::kFile) {
    source.archive = path;
    return source;
  }
  if (IsBranch(kDeployBranch, folder, steps)) {
    source.name = kDeployBranch;
    source.branch = kDeployBranch;
    return source;
  }
  return Error{ErrorCode::kNotFound, "there is nothing to deploy, neither " +
                                         Printable(source.name) + " nor a branch '" +
                                         kDeployBranch + "'; make one: slc build"};
}

}  // namespace slc::ctl
