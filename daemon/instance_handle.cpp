#include "daemon/instance_handle.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/environment.h"
#include "common/base/fd_passing.h"
#include "common/base/files.h"
#include "common/base/leftovers.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/descriptor_rescue.h"
#include "daemon/master_search.h"

namespace slc {
namespace {

// Descriptor numbers a master is started with.
constexpr int kMasterLink = 3;
constexpr int kMasterDirectory = 4;

}  // namespace

// Shared with the disk thread.
struct InstanceHandle::Removal {
  std::timed_mutex mutex;  // held while it is done
  bool cancelled = false;
};

InstanceHandle::InstanceHandle(uv::Loop& loop, const DaemonContext& context, uv::DiskThread& disk,
                               ServiceId id, std::string name, Events events)
    : loop_(loop),
      context_(context),
      disk_(disk),
      id_(id),
      name_(std::move(name)),
      events_(std::move(events)),
      keeper_(*context.fd_store, KeptPrefix(id)),
      timer_(loop, [this] { Tick(); }),
      look_again_(loop, [this] { Look(); }),
      ask_again_(loop,
                 [this] {
                   if (link_ && !missing_.empty()) {
                     link_->Send(link::StoreAgain{{missing_.begin(), missing_.end()}});
                   }
                 }),
      sweep_(loop, [this] { Sweep(); }) {}

InstanceHandle::~InstanceHandle() = default;

std::string InstanceHandle::Cookie() const { return context_.home_key + "-" + std::to_string(id_); }

Result<UniqueFd> InstanceHandle::OpenDirectory() {
  if (removal_) {
    // A removal that is still to come would take the new one's.
    // One that has begun is done in a moment, unless the disk hangs: then this start is tried
    // again.
    constexpr std::chrono::milliseconds kMoment{50};
    const std::unique_lock<std::timed_mutex> hold(removal_->mutex, kMoment);
    if (!hold) return Error{ErrorCode::kStorage, "its run directory is still being removed"};
    removal_->cancelled = true;
  }
  removal_.reset();
  return OpenPrivateDirectoryAt(context_.instances, std::to_string(id_), true);
}

bool InstanceHandle::adopting() const {
  return plan_.state() == InstancePlan::State::kSearching ||
         plan_.state() == InstancePlan::State::kFencing ||
         (adopt_ && (launching_ || plan_.state() == InstancePlan::State::kLaunching));
}

Millis InstanceHandle::silent_for() const {
  constexpr Millis kNoticeable = 1000;
  if (asked_at_ == 0 || loop_.now() - asked_at_ < kNoticeable) return 0;
  return loop_.now() - asked_at_;
}

std::optional<MasterInfo> InstanceHandle::about_master() const {
  if (!has_master() || !master_) return std::nullopt;
  return MasterInfo{name_, master_->pid, hello_.version, hello_.protocol.newest};
}

std::optional<InstanceState> InstanceHandle::ReadState() const {
  if (!has_master()) return std::nullopt;
  const int memfd = keeper_.Find(link::kStateName);
  if (memfd < 0) return std::nullopt;
  auto content = ReadSnapshot(memfd);
  if (!content) return std::nullopt;
  auto state = DecodeInstanceState(content->state);
  if (!state) return std::nullopt;
  return std::move(*state);
}

// ----------------------------------------------------------------------------------------------
// the plan

void InstanceHandle::Feed(const PlanEvent& event) {
  inbox_.push_back(event);
  if (feeding_) return;
  feeding_ = true;
  while (!inbox_.empty()) {
    const PlanEvent next = inbox_.front();
    inbox_.pop_front();
    for (const PlanAction& action : plan_.On(next, loop_.now())) {
      std::visit([this](const auto& deed) { Do(deed); }, action);
    }
  }
  feeding_ = false;
  launching_ = plan_.state() == InstancePlan::State::kAbsent && plan_.deadline().has_value();
  if (const auto at = plan_.deadline()) {
    timer_.StartAt(*at);
  } else {
    timer_.Stop();
  }
  if (!has_master() && events_.on_gone) events_.on_gone();
}

void InstanceHandle::Tick() {
  // If it was us who did not run, the answers wait in the link and must count before the time does.
  if (link_) link_->ReadToEnd();
  Feed(PlanTick{});
}

std::optional<GenerationConfig> InstanceHandle::ReadConfig(Generation generation) const {
  const int memfd = keeper_.Find(link::ConfigName(generation));
  if (memfd < 0) return std::nullopt;
  auto text = ReadMemfd(memfd);
  auto value = text ? ParseJson(*text) : Result<nlohmann::json>(text.error());
  GenerationConfig config;
  if (!value || !FromJson(*value, config)) return std::nullopt;
  return config;
}

void InstanceHandle::SetWish(const FleetWish& wish) {
  follows_ = false;
  const bool renewed = wish.order != wish_.order;
  wish_ = wish;
  Feed(PlanWish{wish.run, renewed});
}

void InstanceHandle::AddConfig(Generation generation, UniqueFd memfd) {
  new_configs_[generation] = std::move(memfd);
}

bool InstanceHandle::has_config(Generation generation) const {
  return new_configs_.count(generation) > 0 || keeper_.Find(link::ConfigName(generation)) >= 0;
}

void InstanceHandle::Search(const FleetWish& wish) {
  wish_ = wish;
  Feed(SearchBegun{});
  Look();
}

void InstanceHandle::Look() {
  constexpr Millis kAgain = 100;
  if (GoOnWithInherited()) return Feed(MasterSearched{true, wish_.run});
  auto directory = OpenDirectory();
  MasterContact contact;
  if (directory) {
    contact = ContactMaster(directory->get());
  } else {
    contact.trouble = directory.error().message;
  }
  if (!contact.nobody && !contact.socket) {
    // To clear away what a living master uses would be worse than to wait.
    if (search_trouble_ != contact.trouble) {
      log::Warn("service " + name_ + ": cannot tell whether its master lives: " + contact.trouble);
    }
    search_trouble_ = contact.trouble;
    return look_again_.StartIn(kAgain);
  }
  if (!contact.nobody) {
    const std::string name = follows_ ? ServiceNameOf(contact.master) : std::string();
    if (!name.empty()) name_ = name;
    keeper_.BeginRenewal();
    Watch(contact.master, std::move(contact.pidfd));
    UseLink(std::move(contact.socket));
    Record("master_adopted", "");
  }
  const bool kept = contact.nobody && keeper_.Find(link::kStateName) >= 0;
  Feed(MasterSearched{!contact.nobody, wish_.run, kept});
}

void InstanceHandle::Follow() {
  follows_ = true;
  Feed(SearchBegun{});
  Look();
}

void InstanceHandle::StopFollowed(bool soft) {
  stop_followed_ = soft;
  Feed(PlanWish{false, true});
}

std::optional<FleetWish> InstanceHandle::followed() const {
  const auto state = ReadState();
  if (!state) return std::nullopt;
  // What was ordered a moment ago may not have been obeyed yet.
  return wish_.order > state->fleet.wish.order ? wish_ : state->fleet.wish;
}

void InstanceHandle::SayLeaving(bool revive) {
  if (link_) link_->Send(link::Leaving{revive});
}

bool InstanceHandle::TellExit(const ProcessIdentity& process, int status) {
  if (!link_) return false;
  const auto state = ReadState();
  if (!state) return false;
  for (const auto& [id, worker] : state->workers) {
    if (worker.process != process) continue;
    return link_->Send(link::ExitStatus{process, status});
  }
  return false;
}

// -----------------------------------------------------------------------------------------------
// deeds

void InstanceHandle::Do(const LaunchMaster& action) {
  adopt_ = action.adopt && keeper_.Find(link::kStateName) >= 0;
  if (!adopt_) {
    KillByCookie(Cookie() + ".");
    keeper_.Clear();
  }
  facts_.reset();
  if (follows_ && !adopt_) return Feed(NothingToStart{});
  auto directory = OpenDirectory();
  SocketPair pair = MakeSocketPair(SOCK_SEQPACKET);
  if (!directory || !pair.first) {
    return LaunchFailed(directory ? SystemError("make its link", errno) : directory.error());
  }
  SpawnOptions options;
  const bool previous = action.previous_binary && !context_.previous_master.empty();
  options.program = previous ? context_.previous_master : context_.master_program;
  options.arguments = {"slc-master",  name_,
                       "--link",      std::to_string(kMasterLink),
                       "--directory", std::to_string(kMasterDirectory)};
  if (previous) {
    log::Warn("service " + name_ + ": its master did not hold; trying the version before, " +
              options.program);
    options.arguments.insert(options.arguments.end(),
                             {"--installed", context_.installed.directory});
  }
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.descriptors = {{pair.second.get(), kMasterLink}, {directory->get(), kMasterDirectory}};
  if (context_.foreground) {
    options.descriptors.emplace_back(STDOUT_FILENO, STDOUT_FILENO);
    options.descriptors.emplace_back(STDERR_FILENO, STDERR_FILENO);
  }
  // The master raises its own limit again and must know what to give back to workers.
  options.nofile = context_.nofile;
  options.core = context_.core;
  options.working_directory = "/";
  auto spawned = Spawn(options);
  pair.second.reset();
  if (!spawned) {
    return LaunchFailed(spawned.error());
  }
  Watch(spawned->identity, std::move(spawned->pidfd));
  UseLink(std::move(pair.first));
  Record("master_launched", adopt_ ? "to take over the workers there are" : "");
  ++launches_;
  master_epoch_ = (context_.epoch << 20) + launches_;
  link::Setup setup;
  setup.service = id_;
  setup.name = name_;
  setup.epoch = master_epoch_;
  setup.cookie = Cookie();
  setup.log_directory = context_.foreground ? "-" : context_.logs + "/" + name_;
  setup.daemon_program = context_.daemon_program;
  setup.home = context_.home;
  link_->Send(setup);
  if (adopt_) HandOver();
  Feed(MasterLaunched{true});
}

// Of the master there is.
void InstanceHandle::Record(const char* kind, const std::string& text) const {
  if (!events_.on_record) return;
  JournalRecord record;
  record.kind = kind;
  record.text = text;
  if (master_) record.pid = master_->pid;
  events_.on_record(std::move(record));
}

void InstanceHandle::LaunchFailed(const Error& error) {
  Record("master_failed", "cannot be started: " + error.message);
  log::Failure("service " + name_ + ": its master cannot be started: " + error.message);
  if (events_.on_launch_failed) events_.on_launch_failed(error);
  Feed(MasterLaunched{false});
}

void InstanceHandle::HandOver() {
  link::AdoptFds packet;
  std::vector<int> fds;
  const auto flush = [&] {
    if (!packet.names.empty()) link_->Send(packet, fds);
    packet.names.clear();
    fds.clear();
  };
  for (const auto& [name, fd] : keeper_.fds()) {
    packet.names.push_back(name);
    fds.push_back(fd.get());
    if (fds.size() == kMaxFdsPerMessage) flush();
  }
  flush();
  link_->Send(link::AdoptEnd{});
}

void InstanceHandle::Do(const FenceMaster&) {
  if (link_) {
    // What it had sent before it died or hung counts: above all descriptors of newborn workers.
    link_->ReadToEnd();
    old_link_ = std::move(link_);
    sweep_.StartIn(0);
  }
  log::Warn("service " + name_ + ": the master (pid " + std::to_string(master_ ? master_->pid : 0) +
            ") is gone or does not answer; replacing it");
  Record("master_fenced", "it is gone or does not answer");
  SignalProcess(pidfd_, SIGKILL);
  if (HasEnded(pidfd_, 0)) Feed(MasterEnded{});
}

void InstanceHandle::Do(const TakeDescriptors&) {
  if (!master_) return Feed(DescriptorsTaken{false});
  auto taken = TakeDescriptorsOf(*master_, pidfd_);
  if (!taken) {
    log::Info("service " + name_ +
              ": the descriptors of its silent master cannot be taken: " + taken.error().message);
    return Feed(DescriptorsTaken{false});
  }
  log::Info("service " + name_ + ": took " + std::to_string(taken->size()) +
            " descriptors from its silent master");
  for (auto& [name, fd] : *taken) keeper_.Store(name, std::move(fd));
  Feed(DescriptorsTaken{true});
}

void InstanceHandle::Do(const SendOrder&) {
  if (!link_) return;
  if (follows_) {
    const auto wish = followed();
    if (!wish) return;
    wish_ = *wish;
    if (stop_followed_) {
      if (wish_.run || wish_.soft_stop != *stop_followed_) ++wish_.order;
      wish_.run = false;
      wish_.soft_stop = *stop_followed_;
    }
  }
  link::Order order;
  order.wish = wish_;
  std::vector<int> fds;
  for (const auto& [generation, memfd] : new_configs_) {
    order.configs.push_back(generation);
    fds.push_back(memfd.get());
  }
  // A successor has the configs its predecessor had; the newest may not have reached that one.
  const int kept = keeper_.Find(link::ConfigName(wish_.generation));
  if (kept >= 0 && new_configs_.count(wish_.generation) == 0) {
    order.configs.push_back(wish_.generation);
    fds.push_back(kept);
  }
  link_->Send(order, fds);
}

void InstanceHandle::Do(const PingMaster&) {
  if (asked_at_ == 0) asked_at_ = loop_.now();
  if (plan_.state() == InstancePlan::State::kSearching) {
    log::Warn("service " + name_ + ": the master (pid " +
              std::to_string(master_ ? master_->pid : 0) +
              ") does not answer; it is waited for a minute, then it and its workers are replaced");
  }
  if (link_) link_->Send(link::Ping{++pings_});
}

// In a turn of its own: what is let go of here may be what called us.
void InstanceHandle::Sweep() {
  old_link_.reset();
  if (has_master()) return;
  end_poll_.reset();
  pidfd_.reset();
}

void InstanceHandle::Do(const CleanUp&) {
  KillByCookie(Cookie() + ".");
  // An order that renews none (set-size after a SIGTERM to the master) needs it once more.
  const std::string current = link::ConfigName(wish_.generation);
  if (const int kept = keeper_.Find(current);
      kept >= 0 && new_configs_.count(wish_.generation) == 0) {
    UniqueFd copy(::fcntl(kept, F_DUPFD_CLOEXEC, 0));
    if (copy) new_configs_[wish_.generation] = std::move(copy);
  }
  if (!wish_.run) new_configs_.clear();
  keeper_.Clear();
  facts_.reset();
  master_.reset();
  if (link_) old_link_ = std::move(link_);
  sweep_.StartIn(0);
  // One that is to run gets another master at once, which takes the directory over.
  if (!wish_.run) RemoveDirectory();
}

// By the disk thread: a disk that hangs must not stop us.
void InstanceHandle::RemoveDirectory() {
  removal_ = std::make_shared<Removal>();
  auto removed = std::make_shared<Status>(Ok());
  disk_.Run(
      [removal = removal_, removed, instances = context_.instances, name = std::to_string(id_)] {
        const std::lock_guard<std::timed_mutex> hold(removal->mutex);
        if (!removal->cancelled) *removed = RemoveTreeAt(instances, name);
      },
      [removed, name = name_] {
        if (!*removed) log::Warn("service " + name + ": " + removed->error().message);
      });
}

// ------------------------------------------------------------------------------------------------
// facts

void InstanceHandle::Watch(ProcessIdentity identity, UniqueFd pidfd) {
  end_poll_.reset();
  master_ = identity;
  foreign_.clear();
  hello_.version.clear();
  hello_.protocol = {};
  pidfd_ = std::move(pidfd);
  end_poll_ =
      std::make_unique<uv::Poll>(loop_, pidfd_.get(), [this](uv::Poll::Ready) { OnMasterEnded(); });
  end_poll_->Watch(true, false);
}

// A successor that is launched at once replaces the poll, and with it what has called us here.
void InstanceHandle::OnMasterEnded() {
  end_poll_->Watch(false, false);
  const std::optional<int> status = Reap(pidfd_);
  if (plan_.state() != InstancePlan::State::kEnding &&
      plan_.state() != InstancePlan::State::kFencing) {
    Record("master_ended", status ? DescribeWaitStatus(*status) : "exit status unknown");
  }
  if (events_.on_reaped) events_.on_reaped();
  if (link_) link_->ReadToEnd();
  if (link_) {
    old_link_ = std::move(link_);
    sweep_.StartIn(0);
  }
  Feed(MasterEnded{});
  EndUpgrade(MasterFell{id_});
}

void InstanceHandle::UseLink(UniqueFd socket) {
  missing_.clear();
  link_ = std::make_unique<PacketSocket>(
      loop_, std::move(socket),
      PacketSocket::Events{[this](link::Packet packet, std::vector<UniqueFd> fds) {
                             OnPacket(std::move(packet), std::move(fds));
                           },
                           [this](const std::string&) { OnLinkClosed(); }});
  link::Hello hello;
  hello.epoch = context_.epoch;
  hello.daemon = IdentifySelf();
  hello.revive = context_.revive;
  link_->Send(hello);
}

void InstanceHandle::OnLinkClosed() {
  if (pidfd_ && HasEnded(pidfd_, 0)) return;  // its end is about to be reported
  Feed(LinkLost{});
}

void InstanceHandle::Keep(const link::Store& store, std::vector<UniqueFd> fds) {
  constexpr Millis kAgain = 500;
  for (std::size_t i = 0; i < store.names.size(); ++i) {
    const std::string& name = store.names[i];
    if (i >= fds.size()) {
      missing_.insert(name);
      continue;
    }
    keeper_.Store(name, std::move(fds[i]));
    missing_.erase(name);
    for (auto config = new_configs_.begin(); config != new_configs_.end();) {
      const bool arrived = name == link::ConfigName(config->first);
      config = arrived ? new_configs_.erase(config) : std::next(config);
    }
  }
  if (missing_.empty() || ask_again_.active()) return;
  log::Warn("service " + name_ + ": there is no room for " + std::to_string(missing_.size()) +
            " descriptors that its master gave to be kept; it is asked for them again");
  ask_again_.StartIn(kAgain);
}

void InstanceHandle::OnPacket(link::Packet packet, std::vector<UniqueFd> fds) {
  asked_at_ = 0;
  if (const auto* store = std::get_if<link::Store>(&packet)) return Keep(*store, std::move(fds));
  if (const auto* drop = std::get_if<link::Drop>(&packet)) {
    for (const std::string& name : drop->names) {
      keeper_.Drop(name);
      missing_.erase(name);
    }
    return;
  }
  if (const auto* hello = std::get_if<link::MasterHello>(&packet)) {
    hello_ = *hello;
    if (!hello->protocol.Meets(OwnVersion().link)) return OnForeign();
    if (upgrading_) new_version_ = hello->version;
    if (!hello->in_charge) Feed(MasterSpoke{false});
    return;
  }
  if (std::holds_alternative<link::StoredAll>(packet)) {
    keeper_.EndRenewal();
    Feed(MasterSpoke{true});
    if (!new_version_.empty()) EndUpgrade(MasterReplaced{id_, std::exchange(new_version_, {})});
    return;
  }
  if (const auto* refused = std::get_if<link::UpgradeRefused>(&packet)) {
    return EndUpgrade(MasterStayed{id_, refused->reason});
  }
  if (std::holds_alternative<link::Pong>(packet)) return Feed(MasterAnswered{});
  if (const auto* in_charge = std::get_if<link::InCharge>(&packet)) {
    log::Info("service " + name_ + ": a new master (pid " +
              std::to_string(master_ ? master_->pid : 0) + ") has taken over " +
              std::to_string(in_charge->kept) + " workers");
    Record("master_took_over", std::to_string(in_charge->kept) + " workers go on, " +
                                   std::to_string(in_charge->replaced) + " are replaced");
    return Feed(MasterSpoke{true});
  }
  if (const auto* facts = std::get_if<link::Facts>(&packet)) {
    facts_ = *facts;
    Feed(MasterSpoke{true});
    if (facts->phase == "stopped") Feed(MasterStopped{facts->order >= wish_.order});
    if (events_.on_facts) events_.on_facts(*facts);
    return;
  }
  if (const auto* notice = std::get_if<link::Notice>(&packet)) {
    if (events_.on_notice) events_.on_notice(*notice);
  }
}

}  // namespace slc
