#include "daemon/upgrade.h"

#include <unistd.h>

#include <utility>

#include "common/base/log.h"
#include "common/base/version.h"

namespace slc {

Upgrade::Upgrade(uv::Loop& loop, const DaemonContext& context, Services& services, Clients& clients,
                 uv::DiskThread& disk, PreviousVersion& previous, Hands hands)
    : loop_(loop),
      context_(context),
      services_(services),
      clients_(clients),
      disk_(disk),
      previous_(previous),
      hands_(std::move(hands)),
      timer_(loop, [this] { Feed(UpgradeTick{}); }),
      look_(loop, [this] { Feed(SceneSeen{}); }),
      check_over_(loop, [this] {
        check_.reset();
        hands_.checked();
        Feed(*std::exchange(after_check_, std::nullopt));
      }) {}

void Upgrade::Begin(const Command& command) {
  const std::string& request = command.request.id;
  if (!request.empty() && request == done_request_) return clients_.Answer(command, done_reply_);
  if (command_ && command_->request.id == request) {
    command_ = command;
    return;
  }
  if (command_) {
    return clients_.Refuse(
        command, Error{ErrorCode::kConflict, "an upgrade is under way already; wait for its end"});
  }
  // It was us who were executed for this request, and we died on the way.
  const auto& trial = previous_.trial();
  if (trial && !trial->failed && !request.empty() && trial->request == request) {
    DaemonFacts before;
    before.version = trial->previous;
    before.began = BootNow();
    return GoOn(command, before);
  }
  command_ = command;
  start_.emplace();
  ++starts_;
  Feed(UpgradeAsked{});
}

// ------------------------------------------------------------------------------------------------
// before slcd is executed

void Upgrade::Feed(const StartEvent& event) {
  if (!start_) return;
  const auto actions = start_->On(event, hands_.scene(), loop_.now());
  const auto look_at = start_->deadline();
  if (start_->over()) start_.reset();
  if (look_at) {
    look_.StartAt(*look_at);
  } else {
    look_.Stop();
  }
  for (const StartAction& action : actions) {
    std::visit([this](const auto& deed) { Do(deed); }, action);
  }
}

void Upgrade::Do(const CheckDaemon&) {
  check_ = std::make_unique<SelfCheckRun>(
      loop_, "slcd", context_.installed.daemon(), [this](const Result<SelfCheck>& answer) {
        if (!answer) return After(DaemonChecked{answer.error()});
        next_ = *answer;
        After(DaemonChecked{CanFollow(DescribeSelf("slcd"), next_)});
      });
}

void Upgrade::Do(const CheckMaster&) {
  check_ = std::make_unique<SelfCheckRun>(
      loop_, "slc-master", context_.installed.master(), [this](const Result<SelfCheck>& answer) {
        After(MasterChecked{answer ? CanFollow(next_, *answer) : Status(answer.error())});
      });
}

void Upgrade::After(StartEvent event) {
  after_check_ = std::move(event);
  check_over_.StartIn(0);
}

void Upgrade::Do(const KeepVersion&) {
  auto kept = std::make_shared<Result<KeptVersion>>(KeptVersion());
  disk_.Run(
      [&previous = previous_, installed = context_.installed, next = next_,
       request = command_->request.id, kept] { *kept = previous.Keep(installed, next, request); },
      [this, kept, start = starts_] {
        // It was given up.
        if (start != starts_ || !start_) return;
        if (!*kept) {
          const Error& error = kept->error();
          const bool said = error.code == ErrorCode::kConflict;
          return Feed(
              VersionKept{said ? error : error.During("keep what runs now in HOME/previous")});
        }
        kept_ = std::move(**kept);
        if (kept_.new_daemon) log::Info("upgrade: going on as " + context_.daemon_program);
        Feed(VersionKept{Ok(), kept_.new_daemon});
      });
}

void Upgrade::Do(const WriteOut&) { hands_.write_out(); }

void Upgrade::Do(const ExecuteDaemon&) { Feed(ExecutionFailed{hands_.execute(*command_)}); }

void Upgrade::Do(const UpgradeMasters&) {
  ProcessUpgrade slcd;
  slcd.program = "slcd";
  slcd.pid = ::getpid();
  slcd.from = OwnVersion().text;
  slcd.to = slcd.from;
  slcd.already = true;
  const std::string binary = kept_.master_binary;
  previous_.GoOnAfter(std::move(kept_));
  Follow(slcd, binary);
}

void Upgrade::Do(const RefuseUpgrade& action) {
  if (action.withdraw) {
    auto ended = std::make_shared<Status>(Ok());
    disk_.Run([&previous = previous_, ended] { *ended = previous.EndTrial(); },
              [ended] {
                if (!*ended) log::Warn("upgrade: its trial is still on: " + ended->error().message);
              });
  }
  log::Warn("upgrade refused: " + action.error.message);
  clients_.Refuse(*command_,
                  Error{action.error.code, action.error.message + "; nothing was changed"});
  command_.reset();
}

// ------------------------------------------------------------------------------------------------
// after that

void Upgrade::NoteGivenWay() {
  const auto& trial = previous_.trial();
  if (!trial) return;
  ProcessUpgrade slcd;
  slcd.program = "slcd";
  slcd.pid = ::getpid();
  slcd.from = OwnVersion().text;
  slcd.reason = trial->version + " died three times within 10 s of its start";
  done_request_ = trial->request;
  done_reply_.data = UpgradeReport{slcd};
  done_reply_.error =
      Error{ErrorCode::kNotReady, "the new slcd has not held; all goes on as it was, see " +
                                      context_.logs + "/slcd.log and slcd.out"};
}

void Upgrade::GoOn(const Command& command, const DaemonFacts& before) {
  command_ = command;
  ProcessUpgrade slcd;
  slcd.program = "slcd";
  slcd.pid = ::getpid();
  slcd.from = before.version;
  slcd.to = OwnVersion().text;
  slcd.took = BootNow() - before.began;
  log::Info("upgrade: slcd " + before.version + " goes on as " + slcd.to);
  Follow(slcd, previous_.own_master());
}

void Upgrade::Follow(const ProcessUpgrade& slcd, std::string master_binary) {
  master_binary_ = std::move(master_binary);
  plan_.emplace(slcd, loop_.now());
  OnMasters();
}

void Upgrade::OnMasters() {
  if (plan_) Feed(MastersSighted{services_.SightedMasters(master_binary_)});
}

void Upgrade::OnMaster(const UpgradeEvent& outcome) {
  if (plan_) Feed(outcome);
}

void Upgrade::Feed(const UpgradeEvent& event) {
  inbox_.push_back(event);
  if (feeding_) return;
  feeding_ = true;
  while (!inbox_.empty() && plan_) {
    const UpgradeEvent next = inbox_.front();
    inbox_.pop_front();
    for (const UpgradeAction& action : plan_->On(next, loop_.now())) {
      if (const auto* order = std::get_if<UpgradeMaster>(&action)) {
        services_.UpgradeMaster(order->id);
      } else {
        Answer();
      }
    }
  }
  feeding_ = false;
  inbox_.clear();
  if (plan_ && plan_->deadline()) {
    timer_.StartAt(*plan_->deadline());
  } else {
    timer_.Stop();
  }
}

void Upgrade::Answer() {
  Reply reply;
  reply.data = plan_->report();
  if (plan_->failed()) {
    reply.error = Error{ErrorCode::kNotReady,
                        "not all processes are of the installed version; what stayed goes on "
                        "serving, slc upgrade tries again"};
  }
  for (const ProcessUpgrade& line : plan_->report()) {
    if (line.reason.empty()) continue;
    log::Warn("upgrade: " + line.program + (line.service.empty() ? "" : " of " + line.service) +
              " (pid " + std::to_string(line.pid) + ") stays at " + line.from + ": " + line.reason);
  }
  log::Info("upgrade is over");
  done_request_ = command_->request.id;
  done_reply_ = std::move(reply);
  clients_.Answer(*command_, done_reply_);
  command_.reset();
  plan_.reset();
}

}  // namespace slc
