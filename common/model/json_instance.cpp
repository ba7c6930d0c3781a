#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/object_writer.h"

namespace slc {

using nlohmann::json;

namespace {

constexpr const char* kListenerKinds[] = {"tcp", "unix", "udp", "inherited"};

void WriteProcess(ObjectWriter& object, const ProcessIdentity& process) {
  object.Number("pid", process.pid);
  object.Number("start_time", process.start_time);
}

void WriteFleet(std::string& out, const FleetState& fleet) {
  ObjectWriter object(out);
  {
    ObjectWriter wish(object.Key("wish"));
    wish.Flag("run", fleet.wish.run);
    wish.Flag("soft_stop", fleet.wish.soft_stop);
    wish.Number("size", fleet.wish.size);
    wish.Number("generation", fleet.wish.generation);
    wish.Text("mode", fleet.wish.mode == RollMode::kRolling ? "rolling" : "restart");
    wish.Number("parallel", fleet.wish.parallel);
    wish.Number("order", fleet.wish.order);
    if (fleet.wish.trial) wish.Flag("trial", true);
    if (fleet.wish.same_as > 0) wish.Number("same_as", fleet.wish.same_as);
  }
  object.Number("last_worker", fleet.last_worker);
  object.Number("good", fleet.good);
  object.Number("failed", fleet.failed);
  object.Number("reached", fleet.reached);
  if (fleet.failure) {
    ObjectWriter failure(object.Key("failure"));
    failure.Number("order", fleet.failure->order);
    failure.Number("generation", fleet.failure->generation);
    failure.Number("worker", fleet.failure->worker);
    failure.Number("slot", fleet.failure->slot);
    failure.Text("reason", fleet.failure->reason);
    if (fleet.failure->status) failure.Number("status", *fleet.failure->status);
  }
  {
    ObjectWriter spare(object.Key("spare"));
    spare.Number("failures", fleet.spare.failures);
    spare.Number("retry_at", fleet.spare.retry_at);
    spare.Number("given_up", fleet.spare.given_up);
    if (!fleet.spare.trouble.empty()) spare.Text("trouble", fleet.spare.trouble);
  }
  object.Key("slots") += '[';
  bool first = true;
  for (const auto& [number, slot] : fleet.slots) {
    if (!first) out += ',';
    first = false;
    ObjectWriter entry(out);
    entry.Number("slot", number);
    entry.Number("generation", slot.generation);
    entry.Number("failures", slot.failures);
    entry.Number("retry_at", slot.retry_at);
    entry.Flag("finished", slot.finished);
    entry.Number("short_lives", slot.short_lives);
    entry.Flag("given_up", slot.given_up);
    entry.Number("in_vain", slot.in_vain);
    entry.Number("replace_at", slot.replace_at);
    entry.Number("restarts", slot.restarts);
    entry.Text("last_exit", slot.last_exit);
    entry.Number("last_exit_at", slot.last_exit_at);
    if (slot.last_status) entry.Number("last_status", *slot.last_status);
  }
  out += ']';
  object.Key("workers") += '[';
  first = true;
  for (const auto& [id, worker] : fleet.workers) {
    if (!first) out += ',';
    first = false;
    ObjectWriter entry(out);
    entry.Number("id", id);
    entry.Number("slot", worker.slot);
    entry.Number("generation", worker.generation);
    entry.Text("state", Name(worker.state));
    entry.Number("spawned_at", worker.spawned_at);
    entry.Number("ready_at", worker.ready_at);
    entry.Number("deadline", worker.deadline);
    entry.Flag("disconnected", worker.disconnected);
    entry.Flag("hung_up", worker.hung_up);
    if (worker.unfit) entry.Flag("unfit", true);
    if (worker.hung) entry.Flag("hung", true);
    if (worker.leaving) entry.Flag("leaving", true);
    entry.Flag("listens", worker.listens);
    if (!worker.trouble.empty()) entry.Text("trouble", worker.trouble);
    if (!worker.outgrown.empty()) entry.Text("outgrown", worker.outgrown);
  }
  out += ']';
}

Status ReadProcess(JsonFields& fields, ProcessIdentity& process) {
  fields.Read("pid", process.pid);
  fields.Read("start_time", process.start_time);
  return fields.status();
}

Status ReadFleet(const json& value, FleetState& fleet) {
  JsonFields fields(value, "fleet");
  fields.ReadObject("wish", [&](const json& wish) { return FromJson(wish, fleet.wish); });
  fields.Read("last_worker", fleet.last_worker);
  fields.Read("good", fleet.good);
  fields.Read("failed", fleet.failed);
  fields.Read("reached", fleet.reached);
  fields.ReadObject("failure", [&](const json& element) {
    FleetFailure failure;
    JsonFields entry(element, "failure");
    entry.Read("order", failure.order);
    entry.Read("generation", failure.generation);
    entry.Read("worker", failure.worker);
    entry.Read("slot", failure.slot);
    entry.Read("reason", failure.reason);
    entry.Read("status", failure.status);
    fleet.failure = failure;
    return entry.status();
  });
  fields.ReadObject("spare", [&](const json& element) {
    JsonFields entry(element, "spare");
    entry.Read("failures", fleet.spare.failures);
    entry.Read("retry_at", fleet.spare.retry_at);
    entry.Read("given_up", fleet.spare.given_up);
    entry.Read("trouble", fleet.spare.trouble);
    return entry.status();
  });
  fields.ReadArray("slots", [&](const json& element) {
    FleetSlot slot;
    SlotNumber number = 0;
    JsonFields entry(element, "slot");
    entry.Read("slot", number);
    entry.Read("generation", slot.generation);
    entry.Read("failures", slot.failures);
    entry.Read("retry_at", slot.retry_at);
    entry.Read("finished", slot.finished);
    entry.Read("short_lives", slot.short_lives);
    entry.Read("given_up", slot.given_up);
    entry.Read("in_vain", slot.in_vain);
    entry.Read("replace_at", slot.replace_at);
    entry.Read("restarts", slot.restarts);
    entry.Read("last_exit", slot.last_exit);
    entry.Read("last_exit_at", slot.last_exit_at);
    entry.Read("last_status", slot.last_status);
    fleet.slots[number] = slot;
    return entry.status();
  });
  fields.ReadArray("workers", [&](const json& element) {
    FleetWorker worker;
    JsonFields entry(element, "worker");
    entry.Read("id", worker.id);
    entry.Read("slot", worker.slot);
    entry.Read("generation", worker.generation);
    entry.ReadName("state", [&](const std::string& name) {
      const auto state = WorkerStateFromName(name);
      if (state) worker.state = *state;
      return state.has_value();
    });
    entry.Read("spawned_at", worker.spawned_at);
    entry.Read("ready_at", worker.ready_at);
    entry.Read("deadline", worker.deadline);
    entry.Read("disconnected", worker.disconnected);
    entry.Read("hung_up", worker.hung_up);
    entry.Read("unfit", worker.unfit);
    entry.Read("hung", worker.hung);
    entry.Read("leaving", worker.leaving);
    entry.Read("listens", worker.listens);
    entry.Read("trouble", worker.trouble);
    entry.Read("outgrown", worker.outgrown);
    fleet.workers[worker.id] = worker;
    return entry.status();
  });
  return fields.status();
}

Status ReadListener(const json& value, ListenerFacts& listener) {
  JsonFields fields(value, "listener");
  fields.Read("key", listener.key);
  fields.ReadName("kind", [&](const std::string& name) {
    for (std::size_t i = 0; i < std::size(kListenerKinds); ++i) {
      if (name == kListenerKinds[i]) {
        listener.kind = static_cast<ListenerKind>(i);
        return true;
      }
    }
    return false;
  });
  fields.Read("address", listener.address);
  fields.Read("port", listener.port);
  fields.Read("bound_port", listener.bound_port);
  fields.Read("family", listener.family);
  fields.Read("flags", listener.flags);
  fields.Read("backlog", listener.backlog);
  fields.Read("slots", listener.slots);
  fields.Read("disordered", listener.disordered);
  fields.Read("device", listener.device);
  fields.Read("inode", listener.inode);
  fields.Read("data", listener.data);
  return fields.status();
}

}  // namespace

std::string EncodeInstanceState(const InstanceState& state) {
  std::string out;
  out.reserve(512 + state.fleet.workers.size() * 320);
  {
    ObjectWriter object(out);
    object.Number("service", state.service);
    object.Number("epoch", state.epoch);
    object.Text("boot_id", state.boot_id);
    {
      ObjectWriter master(object.Key("master"));
      WriteProcess(master, state.master);
      master.Number("started", state.master_started_wall);
    }
    object.Number("written_at", state.written_at);
    object.Number("message_seq", state.message_seq);
    object.Number("log_lines_dropped", state.log.lines_dropped);
    object.Number("log_dropped_at", state.log.dropped_at);
    object.Text("log_trouble", state.log.trouble);
    object.Flag("log_behind", state.log.behind);
    WriteFleet(object.Key("fleet"), state.fleet);
    object.Key("workers") += '[';
    bool first = true;
    for (const auto& [id, worker] : state.workers) {
      if (!first) out += ',';
      first = false;
      ObjectWriter entry(out);
      entry.Number("id", id);
      WriteProcess(entry, worker.process);
      entry.Number("started", worker.started_wall);
      entry.Texts("keys", worker.keys);
      entry.Texts("own_listeners", worker.own_listeners);
      entry.Text("agent_version", worker.agent_version);
      entry.Flag("drain_sent", worker.drain_sent);
      if (worker.stuck_since > 0) entry.Number("stuck_since", worker.stuck_since);
      if (!worker.shows.empty()) entry.Text("shows", worker.shows);
      if (worker.excused_until > 0) entry.Number("excused_until", worker.excused_until);
      if (worker.reloading) entry.Flag("reloading", true);
      if (!worker.status.empty()) entry.Text("status", worker.status);
      const InspectionState& inspection = worker.inspection;
      if (inspection.profiling_since > 0) {
        entry.Number("profiling_since", inspection.profiling_since);
      }
      if (inspection.tracking_since > 0) entry.Number("tracking_since", inspection.tracking_since);
      if (inspection.debugger_port > 0) entry.Number("debugger_port", inspection.debugger_port);
      if (!inspection.debugger_host.empty()) entry.Text("debugger_host", inspection.debugger_host);
    }
    out += ']';
    object.Key("listeners") += '[';
    first = true;
    for (const ListenerFacts& listener : state.listeners) {
      if (!first) out += ',';
      first = false;
      ObjectWriter entry(out);
      entry.Text("key", listener.key);
      entry.Text("kind", kListenerKinds[static_cast<int>(listener.kind)]);
      entry.Text("address", listener.address);
      entry.Number("port", listener.port);
      entry.Number("bound_port", listener.bound_port);
      entry.Number("family", listener.family);
      entry.Number("flags", listener.flags);
      entry.Number("backlog", listener.backlog);
      if (!listener.slots.empty()) entry.Numbers("slots", listener.slots);
      if (listener.disordered) entry.Flag("disordered", true);
      entry.Number("device", listener.device);
      entry.Number("inode", listener.inode);
      entry.Text("data", listener.data);
    }
    out += ']';
    object.Key("held") += '[';
    first = true;
    for (const auto& [name, fd] : state.held) {
      if (!first) out += ',';
      first = false;
      ObjectWriter entry(out);
      entry.Text("name", name);
      entry.Number("fd", fd);
    }
    out += ']';
  }
  return out;
}

Result<InstanceState> DecodeInstanceState(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().During("instance state");
  InstanceState state;
  JsonFields fields(*parsed, "instance");
  fields.Read("service", state.service);
  fields.Read("epoch", state.epoch);
  fields.Read("boot_id", state.boot_id);
  fields.ReadObject("master", [&](const json& value) {
    JsonFields master(value, "master");
    master.Read("started", state.master_started_wall);
    return ReadProcess(master, state.master);
  });
  fields.Read("written_at", state.written_at);
  fields.Read("message_seq", state.message_seq);
  fields.Read("log_lines_dropped", state.log.lines_dropped);
  fields.Read("log_dropped_at", state.log.dropped_at);
  fields.Read("log_trouble", state.log.trouble);
  fields.Read("log_behind", state.log.behind);
  fields.ReadObject("fleet", [&](const json& value) { return ReadFleet(value, state.fleet); });
  fields.ReadArray("workers", [&](const json& value) {
    WorkerFacts worker;
    WorkerId id = 0;
    JsonFields entry(value, "worker");
    entry.Read("id", id);
    entry.Read("started", worker.started_wall);
    entry.Read("keys", worker.keys);
    entry.Read("own_listeners", worker.own_listeners);
    entry.Read("agent_version", worker.agent_version);
    entry.Read("drain_sent", worker.drain_sent);
    entry.Read("stuck_since", worker.stuck_since);
    entry.Read("shows", worker.shows);
    entry.Read("excused_until", worker.excused_until);
    entry.Read("reloading", worker.reloading);
    entry.Read("status", worker.status);
    entry.Read("profiling_since", worker.inspection.profiling_since);
    entry.Read("tracking_since", worker.inspection.tracking_since);
    entry.Read("debugger_port", worker.inspection.debugger_port);
    entry.Read("debugger_host", worker.inspection.debugger_host);
    Status done = ReadProcess(entry, worker.process);
    state.workers[id] = worker;
    return done;
  });
  fields.ReadArray("listeners", [&](const json& value) {
    state.listeners.emplace_back();
    return ReadListener(value, state.listeners.back());
  });
  fields.ReadArray("held", [&](const json& value) {
    std::string name;
    int fd = -1;
    JsonFields entry(value, "held");
    entry.Read("name", name);
    entry.Read("fd", fd);
    state.held[name] = fd;
    return entry.status();
  });
  if (Status done = fields.status(); !done) return done.error();
  return state;
}

}  // namespace slc
