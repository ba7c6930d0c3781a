#include "daemon/commands/requests.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace slc {

Requests::Requests(const Registry& registry, Services& services, Operations& operations,
                   Changes& changes, WorkerLooks& looks, const Recorder& recorder, Clients& clients,
                   GatewayHost& gateway, LogReaders& logs, deploy::Deploys& deploys,
                   profiles::Profiles& profiles, DaemonInfo about,
                   std::function<void(const Command& command)> shut_down,
                   std::function<void(const Command& command)> upgrade)
    : registry_(registry),
      services_(services),
      operations_(operations),
      changes_(changes),
      looks_(looks),
      recorder_(recorder),
      clients_(clients),
      gateway_(gateway),
      logs_(logs),
      deploys_(deploys),
      profiles_(profiles),
      about_(std::move(about)),
      started_(BootNow()),
      shut_down_(std::move(shut_down)),
      upgrade_(std::move(upgrade)) {}

void Requests::OnFrame(ClientId client, const std::string& payload) {
  auto request = DecodeRequest(payload);
  if (!request) {
    // Whoever asks in words we do not know waits for an answer all the same.
    Request unknown;
    unknown.id = RequestIdOf(payload);
    return clients_.Refuse(Command{client, std::move(unknown)}, request.error());
  }
  log::Debug(std::string("request ") + VerbOf(request->body));
  // Nobody else speaks for others.
  if (!gateway_.IsGateway(client)) request->principal.clear();
  if (Status allowed = deploys_.Restrict(client, *request); !allowed) {
    return clients_.Refuse(Command{client, std::move(*request)}, allowed.error());
  }
  received_ = clients_.TakeFds(client, request->descriptors);
  const Command command = clients_.CommandOf(client, std::move(*request));
  const RequestBody& body = command.request.body;
  if (services_.stopping() && !std::holds_alternative<ListServices>(body) &&
      !std::holds_alternative<GetStatus>(body) && !std::holds_alternative<Shutdown>(body)) {
    received_.clear();
    return clients_.Refuse(
        command, Error{ErrorCode::kConflict, "slcd is shutting down; try again in a moment"});
  }
  Handle(command);
  // Whatever came with a request that has no use for it is closed.
  received_.clear();
}

void Requests::Handle(const Command& command) {
  std::visit([&](const auto& body) { Handle(command, body); }, command.request.body);
}

// ---------------------------------------------------------------------------------------------
// looking

void Requests::Handle(const Command& command, const ListServices&) {
  Reply reply;
  auto& views = reply.data.emplace<std::vector<ServiceView>>();
  for (const auto& [id, wish] : registry_.wishes()) views.push_back(services_.ViewOf(wish));
  for (const auto& [id, bad] : registry_.quarantined()) views.push_back(services_.ViewOf(bad));
  std::sort(views.begin(), views.end(),
            [](const ServiceView& one, const ServiceView& other) { return one.id < other.id; });
  AnswerLooking(command, std::move(reply));
}

void Requests::AnswerLooking(const Command& command, Reply reply) {
  const std::string trouble = recorder_.trouble();
  if (!trouble.empty()) reply.notes.push_back("storage: " + trouble);
  if (!about_.trouble.empty()) reply.notes.push_back(about_.trouble);
  clients_.Answer(command, reply);
}

void Requests::Handle(const Command& command, const GetStatus& body) {
  if (body.service.empty()) return Handle(command, ListServices{});
  if (const Quarantined* bad = registry_.FindQuarantined(body.service)) {
    return AnswerLooking(command, operations_.ReplyWith(bad->id, {}));
  }
  auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  AnswerLooking(command, operations_.ReplyWith(*id, {}));
}

void Requests::Handle(const Command& command, const GetInfo&) {
  DaemonInfo info = about_;
  info.uptime = BootNow() - started_;
  info.storage = recorder_.trouble();
  info.services =
      static_cast<std::uint32_t>(registry_.wishes().size() + registry_.quarantined().size());
  info.masters = services_.Masters();
  Reply reply;
  reply.data = info;
  clients_.Answer(command, reply);
}

// -----------------------------------------------------------------------------------------------
// changing

void Requests::Handle(const Command& command, const StartService& body) {
  changes_.OnceNamesAreKnown([this, command, body] {
    StartWish start{body.spec, body.size, body.replace, body.given};
    auto proposal = registry_.ProposeStart(start);
    const bool is_new = !proposal || registry_.Get(proposal->wish.id) == nullptr;
    if (is_new) return changes_.Create(command, std::move(proposal));
    changes_.Change(command, std::to_string(proposal->wish.id), [this, start](ServiceId id) {
      return OrTryAgain(id, registry_.ProposeStart(start));
    });
  });
}

Result<Proposal> Requests::OrTryAgain(ServiceId id, Result<Proposal> proposal) {
  if (!proposal || proposal->changed) return proposal;
  const InstanceHandle& instance = services_.InstanceOf(id);
  const auto& facts = instance.facts();
  // Somebody else's try is under way: whoever asks for the same waits for it.
  if (facts && facts->order < registry_.Get(id)->order) return proposal;
  const bool failed = facts
                          ? facts->failure || facts->phase == "failed" || facts->phase == "backoff"
                          : !services_.TroubleOf(id).empty();
  const bool ails = failed || instance.left();
  if (!ails) return proposal;
  const bool serves = facts && facts->ready > 0;
  return registry_.ProposeRestart(id, serves ? RollMode::kRolling : RollMode::kRestart, 1);
}

void Requests::Handle(const Command& command, const CreateService& body) {
  changes_.OnceNamesAreKnown([this, command, body] {
    const auto propose = [this, body] { return registry_.ProposeCreate(body.name, body.size); };
    for (const auto& [id, wish] : registry_.wishes()) {
      if (!Changes::IsRepeat(command, wish) || wish.spec.name != body.name) continue;
      return changes_.Change(command, std::to_string(id),
                             [propose](ServiceId) { return propose(); });
    }
    changes_.Create(command, propose());
  });
}

void Requests::Handle(const Command& command, const RunService& body) {
  changes_.Change(command, body.service,
                  [this](ServiceId id) { return OrTryAgain(id, registry_.ProposeRun(id)); });
}

void Requests::Handle(const Command& command, const StopService& body) {
  if (const Quarantined* bad = registry_.FindQuarantined(body.service)) {
    return changes_.EndQuarantined(command, *bad, body.soft, false);
  }
  changes_.Change(command, body.service,
                  [this, body](ServiceId id) { return registry_.ProposeStop(id, body.soft); });
}

void Requests::Handle(const Command& command, const RestartService& body) {
  changes_.Change(command, body.service, [this, body](ServiceId id) {
    return registry_.ProposeRestart(id, body.mode, body.parallel);
  });
}

void Requests::Handle(const Command& command, const SetSize& body) {
  changes_.Change(command, body.service,
                  [this, body](ServiceId id) { return registry_.ProposeSize(id, body.size); });
}

void Requests::Handle(const Command& command, const SetEnvironment& body) {
  changes_.Change(command, body.service, [this, body](ServiceId id) {
    return registry_.ProposeEnvironment(id, body.set, body.unset, body.restart);
  });
}

void Requests::Handle(const Command& command, const RemoveService& body) {
  if (changes_.HasRemoved(command.request.id)) return clients_.Answer(command, Reply{});
  if (const Quarantined* bad = registry_.FindQuarantined(body.service)) {
    return changes_.EndQuarantined(command, *bad, false, true);
  }
  changes_.Change(command, body.service,
                  [this](ServiceId id) { return registry_.ProposeRemove(id); });
}

void Requests::Handle(const Command& command, const Shutdown&) { shut_down_(command); }

void Requests::Handle(const Command& command, const UpgradeAll&) { upgrade_(command); }

// -----------------------------------------------------------------------------------------------
// the gateway

void Requests::Handle(const Command& command, const GetGateway&) { gateway_.Show(command); }

void Requests::Handle(const Command& command, const SetGateway& body) {
  gateway_.Set(command, body);
}

void Requests::Handle(const Command& command, const AddCredential& body) {
  gateway_.Add(command, body);
}

void Requests::Handle(const Command& command, const RemoveCredential& body) {
  gateway_.Remove(command, body);
}

void Requests::Handle(const Command& command, const ServeGateway&) { gateway_.Serve(command); }

void Requests::Handle(const Command& command, const ReadLogs& body) {
  AnswerLogs(command, logs_.Start(body));
}

void Requests::Handle(const Command& command, const ReadEvents& body) {
  AnswerLogs(command, logs_.Start(body));
}

void Requests::Handle(const Command& command, const DumpLogs& body) {
  AnswerLogs(command, logs_.Start(body));
}

void Requests::Handle(const Command& command, const ListPackages& body) {
  AnswerLogs(command, logs_.Start(body));
}

void Requests::Handle(const Command& command, const PrintLook& body) {
  auto pipes = logs_.Start(body);
  if (!pipes) return clients_.Refuse(command, pipes.error());
  clients_.Answer(command, Reply{}, std::move(*pipes));
}

void Requests::Handle(const Command& command, const Deploy& body) {
  deploys_.Handle(command, body, std::exchange(received_, {}));
}

void Requests::Handle(const Command& command, const ServeGit& body) {
  deploys_.Handle(command, body, std::exchange(received_, {}));
}

void Requests::AnswerLogs(const Command& command, Result<UniqueFd> output) {
  if (!output) return clients_.Refuse(command, output.error());
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(*output));
  clients_.Answer(command, Reply{}, std::move(fds));
}

}  // namespace slc
