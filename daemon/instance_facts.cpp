// InstanceHandle, where it hears of its master: its end, and what it says on the link.
#include <utility>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "daemon/instance_handle.h"

namespace slc {

void InstanceHandle::Watch(ProcessIdentity identity, UniqueFd pidfd) {
  end_poll_.reset();
  context_.traces->Note(id_);
  master_ = identity;
  foreign_.clear();
  hello_.version.clear();
  hello_.protocol = {};
  hello_.trials = false;
  pidfd_ = std::move(pidfd);
  end_poll_ =
      std::make_unique<uv::Poll>(loop_, pidfd_.get(), [this](uv::Poll::Ready) { OnMasterEnded(); });
  end_poll_->Watch(true, false);
}

// A successor that is launched at once replaces the poll, and with it what has called us here.
void InstanceHandle::OnMasterEnded() {
  end_poll_->Watch(false, false);
  const std::optional<int> status = Reap(pidfd_);
  const bool ordered = plan_.state() == InstancePlan::State::kEnding;
  // By another signal than ours it had ended by itself: that is why it was fenced.
  const bool fenced =
      plan_.state() == InstancePlan::State::kFencing && (!status || WasKilled(status));
  // Having stopped all, it looks for leftovers before it leaves by itself.
  if (ordered && status == 0) context_.traces->Forget(id_);
  if (!ordered && !fenced) {
    Record("master_ended", status ? DescribeWaitStatus(*status) : "exit status unknown");
  }
  if (events_.on_reaped) events_.on_reaped();
  if (link_) link_->ReadToEnd();
  if (link_) {
    old_link_ = std::move(link_);
    sweep_.StartIn(0);
  }
  Cut();
  Feed(MasterEnded{WasKilled(status)});
  Tell(upgrade_.Fell());
}

void InstanceHandle::Cut() {
  if (events_.on_cut) events_.on_cut();
}

void InstanceHandle::UseLink(UniqueFd socket) {
  missing_.Clear();
  upgrade_.Linked(std::exchange(inherited_hellos_, 0U));
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
  upgrade_.SentHello();
}

void InstanceHandle::OnLinkClosed() {
  if (pidfd_ && HasEnded(pidfd_, 0)) return;  // its end is about to be reported
  Cut();
  Feed(LinkLost{});
}

void InstanceHandle::Keep(const link::Store& store, std::vector<UniqueFd> fds) {
  for (std::size_t i = 0; i < store.names.size(); ++i) {
    const std::string& name = store.names[i];
    if (i >= fds.size()) {
      missing_.Add(name);
      keeper_.Await(name);
      continue;
    }
    keeper_.Store(name, std::move(fds[i]));
    missing_.Remove(name);
    for (auto config = new_configs_.begin(); config != new_configs_.end();) {
      const bool arrived = name == link::ConfigName(config->first);
      config = arrived ? new_configs_.erase(config) : std::next(config);
    }
  }
  missing_.AskLater();
  SayMissing();
}

void InstanceHandle::SayMissing() {
  if (const auto missed = missing_.Begun()) {
    log::Warn("service " + name_ + ": there is no room for " + std::to_string(*missed) +
              " descriptors that its master gave to be kept; it is asked for them again");
  }
  if (const auto missed = missing_.Over()) {
    log::Info("service " + name_ + ": what its master gave to be kept is kept; there had been " +
              "no room for " + std::to_string(*missed) + " descriptors");
  }
}

void InstanceHandle::OnPacket(link::Packet packet, std::vector<UniqueFd> fds) {
  asked_at_ = 0;
  if (const auto* store = std::get_if<link::Store>(&packet)) return Keep(*store, std::move(fds));
  if (const auto* drop = std::get_if<link::Drop>(&packet)) {
    for (const std::string& name : drop->names) {
      keeper_.Drop(name);
      missing_.Remove(name);
    }
    return SayMissing();
  }
  if (const auto* answer = std::get_if<link::Inspected>(&packet)) {
    if (events_.on_inspected) events_.on_inspected(*answer, std::move(fds));
    return;
  }
  if (const auto* hello = std::get_if<link::MasterHello>(&packet)) {
    // Another image of it knows nothing of what the one before was asked.
    Cut();
    hello_ = *hello;
    if (!hello->protocol.Meets(OwnVersion().link)) return OnForeign();
    upgrade_.SaidHello(hello->version);
    if (!hello->in_charge) Feed(MasterSpoke{false});
    return;
  }
  if (const auto* stored = std::get_if<link::StoredAll>(&packet)) {
    for (const std::string& name : stored->unsent) keeper_.Await(name);
    keeper_.EndRenewal();
    Feed(MasterSpoke{true});
    return Tell(upgrade_.StoredAll());
  }
  if (const auto* refused = std::get_if<link::UpgradeRefused>(&packet)) {
    return Tell(upgrade_.Stayed(refused->reason, !wish_.run));
  }
  if (std::holds_alternative<link::Pong>(packet)) return Feed(MasterAnswered{});
  if (const auto* in_charge = std::get_if<link::InCharge>(&packet)) {
    log::Info("service " + name_ + ": a new master (pid " +
              std::to_string(master_ ? master_->pid : 0) + ") has taken over " +
              std::to_string(in_charge->kept) + " workers");
    Record("master_took_over", std::to_string(in_charge->kept) + " workers go on, " +
                                   std::to_string(in_charge->replaced) + " are replaced");
    if (in_charge->replaced > 0) {
      const std::string count = std::to_string(in_charge->replaced);
      Record("workers_lost",
             count + " that had ended, or could not go on without it, are replaced");
    }
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
