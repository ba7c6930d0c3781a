// InstanceHandle, where it does what the plan says.
#include <fcntl.h>
#include <sys/socket.h>

#include <csignal>
#include <utility>

#include "common/base/cgroup.h"
#include "common/base/fd_passing.h"
#include "common/base/log.h"
#include "daemon/descriptor_rescue.h"
#include "daemon/instance_handle.h"
#include "daemon/master_spawn.h"

namespace slc {

void InstanceHandle::Do(const LaunchMaster& action) {
  if (!context_.is_ours()) return;
  adopt_ = action.adopt && keeper_.Find(link::kStateName) >= 0;
  if (!adopt_) {
    context_.traces->Clear(id_);
    // The one before may have taken it over and died before anything could be taken over from it.
    SaveConfig();
    keeper_.Clear();
  }
  facts_.reset();
  if (follows_ && !adopt_) return Feed(NothingToStart{});
  auto directory = directory_.Open();
  if (!directory) return LaunchFailed(directory.error());
  const bool stand_in = action.previous_binary && context_.previous->MayStandIn(WallNow());
  const std::string& program = stand_in ? context_.previous->master() : context_.master_program;
  if (stand_in) {
    log::Warn("service " + name_ + ": its master did not hold; trying the version before, " +
              program);
  }
  WatchLodging(false);
  auto spawned = SpawnMaster(context_, name_, directory->get(), program);
  if (!spawned) return LaunchFailed(spawned.error());
  Watch(spawned->process, std::move(spawned->pidfd));
  UseLink(std::move(spawned->link));
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
    if (!packet.names.empty()) SendOrBreakOff(packet, fds);
    packet.names.clear();
    fds.clear();
  };
  for (const auto& [name, fd] : keeper_.fds()) {
    packet.names.push_back(name);
    fds.push_back(fd.get());
    if (fds.size() == kMaxFdsPerMessage) flush();
  }
  flush();
  SendOrBreakOff(link::AdoptEnd{}, {});
}

// A successor that does not get all would wait for it, or take it for not there: it is replaced.
void InstanceHandle::SendOrBreakOff(const link::Packet& packet, const std::vector<int>& fds) {
  if (link_->Send(packet, fds) || link_->peer_gone()) return;
  log::Warn("service " + name_ +
            ": no descriptor is left for what its new master is to take over; it is replaced");
  ::shutdown(link_->fd(), SHUT_RDWR);
}

void InstanceHandle::Do(const FenceMaster& action) {
  // It may have hung up to obey another slcd.
  if (!context_.is_ours()) return;
  if (link_) {
    // What it had sent before it died or hung counts: above all descriptors of newborn workers.
    link_->ReadToEnd();
    old_link_ = std::move(link_);
    sweep_.StartIn(0);
  }
  Cut();
  const bool homeless = lost_ != nullptr;
  const std::string lost = "cannot be found any more: its " +
                           std::string(homeless ? std::exchange(lost_, nullptr) : "") +
                           " was removed";
  log::Warn("service " + name_ + ": the master (pid " + std::to_string(master_ ? master_->pid : 0) +
            ") " + (homeless ? lost : "is gone or does not answer") + "; replacing it");
  Record("master_fenced", homeless ? "it " + lost : action.why);
  SignalProcess(pidfd_, SIGKILL);
  if (HasEnded(pidfd_, 0)) Feed(MasterEnded{WasKilled(Reap(pidfd_))});
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
  if (link_->Send(order, fds) || link_->peer_gone()) return;
  // No descriptor is left for one that is to go along; the master serves on meanwhile.
  constexpr Millis kAgain = 100;
  order_again_.StartIn(kAgain);
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

// That of the wanted generation, from the keeper, which is about to be cleared.
void InstanceHandle::SaveConfig() {
  const int kept = keeper_.Find(link::ConfigName(wish_.generation));
  if (kept < 0 || new_configs_.count(wish_.generation) > 0) return;
  UniqueFd copy(::fcntl(kept, F_DUPFD_CLOEXEC, 0));
  if (copy) new_configs_[wish_.generation] = std::move(copy);
}

void InstanceHandle::Do(const CleanUp&) {
  if (!context_.is_ours()) return;
  context_.traces->Clear(id_);
  RemoveCpuGroupsOf(Cookie());
  // An order that renews none (set-size after a SIGTERM to the master) needs it once more.
  SaveConfig();
  if (!wish_.run) new_configs_.clear();
  keeper_.Clear();
  facts_.reset();
  master_.reset();
  if (link_) old_link_ = std::move(link_);
  sweep_.StartIn(0);
  // One that is to run gets another master at once, which takes the directory over.
  if (!wish_.run) directory_.Remove(name_);
}

}  // namespace slc
