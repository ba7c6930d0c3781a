// What the answer is like that brings a profile's file, by whatever interface. Pure.
#pragma once

#include "common/http/response.h"
#include "common/model/profile.h"

namespace slc::gateway {

http::Response DownloadHead(const Profile& profile);

}  // namespace slc::gateway
