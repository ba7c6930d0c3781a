// InstanceHandle, where an image of slcd gives way to the next, and a master to its own next image.
#include "common/base/log.h"
#include "common/base/version.h"
#include "daemon/instance_handle.h"

namespace slc {

void InstanceHandle::Bequeath(Bequest& bequest, DaemonFacts& facts) const {
  InstanceFacts& own = facts.instances[id_];
  own.launches = launches_;
  own.hellos = upgrade_.awaited();
  if (has_master() && master_) own.master = *master_;
  for (const auto& [name, fd] : keeper_.fds()) {
    bequest.fds[HeritageKept(id_) + name] = fd.get();
  }
  for (const auto& [generation, memfd] : new_configs_) {
    bequest.fds[HeritageConfig(id_) + std::to_string(generation)] = memfd.get();
  }
  if (link_) bequest.fds[HeritageLink(id_)] = link_->fd();
}

void InstanceHandle::Inherit(InstanceHeritage heritage) {
  launches_ = heritage.facts.launches;
  for (auto& [name, fd] : heritage.kept) keeper_.Inherit(name, std::move(fd));
  for (auto& [generation, memfd] : heritage.configs) {
    new_configs_[generation] = std::move(memfd);
  }
  inherited_link_ = std::move(heritage.link);
  if (inherited_link_) inherited_hellos_ = heritage.facts.hellos;
  if (heritage.facts.master.pid > 0) inherited_master_ = heritage.facts.master;
}

// The link goes on as if nothing had happened; what had been sent before is read from it first.
bool InstanceHandle::GoOnWithInherited() {
  UniqueFd link = std::move(inherited_link_);
  UniqueFd pidfd = link && inherited_master_ ? OpenProcess(*inherited_master_) : UniqueFd();
  if (!pidfd) {
    inherited_hellos_ = 0;
    return false;
  }
  keeper_.BeginRenewal();
  Watch(*inherited_master_, std::move(pidfd));
  UseLink(std::move(link));
  WatchLodging(true);
  return true;
}

void InstanceHandle::UpgradeMaster() {
  upgrade_.Begin();
  if (!link_ || !link_->Send(link::Upgrade{context_.installed.master()})) {
    Tell(upgrade_.Stayed("it cannot be told", !wish_.run));
  }
}

void InstanceHandle::Tell(const std::optional<UpgradeEvent>& outcome) {
  if (outcome && events_.on_upgraded) events_.on_upgraded(*outcome);
}

// It serves on without a daemon: to fence it would cost its workers, since it gives us nothing of
// them.
void InstanceHandle::OnForeign() {
  const std::string pid = std::to_string(master_ ? master_->pid : 0);
  const auto range = [](const ProtocolRange& protocol) {
    return std::to_string(protocol.oldest) + " to " + std::to_string(protocol.newest);
  };
  foreign_ = "its master (pid " + pid + ", slc " + hello_.version + ") speaks link protocol " +
             range(hello_.protocol) + ", this slcd " + range(OwnVersion().link) +
             "; it serves on alone. Install the slc of before or a version in between, or end the "
             "master: kill " +
             pid + " lets its connections finish, then it is started anew";
  log::Failure("service " + name_ + ": " + foreign_);
  Feed(MasterForeign{});
}

}  // namespace slc
