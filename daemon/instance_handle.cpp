#include "daemon/instance_handle.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/master_search.h"

namespace slc {

InstanceHandle::InstanceHandle(uv::Loop& loop, const DaemonContext& context, uv::DiskThread& disk,
                               ServiceId id, std::string name, Events events)
    : loop_(loop),
      context_(context),
      id_(id),
      name_(std::move(name)),
      events_(std::move(events)),
      directory_(disk, context.instances, id),
      keeper_(*context.fd_store, KeptPrefix(id)),
      missing_(loop,
               [this](const std::vector<std::string>& names) {
                 if (link_) link_->Send(link::StoreAgain{names});
               }),
      upgrade_(id),
      timer_(loop, [this] { Tick(); }),
      look_again_(loop, [this] { Look(); }),
      order_again_(loop,
                   [this] {
                     if (in_charge()) Do(SendOrder{});
                   }),
      sweep_(loop, [this] { Sweep(); }) {}

InstanceHandle::~InstanceHandle() = default;

std::string InstanceHandle::Cookie() const { return Traces::Cookie(context_.home_key, id_); }

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

const InstanceState* InstanceHandle::ReadState() const {
  if (!has_master()) {
    looked_.reset();
    return nullptr;
  }
  const int memfd = keeper_.Find(link::kStateName);
  if (memfd < 0) return nullptr;
  // Most looks find what the one before has found.
  if (looked_ && looked_->kept == keeper_.changes() && IsUnchanged(memfd, looked_->mark)) {
    return &looked_->state;
  }
  looked_.reset();
  auto content = ReadSnapshot(memfd);
  if (!content) return nullptr;
  auto state = DecodeInstanceState(content->state);
  if (!state) return nullptr;
  looked_ = LastLook{keeper_.changes(), content->mark, std::move(*state)};
  return &looked_->state;
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
  // One that a killed slcd has just begun holds its lock before it has its socket.
  constexpr Millis kBirth = 1000;
  if (GoOnWithInherited()) return Feed(MasterSearched{true, wish_.run});
  auto directory = directory_.Open();
  MasterContact contact;
  if (directory) {
    contact = ContactMaster(directory->get());
  } else {
    contact.trouble = directory.error().message;
  }
  if (!contact.nobody && !contact.socket) {
    // To clear away what a living master uses would be worse than to wait.
    const Millis now = loop_.now();
    if (!trouble_since_) trouble_since_ = now;
    if (now - *trouble_since_ >= kBirth && search_trouble_ != contact.trouble) {
      log::Warn("service " + name_ + ": cannot tell whether its master lives: " + contact.trouble);
      search_trouble_ = contact.trouble;
    }
    return look_again_.StartIn(kAgain);
  }
  trouble_since_.reset();
  if (!contact.nobody) {
    const std::string name = follows_ ? ServiceNameOf(contact.master) : std::string();
    if (!name.empty()) name_ = name;
    keeper_.BeginRenewal();
    Watch(contact.master, std::move(contact.pidfd));
    UseLink(std::move(contact.socket));
    WatchLodging(true);
    Record("master_adopted", "");
  }
  const bool kept = contact.nobody && keeper_.Find(link::kStateName) >= 0;
  if (contact.nobody && !kept && events_.on_nobody) events_.on_nobody();
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
  const InstanceState* state = ReadState();
  if (state == nullptr) return std::nullopt;
  // What was ordered a moment ago may not have been obeyed yet.
  return wish_.order > state->fleet.wish.order ? wish_ : state->fleet.wish;
}

void InstanceHandle::Rehouse() {
  using State = InstancePlan::State;
  const State state = plan_.state();
  const bool lives = state == State::kInCharge || state == State::kLaunching ||
                     (state == State::kSearching && link_);
  if (!lives) return;
  const auto facts = directory_.Look();
  if (!facts) return;
  lost_ = lodging_.Lost(*facts);
  if (lost_ != nullptr) Feed(LinkLost{});
}

void InstanceHandle::WatchLodging(bool found) {
  context_.watch_directory(id_);
  const auto looked = directory_.Look();
  const LodgingFacts facts = looked ? *looked : LodgingFacts{};
  found ? lodging_.Find(facts) : lodging_.Launch(facts);
}

void InstanceHandle::SayLeaving(bool revive) {
  if (link_) link_->Send(link::Leaving{revive});
}

bool InstanceHandle::TellExit(const ProcessIdentity& process, int status) {
  if (!link_) return false;
  const InstanceState* state = ReadState();
  if (state == nullptr) return false;
  for (const auto& [id, worker] : state->workers) {
    if (worker.process != process) continue;
    return link_->Send(link::ExitStatus{process, status});
  }
  return false;
}

}  // namespace slc
