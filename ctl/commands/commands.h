// The commands: each is declared, and carries out what was asked and returns slc's exit code.
#pragma once

#include "ctl/command.h"
#include "ctl/options.h"

namespace slc::ctl {

// start.cpp
extern const CommandInfo kStartCommand;
extern const CommandInfo kRunCommand;
int Run(const StartOptions& options);
int Run(const RunOptions& options);

// logs.cpp
extern const CommandInfo kLogsCommand;
extern const CommandInfo kLogDumpCommand;
int Run(const LogsQuery& options);
int Run(const LogDumpQuery& options);

// events.cpp
extern const CommandInfo kEventsCommand;
int Run(const EventsQuery& options);

// why.cpp
extern const CommandInfo kWhyCommand;
int Run(const WhyOptions& options);

// status.cpp
extern const CommandInfo kStatusCommand;
extern const CommandInfo kListCommand;
int Run(const StatusOptions& options);
int Run(const ListOptions& options);

// daemon.cpp
extern const CommandInfo kInfoCommand;
extern const CommandInfo kShutdownCommand;
int Run(const InfoOptions& options);
int Run(const ShutdownOptions& options);

// boot.cpp
extern const CommandInfo kServiceCommand;
int Run(const BootOptions& options);

// doctor.cpp
extern const CommandInfo kDoctorCommand;
int Run(const DoctorOptions& options);

// upgrade.cpp
extern const CommandInfo kUpgradeCommand;
int Run(const UpgradeOptions& options);

// gateway.cpp
extern const CommandInfo kGatewayCommand;
int Run(const GatewayOptions& options);

// token.cpp
extern const CommandInfo kTokenCommand;
int Run(const TokenOptions& options);

// service.cpp
extern const CommandInfo kCreateCommand;
extern const CommandInfo kSetSizeCommand;
extern const CommandInfo kRemoveCommand;
int Run(const CreateOptions& options);
int Run(const SetSizeOptions& options);
int Run(const RemoveOptions& options);

// life.cpp
extern const CommandInfo kStartServiceCommand;
extern const CommandInfo kStopCommand;
extern const CommandInfo kSoftStopCommand;
extern const CommandInfo kRestartCommand;
extern const CommandInfo kSoftRestartCommand;
extern const CommandInfo kClusterRestartCommand;
int Run(const StartServiceOptions& options);
int Run(const StopOptions& options);
int Run(const RestartOptions& options);

// environment.cpp
extern const CommandInfo kEnvironmentGetCommand;
extern const CommandInfo kEnvironmentSetCommand;
extern const CommandInfo kEnvironmentUnsetCommand;
int Run(const EnvironmentGetOptions& options);
int Run(const EnvironmentChangeOptions& options);

// packages.cpp
extern const CommandInfo kPackagesCommand;
int Run(const PackagesOptions& options);

// inspect.cpp
extern const CommandInfo kCpuStartCommand;
extern const CommandInfo kCpuStopCommand;
extern const CommandInfo kHeapSnapshotCommand;
extern const CommandInfo kObjectsStartCommand;
extern const CommandInfo kObjectsStopCommand;
extern const CommandInfo kDebugStartCommand;
extern const CommandInfo kDebugStopCommand;
int Run(const InspectOptions& options);

// unsupported.cpp
extern const CommandInfo kPatchCommand;
extern const CommandInfo kTracingStartCommand;
extern const CommandInfo kTracingStopCommand;
int Run(const UnsupportedOptions& options);

// profiles.cpp
extern const CommandInfo kProfilesCommand;
extern const CommandInfo kProfileGetCommand;
extern const CommandInfo kProfileRemoveCommand;
int Run(const ProfilesOptions& options);
int Run(const ProfileOptions& options);

// build.cpp
extern const CommandInfo kBuildCommand;
int Run(const BuildOptions& options);

// releases.cpp
extern const CommandInfo kReleasesCommand;
extern const CommandInfo kRollbackCommand;
int Run(const ReleasesOptions& options);
int Run(const RollbackOptions& options);

// deploy.cpp
extern const CommandInfo kDeployCommand;
int Run(const DeployOptions& options);

}  // namespace slc::ctl
