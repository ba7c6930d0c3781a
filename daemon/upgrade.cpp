#include "daemon/upgrade.h"

#include <unistd.h>

#include "common/base/log.h"
#include "common/base/version.h"

namespace slc {
namespace {

// A master that is being started or taken over goes on as well after the exec, but has to be taken
// over once more. One that never gets into charge must not keep the version that would repair it
// away.
constexpr Millis kQuietPatience = 5000;
constexpr Millis kLookAgain = 20;

}  // namespace

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
      quiet_timer_(loop, [this] { AwaitQuiet(); }),
      check_over_(loop, [this] {
        check_.reset();
        hands_.checked();
        const auto step = std::move(after_check_);
        step();
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
  if (context_.foreground) {
    return clients_.Refuse(
        command, Error{ErrorCode::kConflict,
                       "this slcd belongs to an `slc run`; start that anew with the new version"});
  }
  command_ = command;
  CheckDaemon();
}

void Upgrade::CheckDaemon() {
  check_ = std::make_unique<SelfCheckRun>(
      loop_, "slcd", context_.installed.daemon(), [this](const Result<SelfCheck>& answer) {
        const Status follows =
            answer ? CanFollow(DescribeSelf("slcd"), *answer) : Status(answer.error());
        if (!follows) return After([this, error = follows.error()] { Refuse(error); });
        After([this, slcd = *answer] { CheckMaster(slcd); });
      });
}

void Upgrade::CheckMaster(const SelfCheck& slcd) {
  check_ = std::make_unique<SelfCheckRun>(
      loop_, "slc-master", context_.installed.master(),
      [this, slcd](const Result<SelfCheck>& answer) {
        const Status follows = answer ? CanFollow(slcd, *answer) : Status(answer.error());
        if (!follows) return After([this, error = follows.error()] { Refuse(error); });
        After([this, slcd] { Keep(slcd); });
      });
}

void Upgrade::Keep(const SelfCheck& slcd) {
  auto kept = std::make_shared<Status>(Ok());
  disk_.Run(
      [&previous = previous_, installed = context_.installed, slcd, request = command_->request.id,
       kept] { *kept = previous.Keep(installed, slcd, request); },
      [this, kept] {
        if (!*kept) return Refuse(kept->error().During("keep what runs now in HOME/previous"));
        quiet_by_ = loop_.now() + kQuietPatience;
        AwaitQuiet();
      });
}

void Upgrade::After(std::function<void()> step) {
  after_check_ = std::move(step);
  check_over_.StartIn(0);
}

void Upgrade::Refuse(const Error& error) {
  log::Warn("upgrade refused: " + error.message);
  clients_.Refuse(*command_, error.During("upgrade; nothing was changed"));
  command_.reset();
}

void Upgrade::AwaitQuiet() {
  if (!services_.Settled() && loop_.now() < quiet_by_) return quiet_timer_.StartIn(kLookAgain);
  log::Info("upgrade: going on as " + context_.daemon_program);
  hands_.once_written([this] { Execute(); });
}

void Upgrade::Execute() {
  const Error error = hands_.execute(*command_);
  auto ended = std::make_shared<Status>(Ok());
  disk_.Run([&previous = previous_, ended] { *ended = previous.EndTrial(); },
            [ended] {
              if (!*ended) log::Warn("upgrade: its trial is still on: " + ended->error().message);
            });
  Refuse(error);
}

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
  plan_.emplace(slcd, loop_.now());
  OnMasters();
}

std::vector<SightedMaster> Upgrade::Sighted() const { return services_.SightedMasters(); }

void Upgrade::OnMasters() {
  if (plan_) Feed(MastersSighted{Sighted()});
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
  done_reply_ = reply;
  clients_.Answer(*command_, reply);
  command_.reset();
  plan_.reset();
}

}  // namespace slc
