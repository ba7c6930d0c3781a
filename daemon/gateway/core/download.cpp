#include "daemon/gateway/core/download.h"

#include <string>

namespace slc::gateway {

http::Response DownloadHead(const Profile& profile) {
  http::Response head;
  head.type = "application/octet-stream";
  head.headers.push_back(
      {"content-disposition", "attachment; filename=\"profile." + FileNameOf(profile) + "\""});
  // A heap holds secrets: nobody on the way keeps them.
  head.headers.push_back({"cache-control", "no-store"});
  return head;
}

}  // namespace slc::gateway
