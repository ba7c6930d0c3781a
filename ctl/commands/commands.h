// The commands: each carries out what was asked and returns slc's exit code.
#pragma once

#include "ctl/options.h"

namespace slc::ctl {

// start.cpp
int Run(const StartOptions& options);
int Run(const RunOptions& options);

// show_logs.cpp
int Run(const LogsQuery& options);
int Run(const LogDumpQuery& options);

// inspect.cpp
int Run(const StatusOptions& options);
int Run(const ListOptions& options);
int Run(const InfoOptions& options);
int Run(const EnvironmentGetOptions& options);
int Run(const PackagesOptions& options);

// change.cpp
int Run(const CreateOptions& options);
int Run(const StartServiceOptions& options);
int Run(const StopOptions& options);
int Run(const RestartOptions& options);
int Run(const SetSizeOptions& options);
int Run(const EnvironmentChangeOptions& options);
int Run(const RemoveOptions& options);
int Run(const ShutdownOptions& options);

}  // namespace slc::ctl
