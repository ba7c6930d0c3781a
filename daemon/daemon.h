// Daemon: the life of slcd. Takes up what its home holds, listens for clients, and leaves: by a
// signal (services go on), by `slc ctl shutdown` (they are stopped), or with the app of `slc run`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/home.h"
#include "common/base/result.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/uv/timer.h"
#include "common/wire/inheritance.h"
#include "common/wire/messages.h"
#include "daemon/app_run.h"
#include "daemon/commands/changes.h"
#include "daemon/commands/clients.h"
#include "daemon/commands/operations.h"
#include "daemon/commands/requests.h"
#include "daemon/commands/worker_looks.h"
#include "daemon/core/registry.h"
#include "daemon/deploy/deploys.h"
#include "daemon/fallbacks.h"
#include "daemon/file_watches.h"
#include "daemon/gateway_host.h"
#include "daemon/heritage.h"
#include "daemon/instance_handle.h"
#include "daemon/journal.h"
#include "daemon/log_readers.h"
#include "daemon/place.h"
#include "daemon/previous_version.h"
#include "daemon/profiles/profiles.h"
#include "daemon/recorder.h"
#include "daemon/schedules.h"
#include "daemon/services.h"
#include "daemon/store.h"
#include "daemon/supervisor.h"
#include "daemon/upgrade.h"

namespace slc {

struct DaemonOptions {
  HomePaths paths;
  DaemonContext context;
  Supervision supervision;
  std::vector<ReturnedFd> kept;  // by systemd, see FdStore
  // `slc run`: start this service, and end with it.
  std::optional<Request> run;
  int lock = -1;   // of the home, held by the caller; may become another one, see Place
  int watch = -1;  // see Place::Descriptors
  PreviousVersion* previous = nullptr;
  std::string replaced;   // the slcd that had to be ended for us, for people; empty: there was none
  bool gave_way = false;  // we are the version before: the installed one has not held
  // The log's disk thread has nothing to do.
  std::function<bool()> is_logged;
  // What an image of slcd before this one has left, with its facts.
  Inheritance inheritance;
  std::optional<DaemonFacts> before;
};

class Daemon {
 public:
  Daemon(uv::Loop& loop, HomeDirectories directories, DaemonOptions options);
  ~Daemon();

  // Loads the wishes, listens, and sets every service going.
  Status Begin();
  // What the process should exit with: 0, in `slc run` what the app ended with (1 if another slcd
  // has taken the home), and under systemd, which else would start the next one, kStaysDown after a
  // shutdown by a client.
  static constexpr int kStaysDown = 101;
  int exit_code() const;

 private:
  Place::Events PlaceEvents();
  Services::Events ServiceEvents();
  Schedules::Hands ScheduleHands();
  FileWatches::Hands WatchHands();
  // What is in force is recorded in the home that there is now.
  void RecordAnew();
  // The master of a service whose file was damaged may have told more of it.
  void Recognize(ServiceId id);
  void On(int signal, std::function<void()> action);
  // Ends slcd alone; whoever needs a daemon next starts one.
  void Leave();
  // Another slcd serves the home, and the masters: ends slcd and touches nothing of theirs.
  void LeaveToAnother();
  // Stops all services and then ends slcd.
  void StopAll();
  void EndWhenAllAreGone();
  // For `systemctl status`.
  std::string StatusLine() const;
  // We have held.
  void EndTrial();
  UpgradeScene Scene();
  // Gives way to the installed slcd, in place, for the client who wants it so.
  Error GiveWay(const Command& command);
  // What the last image had not told systemd yet.
  void InheritStore();
  // The client that had the last image do so.
  void GoOnWithUpgrade();

  uv::Loop& loop_;
  HomeDirectories directories_;
  DaemonOptions options_;
  Place place_;
  Store store_;
  Registry registry_;
  Clients clients_;
  uv::DiskThread disk_;
  Journal journal_;
  Services services_;
  Operations operations_;
  WorkerLooks looks_;
  Recorder recorder_;
  Fallbacks fallbacks_;
  Changes changes_;
  deploy::Deploys deploys_;
  profiles::Profiles profiles_;
  Schedules schedules_;
  FileWatches watches_;
  Upgrade upgrade_;
  GatewayHost gateway_;
  LogReaders log_readers_;
  Requests requests_;
  std::optional<AppRun> run_;
  bool ended_ = false;
  bool displaced_ = false;          // see LeaveToAnother
  uv::Timer confirm_;               // see EndTrial
  std::vector<Command> shutdowns_;  // to be answered when all services have stopped
  bool shut_down_ = false;
  Supervisor supervisor_;
  std::vector<std::unique_ptr<uv::Signal>> signals_;
};

}  // namespace slc
