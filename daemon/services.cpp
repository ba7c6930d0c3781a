#include "daemon/services.h"

#include <sys/wait.h>

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/model/generation_changes.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"

namespace slc {

Services::Services(uv::Loop& loop, const DaemonContext& context, const Registry& registry,
                   uv::DiskThread& disk, Events events)
    : loop_(loop),
      context_(context),
      registry_(registry),
      disk_(disk),
      events_(std::move(events)) {}

Services::Service& Services::ServiceOf(ServiceId id) {
  Service& service = services_[id];
  if (!service.instance) {
    const Wish* wish = registry_.Get(id);
    const Quarantined* bad = registry_.GetQuarantined(id);
    std::string name = wish != nullptr ? wish->spec.name : bad != nullptr ? bad->name : "";
    if (name.empty()) name = std::to_string(id);
    service.instance = std::make_unique<InstanceHandle>(
        loop_, context_, disk_, id, std::move(name),
        InstanceHandle::Events{
            [this, id](const link::Facts& facts) { events_.on_facts(id, facts); },
            [this, id](const link::Notice& notice) { events_.on_notice(id, notice); },
            [this, id](JournalRecord record) { events_.on_record(id, std::move(record)); },
            [this, id] { events_.on_nobody(id); },
            [this, id](const Error& error) { events_.on_launch_failed(id, error); },
            [this] { ReapChildren(); }, [this, id] { events_.on_gone(id); },
            [this](const link::Inspected& answer, std::vector<UniqueFd> fds) {
              events_.on_inspected(answer, std::move(fds));
            },
            [this, id] { events_.on_cut(id); },
            [this](const UpgradeEvent& outcome) { events_.on_upgraded(outcome); }});
  }
  return service;
}

void Services::Inherit(std::vector<ReturnedFd> kept) {
  for (ReturnedFd& each : kept) {
    // kept/ID/NAME
    const std::size_t first = each.name.find('/');
    const std::size_t second = each.name.find('/', first + 1);
    const auto id = second == std::string::npos
                        ? std::nullopt
                        : ParseInteger(each.name.substr(first + 1, second - first - 1), 1,
                                       std::numeric_limits<ServiceId>::max());
    const auto service = static_cast<ServiceId>(id.value_or(0));
    const bool known = registry_.Get(service) != nullptr || registry_.GetQuarantined(service);
    if (known && StartsWith(each.name, KeptPrefix(service))) {
      ServiceOf(service).instance->InheritKept(each.name.substr(second + 1), std::move(each.fd));
    } else {
      context_.fd_store->Drop(each.name);
    }
  }
}

void Services::Inherit(Inheritance& inheritance, const DaemonFacts& facts) {
  for (const auto& [id, instance] : facts.instances) {
    InstanceHeritage heritage;
    heritage.facts = instance;
    heritage.link = inheritance.Take(HeritageLink(id));
    heritage.kept = inheritance.TakeBelow(HeritageKept(id));
    for (auto& [name, memfd] : inheritance.TakeBelow(HeritageConfig(id))) {
      const auto generation = ParseInteger(name, 0, std::numeric_limits<Generation>::max());
      if (generation) heritage.configs[static_cast<Generation>(*generation)] = std::move(memfd);
    }
    const bool known = registry_.Get(id) != nullptr || registry_.GetQuarantined(id) != nullptr;
    if (known) ServiceOf(id).instance->Inherit(std::move(heritage));
  }
}

void Services::Bequeath(Bequest& bequest, DaemonFacts& facts) const {
  for (const auto& [id, service] : services_) service.instance->Bequeath(bequest, facts);
}

bool Services::Settled() const {
  return std::all_of(services_.begin(), services_.end(),
                     [](const auto& entry) { return entry.second.instance->settled(); });
}

std::vector<SightedMaster> Services::SightedMasters(const std::string& installed) const {
  std::vector<SightedMaster> masters;
  for (const auto& [id, service] : services_) {
    if (!service.instance->has_master()) continue;
    const MasterInfo about =
        service.instance->about_master().value_or(MasterInfo{service.instance->name(), 0, "", 0});
    const std::string binary = BinaryId("/proc/" + std::to_string(about.pid) + "/exe");
    masters.push_back({id, about, service.instance->in_charge(), binary == installed});
  }
  return masters;
}

void Services::TakeUp(const Wish& wish) {
  if (wish.run) Prepare(wish);
  // What is stopped or to be removed is settled when no master is found, or it has left.
  ServiceOf(wish.id).instance->Search(FleetWishOf(wish));
}

void Services::TakeUp(const Quarantined& bad) { ServiceOf(bad.id).instance->Follow(); }

void Services::GoOn(const Wish& wish) {
  if (wish.run && !InstanceOf(wish.id).has_config(wish.generation)) return Prepare(wish);
  Order(wish);
}

Quarantined Services::Recognize(Quarantined bad) {
  const InstanceHandle& instance = InstanceOf(bad.id);
  // Without one it is called by what is known of it anyway.
  if (instance.master() && CheckServiceName(instance.name())) bad.name = instance.name();
  bad.obeyed = instance.followed();
  bad.runs = bad.obeyed ? instance.ReadConfig(bad.obeyed->generation) : std::nullopt;
  if (bad.runs && bad.directory.empty()) {
    bad.directory = bad.runs->working_directory;
    bad.command = bad.runs->arguments;
  }
  return bad;
}

bool Services::AnyUnrecognized() const {
  return std::any_of(services_.begin(), services_.end(), [this](const auto& entry) {
    const InstanceHandle& instance = *entry.second.instance;
    return registry_.GetQuarantined(entry.first) != nullptr && instance.has_master() &&
           !instance.in_charge();
  });
}

void Services::AddConfig(const Wish& wish, UniqueFd config) {
  Service& service = ServiceOf(wish.id);
  service.instance->Rename(wish.spec.name);
  service.instance->AddConfig(wish.generation, std::move(config));
  EndTrying(service);
}

void Services::RecordGeneration(const Wish& wish, int config) {
  GenerationConfig now;
  const auto text = ReadMemfd(config);
  const auto value = text ? ParseJson(*text) : Result<nlohmann::json>(text.error());
  if (!value || !FromJson(*value, now)) return;
  JournalRecord record;
  record.kind = "generation";
  record.generation = wish.generation;
  record.code = now.code;
  // Older ones of which nothing lives any more are gone.
  constexpr Generation kFarBack = 16;
  for (Generation back = 1; back <= kFarBack && back < wish.generation; ++back) {
    const auto before = ServiceOf(wish.id).instance->ReadConfig(wish.generation - back);
    if (!before) continue;
    record.text = Join(DescribeGenerationChanges(*before, now), ", ");
    if (record.text.empty()) record.text = kNothingNew;
    break;
  }
  events_.on_record(wish.id, std::move(record));
}

FleetWish Services::FleetWishOf(const Wish& wish) const {
  FleetWish fleet;
  fleet.run = wish.run && !stopping_;
  fleet.soft_stop = wish.soft_stop || stopping_;
  fleet.size = wish.size == kSizeCpu ? UsableCpus() : wish.size;
  fleet.generation = wish.generation;
  fleet.mode = wish.mode;
  fleet.parallel = wish.parallel;
  fleet.order = wish.order;
  fleet.trial = wish.trial;
  const auto found = services_.find(wish.id);
  if (found != services_.end() && found->second.renumbered == fleet.generation) {
    fleet.same_as = found->second.same_as;
  }
  return fleet;
}

void Services::Order(const Wish& wish) {
  const FleetWish fleet = FleetWishOf(wish);
  InstanceHandle& instance = *ServiceOf(wish.id).instance;
  // A living master that is being adopted has not told yet which configs it has.
  if (fleet.run && !instance.has_config(wish.generation) && !instance.adopting()) return;
  instance.SetWish(fleet);
}

std::string Services::WhyNotRun(const Wish& wish) {
  const Service& service = ServiceOf(wish.id);
  const InstanceHandle& instance = *service.instance;
  if (instance.has_config(wish.generation) || instance.adopting() || service.preparing) return "";
  if (!service.trouble.empty()) return service.trouble;
  return "the config of its generation " + std::to_string(wish.generation) +
         " is missing; slc ctl restart " + wish.spec.name + " makes a new one";
}

void Services::StopAll() {
  stopping_ = true;
  for (const auto& [id, wish] : registry_.wishes()) Order(wish);
  for (const auto& [id, bad] : registry_.quarantined()) StopQuarantined(id, true);
}

bool Services::AnyMaster() const {
  return std::any_of(services_.begin(), services_.end(),
                     [](const auto& entry) { return entry.second.instance->has_master(); });
}

std::vector<MasterInfo> Services::Masters() const {
  std::vector<MasterInfo> masters;
  for (const auto& [id, service] : services_) {
    if (auto master = service.instance->about_master()) masters.push_back(std::move(*master));
  }
  return masters;
}

bool Services::IsRunning(ServiceId id) const {
  const auto found = services_.find(id);
  if (found == services_.end() || !found->second.instance) return false;
  const auto& facts = found->second.instance->facts();
  return facts && facts->ready > 0;
}

void Services::SayLeaving() {
  for (auto& [id, service] : services_) service.instance->SayLeaving(false);
}

void Services::Rehouse() {
  for (auto& [id, service] : services_) service.instance->Rehouse();
}

void Services::Rehouse(ServiceId id) {
  const auto found = services_.find(id);
  if (found != services_.end()) found->second.instance->Rehouse();
}

void Services::ReapChildren() {
  // Our own masters are reaped through their pidfds. Others that end as our children are workers of
  // a master that was killed: we are their subreaper.
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    // It hides others; whoever reaps it calls us then.
    if (events_.is_awaited(pid)) return;
    for (const auto& [id, service] : services_) {
      if (service.instance->master() && service.instance->master()->pid == pid) return;
    }
    const auto identity = IdentifyProcess(pid);
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid || !identity) continue;
    for (const auto& [id, service] : services_) {
      if (service.instance->TellExit(*identity, status)) break;
    }
  }
}

ViewInput Services::ViewInputOf(const Service& service, const std::string& name) const {
  ViewInput input;
  input.state = service.instance->ReadState();
  input.adopting = service.instance->adopting();
  input.launching = service.instance->has_master() || service.preparing;
  input.silent_for = service.instance->silent_for();
  if (!name.empty()) input.log_directory = context_.logs + "/" + name;
  input.now = BootNow();
  return input;
}

ServiceView Services::ViewOf(const Wish& wish) {
  Service& service = ServiceOf(wish.id);
  const Fallback* fallback = registry_.GetFallback(wish.id);
  ViewInput input = ViewInputOf(service, wish.spec.name);
  // It is asked of the kernel and the cgroup's files.
  if (wish.size == kSizeCpu) input.cpus = UsableCpus();
  ServiceView view = MakeView(wish, input);
  if (service.described != wish.order) {
    service.described = wish.order;
    service.options = DescribeOptions(wish.spec);
  }
  view.options = service.options;
  if (fallback != nullptr) view.damage = DescribeFallback(*fallback);
  if (!service.instance->foreign().empty()) {
    view.state = "adopting";
    view.reason = service.instance->foreign();
  } else if (input.state == nullptr && wish.run && !service.trouble.empty()) {
    view.state = "backoff";
    view.reason = service.trouble + NextTry(service);
  }
  if (events_.on_view) events_.on_view(view);
  return view;
}

ServiceView Services::ViewOf(const Quarantined& bad) {
  const Service& service = ServiceOf(bad.id);
  return MakeView(bad, context_.home + "/services", ViewInputOf(service, bad.name));
}

}  // namespace slc
