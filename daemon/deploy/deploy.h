// Deploy: one deploy or rollback under way: carries out what DeployTransaction decides, and tells
// it what has come of that. Owned by Deploys.
//
//   slc-unpack, npm     children, each with a cookie of its own: what they start is killed with
//                       them. npm runs as the app's user, in the release's folder, with the
//                       environment of the app
//   the wish            is changed by Changes, so one after another with what clients ask for
//   canary and roll     are the master's; its facts say what became of them
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/deploy/child_lines.h"
#include "daemon/deploy/core/deploy_transaction.h"
#include "daemon/deploy/core/npm_step.h"
#include "daemon/deploy/deploy_context.h"
#include "daemon/deploy/deploy_record.h"
#include "daemon/deploy/health_probe.h"

namespace slc::deploy {

// What is to come into service.
struct DeployPlan {
  ServiceSpec spec;       // of the service, but for where the app is and what of it is run
  Release release;        // as far as it is known
  bool existing = false;  // it is there: a rollback, or a folder that is run in place
  UniqueFd archive;       // else
};

class Deploy {
 public:
  // `on_over`: nothing of it is under way any more; it may be destroyed then, but not from within.
  Deploy(const DeployContext& context, ServiceId id, Command command,
         std::function<void()> on_over);
  // Kills what it has running; what it was doing is for the next slcd to end.
  ~Deploy();
  Deploy(const Deploy&) = delete;
  Deploy& operator=(const Deploy&) = delete;

  void Begin(DeployPlan plan);
  // Of a slcd before us.
  void Resume(DeployRecord record, const DeployResumed& found);
  void Cancel(const std::string& reason);

  // Of its service.
  void OnFacts();
  void OnNotice(const link::Notice& notice);

  bool IsOurs(int pid) const { return child_.pidfd && child_.identity.pid == pid; }
  // Releases and staging folders that are not to be touched.
  const DeployRecord& record() const { return record_; }
  // Who deploys, since when and how far it is, for people.
  std::string Describe() const;

 private:
  enum class Awaited { kNothing, kCanary, kRoll, kRollBack };

  void Feed(const DeployEvent& event);
  void Do(const StartUnpack& action);
  void Do(const Place& action);
  void Do(const StartInstall& action);
  void Do(const EndChild& action);
  void Do(const Record& action);
  void Do(const StartCanary& action);
  void Do(const Probe& action);
  void Do(const StartRoll& action);
  void Do(const RollBack& action);
  void Do(const Answer& action);
  void Do(const Remove& action);
  void Do(const Prune& action);
  void Do(const Forget& action);

  static std::string Failure(const Status& status) {
    return status ? std::string() : status.error().message;
  }
  void Prepare();
  void Start();
  DeployOptions Options() const;
  // Runs `job` on the disk thread, then tells `then` in the loop how it went.
  void Run(std::function<Status()> job, std::function<void(const Status& status)> then);
  void Watch(Spawned child, std::function<void(const std::optional<int>& status)> on_end);
  void OnChildEnded();
  void OnUnpacked(const std::optional<int>& status);
  void Install(const NpmStep& step);
  Status StartNpm(const NpmStep& step);
  void OnInstalled(const std::string& failure);
  void FindScript();
  void Switched(Awaited what, const Status& status);
  void Judge();
  bool IsNew(const Wish& wish) const { return wish.spec.directory == directory_; }
  bool HasEnded(Awaited what, std::string& failure);
  void Conclude(const std::string& failure);
  // Answers, if that is still to be done.
  void Tell();
  void Note(const std::string& kind, const std::string& text) const;
  std::vector<std::string> InUse() const;
  std::string Cookie() const;

  const DeployContext& context_;
  const ServiceId id_;
  const Command command_;
  std::function<void()> on_over_;
  std::optional<DeployTransaction> transaction_;
  DeployPlan plan_;
  DeployRecord record_;
  ServiceSpec spec_;       // the new one
  ServiceSpec before_;     // the one that is to be back
  std::string directory_;  // of the new release
  std::optional<RunAs> user_;
  bool first_ = false;  // no release was in service before
  bool cancelled_ = false;
  std::string cancel_reason_;
  ErrorCode code_ = ErrorCode::kNotReady;  // of its failure
  std::vector<std::string> log_tail_;      // the same
  UniqueFd staging_;
  UniqueFd report_;
  Spawned child_;
  std::function<void(const std::optional<int>& status)> on_child_end_;
  std::unique_ptr<uv::Poll> child_poll_;
  std::unique_ptr<ChildLines> lines_;
  std::unique_ptr<HealthProbe> probe_;
  std::unique_ptr<HealthProbe> probe_over_;  // its own timer has called
  Awaited awaited_ = Awaited::kNothing;
  std::uint64_t order_ = 0;  // of the wish that is awaited
  Generation generation_ = 0;
  bool canary_ready_ = false;
  std::optional<Reply> reply_;  // for the deployer
  bool over_ = false;
  int jobs_ = 0;  // on the disk thread
  std::deque<DeployEvent> inbox_;
  bool feeding_ = false;
  uv::Timer timer_;
  uv::Timer again_;  // the way back is tried
};

}  // namespace slc::deploy
