// Push: a branch goes to the server by the system's git, over HTTP.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "ctl/deploy/mesh.h"
#include "ctl/deploy/source.h"
#include "ctl/deploy/upload.h"
#include "ctl/remote/remote.h"

namespace slc::ctl {

// git can go there: over unix sockets and ssh it speaks no HTTP, and the branch goes as an archive.
bool CanPush(const http::Url& url);

// What git and the server have to tell goes to standard error, or into `said` if that is given. Who
// we are stands in git's environment: its command line could be read by others.
Result<DeployOutcome> Push(const Remote& remote, const MeshService& service,
                           const DeploySource& source, std::vector<std::string>* said);

// Sends the files of the branch as `slc build --npm` would have packed them.
Result<DeployOutcome> UploadBranch(Upload& upload, const MeshService& service,
                                   const DeploySource& source);

}  // namespace slc::ctl
