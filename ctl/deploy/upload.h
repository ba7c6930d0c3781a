// Upload: an archive goes to the server in one request, and what that says while it deploys comes
// back, see common/http/deploy_stream.h. Also understands the original, which says less.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/http/client.h"
#include "ctl/deploy/mesh.h"
#include "ctl/remote/remote.h"

namespace slc::ctl {

struct DeployOutcome {
  std::string release;  // its hash; empty if the server did not say
  std::string text;     // the server's last word; may be empty
  bool unchanged = false;
};

class Upload {
 public:
  // `tell` gets each line that the server says, fit for a terminal. `query`: what is said of the
  // service with it, "?keep=3", or empty.
  using Tell = std::function<void(const std::string& line)>;
  Upload(Remote& remote, std::string query, Tell tell)
      : remote_(remote), query_(std::move(query)), tell_(std::move(tell)) {}

  // An error: it was refused, failed, or was cut off; then nobody knows what came of it.
  Result<DeployOutcome> Run(const MeshService& service, http::BodySource archive);
  // The last lines of the log that came with the error.
  const std::vector<std::string>& log_tail() const { return log_tail_; }

 private:
  Result<DeployOutcome> Follow();
  Result<DeployOutcome> FollowText();

  Remote& remote_;
  const std::string query_;
  Tell tell_;
  std::vector<std::string> log_tail_;
  bool stream_failed_ = false;  // the server has said that it did not deploy
};

// The pieces of an open file or pipe. `checked` is asked at its end, and may still say that what
// came is not whole.
http::BodySource PiecesOf(int fd, std::function<Status()> checked = {});

}  // namespace slc::ctl
