// Daemon: the heart of slcd. Answers clients, keeps the wishes, and has one InstanceHandle per
// service.
//
// A change goes: propose (pure) -> resolve and save on the disk thread -> commit -> order to the
// master -> answer when the master's facts say it has happened. Changes of one service are taken
// one after another.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/home.h"
#include "common/base/result.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/wire/control_server.h"
#include "common/wire/messages.h"
#include "daemon/core/registry.h"
#include "daemon/instance_handle.h"
#include "daemon/store.h"

namespace slc {

struct DaemonOptions {
  HomePaths paths;
  DaemonContext context;
  // `slc run`: start this service, and end with it.
  std::optional<Request> run;
};

class Daemon {
 public:
  Daemon(uv::Loop& loop, HomeDirectories directories, DaemonOptions options);
  ~Daemon();

  // Loads the wishes, listens, and sets every service going.
  Status Begin();
  // What the process should exit with: 0, or in `slc run` what the app ended with.
  int exit_code() const { return exit_code_; }

 private:
  // A request that was accepted and is answered when it has happened.
  struct Operation {
    ClientId client = 0;
    std::string request;  // its id
    std::uint64_t order = 0;
    RequestBody body;
    std::vector<std::string> notes;
    Millis since = 0;
  };
  struct Service {
    std::unique_ptr<InstanceHandle> instance;
    std::vector<Operation> operations;
    bool preparing = false;                     // its config is being read at slcd's start
    bool saving = false;                        // a change is on its way to the disk
    std::deque<std::function<void()>> waiting;  // changes that came meanwhile
    bool finish_removal = false;
    std::string unresolved;  // why its generation could not be resolved when slcd started
  };
  using Pending = std::pair<ClientId, Request>;

  Status CheckRunsAlone() const;
  // Resolves the current generation of a service that is to run, and starts it unless it lives.
  void Prepare(const Wish& wish);

  void OnFrame(ClientId client, const std::string& payload);
  void Handle(const Pending& pending, const StartService& body);
  void Handle(const Pending& pending, const CreateService& body);
  void Handle(const Pending& pending, const ListServices& body);
  void Handle(const Pending& pending, const GetStatus& body);
  void Handle(const Pending& pending, const GetInfo& body);
  void Handle(const Pending& pending, const RunService& body);
  void Handle(const Pending& pending, const StopService& body);
  void Handle(const Pending& pending, const RestartService& body);
  void Handle(const Pending& pending, const SetSize& body);
  void Handle(const Pending& pending, const SetEnvironment& body);
  void Handle(const Pending& pending, const RemoveService& body);
  void Handle(const Pending& pending, const Shutdown& body);
  // A start that would change nothing of a service that does not do well is a new try.
  Result<Proposal> OrTryAgain(ServiceId id, Result<Proposal> proposal);

  // Runs `propose` for a known service, after changes that are being saved.
  void Change(const Pending& pending, const std::string& service,
              std::function<Result<Proposal>(ServiceId)> propose);
  // The client lost the answer to the request that made this wish, and asks again.
  static bool IsRepeat(const Pending& pending, const Wish& wish);
  void Carry(const Pending& pending, Result<Proposal> proposal);
  bool RefuseDuringRoll(const Pending& pending, ServiceId id);
  void Commit(const Pending& pending, const Proposal& proposal, const std::string& config);
  void Order(const Wish& wish);
  FleetWish FleetWishOf(const Wish& wish) const;
  void NextChange(ServiceId id);

  Service& ServiceOf(ServiceId id);
  void OnFacts(ServiceId id, const link::Facts& facts);
  void OnNotice(ServiceId id, const Progress& progress);
  void OnGone(ServiceId id);
  void OnLaunchFailed(ServiceId id, const Error& error);
  void Fail(ServiceId id, const Operation& operation, Error error,
            std::vector<std::string> log_tail);
  void Settle(ServiceId id);
  // Answers an operation if what it asked for has happened or failed. True when it is done with.
  bool Conclude(ServiceId id, const Operation& operation);
  void FinishRemoval(ServiceId id);
  void RememberRemoval(const std::string& request);
  void ReapChildren();
  void StopAll();
  void LeaveWhenAllAreGone();
  void EndRun(const std::string& how);

  ServiceView ViewOf(const Wish& wish);
  Reply ReplyWith(ServiceId id, std::vector<std::string> notes);
  void Answer(const Pending& pending, Reply reply);
  void Answer(ClientId client, const std::string& request, Reply reply);
  void Refuse(const Pending& pending, Error error);

  uv::Loop& loop_;
  HomeDirectories directories_;
  DaemonOptions options_;
  Store store_;
  Registry registry_;
  uv::DiskThread disk_;
  std::map<ServiceId, Service> services_;
  std::vector<Quarantined> quarantined_;
  std::deque<std::string> removals_;  // requests by which services were removed: repeats succeed
  std::vector<Pending> shutdowns_;
  bool shutting_down_ = false;
  bool creating_ = false;  // a new service's id is being made durable
  std::deque<std::function<void()>> waiting_creations_;
  Millis started_wall_ = 0;
  Millis started_ = 0;
  int exit_code_ = 0;
  std::string last_run_exit_;
  std::unique_ptr<ControlServer> server_;
  std::vector<std::unique_ptr<uv::Signal>> signals_;
};

}  // namespace slc
