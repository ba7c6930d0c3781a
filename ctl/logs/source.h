#pragma once

#include <string>

namespace slc::ctl {

// A service and where its logs are.
struct LogSource {
  std::string service;
  std::string directory;  // HOME/logs/NAME; need not exist yet
};

}  // namespace slc::ctl
